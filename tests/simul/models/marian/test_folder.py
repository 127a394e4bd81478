"""What is in a folder of students, and sentences for what is missing in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from simul.errors import ModelMissingError, UsageError
from simul.models.hub import describe_folder
from simul.models.marian.folder import load
from tests.simul.models.marian import tiny


def test_a_firefox_folder_tells_its_pair(tmp_path: Path) -> None:
    assert describe_folder(tmp_path) is None
    tiny.firefox(tmp_path, shortlist=True)
    described = describe_folder(tmp_path)
    assert described is not None
    assert described.kind == "student"
    assert described.size == (tmp_path / "model.ende.intgemm.bin").stat().st_size
    found = load(tmp_path)
    assert (found.source, set(found.targets)) == ("en", {"de"})
    assert found.targets["de"].shared
    assert found.targets["de"].shortlist is not None
    with pytest.raises(UsageError, match="translates en into de, not en into fr"):
        load(tmp_path, "en", ["fr"])


def test_two_vocabularies_belong_to_their_sides(tmp_path: Path) -> None:
    size = len(tiny.vocabulary(tmp_path / "srcvocab.enja.spm"))
    own = len(tiny.vocabulary(tmp_path / "trgvocab.enja.spm", 48))
    tiny.write_binary(tmp_path / "model.enja.intgemm.alphas.bin", tiny.weights(size, own))
    found = load(tmp_path)
    target = found.targets["ja"]
    assert (len(found.vocabulary), len(target.vocabulary)) == (size, own)
    assert len(found.encoder.table.values) == size
    assert len(target.decoder.table.values) == own
    assert not target.shared
    assert target.shortlist is None


def test_a_name_that_tells_no_pair_needs_one(tmp_path: Path) -> None:
    tiny.firefox(tmp_path)
    (tmp_path / "model.ende.intgemm.bin").rename(tmp_path / "model.student.bin")
    with pytest.raises(UsageError, match="give the source and the target language"):
        load(tmp_path)
    assert set(load(tmp_path, "en", ["nl"]).targets) == {"nl"}


def test_decoders_share_an_encoder(tmp_path: Path) -> None:
    tiny.parts(tmp_path)
    described = describe_folder(tmp_path)
    assert described is not None
    assert described.kind == "student"
    assert described.size == sum(path.stat().st_size for path in tmp_path.glob("*.npz"))
    found = load(tmp_path)
    assert set(found.targets) == {"de", "es", "pt"}
    assert {code for code, target in found.targets.items() if target.spoken} == {"de", "es"}
    assert found.targets["pt"].vocabulary is found.vocabulary
    assert set(load(tmp_path, "en", ["es"]).targets) == {"es"}
    for pair in (("en", "it"), ("de", "es")):
        with pytest.raises(UsageError, match="translates en into de es pt"):
            load(tmp_path, pair[0], [pair[1]])


@pytest.mark.parametrize("missing", ["vocab.ende.spm", "model.ende.intgemm.bin"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    tiny.firefox(tmp_path)
    (tmp_path / missing).rename(tmp_path / (missing + ".gz"))
    with pytest.raises(ModelMissingError, match="only packed files"):
        load(tmp_path)
    (tmp_path / (missing + ".gz")).unlink()
    with pytest.raises(ModelMissingError, match="no file"):
        load(tmp_path)


def test_a_vocabulary_of_another_model_is_refused(tmp_path: Path) -> None:
    tiny.firefox(tmp_path)
    tiny.write_binary(tmp_path / "model.ende.intgemm.bin", tiny.weights(20))
    with pytest.raises(ModelMissingError, match="do not belong together"):
        load(tmp_path)


@pytest.mark.parametrize("damage", ["encoder.npz", "de.npz", "student.json", "source.spm"])
def test_damaged_parts_are_named(tmp_path: Path, damage: str) -> None:
    tiny.parts(tmp_path)
    (tmp_path / damage).write_bytes(b"nothing of the kind")
    with pytest.raises(ModelMissingError, match=damage):
        load(tmp_path)


def test_an_encoder_may_read_several_languages(tmp_path: Path) -> None:
    tiny.parts(tmp_path)
    (tmp_path / "student.json").write_text('{"sources": ["es", "fr"]}')
    assert load(tmp_path, "fr").source == "fr"
    with pytest.raises(UsageError, match="reads es fr; give the source language"):
        load(tmp_path)
    with pytest.raises(UsageError, match="translates es fr into de es pt, not it into"):
        load(tmp_path, "it")
