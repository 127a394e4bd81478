"""Text turned round: what is read, the pieces of both sides, and a student into English from the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from simul.models.marian.folder import load
from simul.models.marian.parts import read_part
from simul.models.marian.translator import MarianTranslator
from simul.models.translation.interface import TextRequest
from simul.training.student.prepared import read_prepared
from simul.training.student.start import piece_rows, processor, read_start
from simul.training.student.text import read_pairs
from simul.training.student.turned import read_turned, reading, sources_of, used_pieces
from tests.simul.scripted_cli import command
from tests.simul.training.student.toy import sentences


def test_pairs_are_turned_and_machines_are_read_like_anybody(text: Path) -> None:
    turned = read_turned(text, ["de"])
    straight = read_pairs(text, "de")
    assert {(p.source, p.target) for p in turned} == {(p.target, p.source) for p in straight}
    assert any(p.machine for p in straight)
    assert not any(p.machine for p in turned)
    assert turned == read_turned(text, ["de"])


def test_pieces_that_the_text_never_uses_are_left_out(student: Path, tmp_path: Path) -> None:
    start = read_start(student)
    texts = ["The dog sees the man."] * 3
    (tmp_path / "en.model").write_bytes(used_pieces(start, texts))
    fewer = processor(tmp_path / "en.model")
    assert fewer.get_piece_size() < start.target.get_piece_size()
    assert fewer.encode(texts[0], out_type=str) == start.target.encode(texts[0], out_type=str)
    assert (fewer.eos_id(), fewer.unk_id()) == (start.target.eos_id(), start.target.unk_id())
    assert [len(row) for row in piece_rows(fewer, start.target)] == [1] * fewer.get_piece_size()


@pytest.fixture(scope="module")
def turned(text: Path, student: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared text of German into English; not to be written to."""
    folder = tmp_path_factory.mktemp("turned")
    code, out, _ = command(
        *("train", "student", "prepare", "--start", student, "--data", text, "--languages", "de"),
        *("--into-english", "--vocabulary", 70, "--output", folder),
    )
    assert (code, out[:4]) == (0, "en: ")
    return folder


def test_a_run_reads_with_pieces_of_its_own(student: Path, turned: Path) -> None:
    start = read_start(student)
    own, source = reading(start, turned), processor(turned / "source.spm")
    assert sources_of(turned) == ("de",)
    assert own.source_model == turned / "source.spm"
    old = start.encoder["encoder_Wemb"]
    new = own.encoder["encoder_Wemb"]
    for number, rows in enumerate(piece_rows(source, start.source)):
        mean = old.rows(np.array(rows)).mean(0)  # type: ignore[union-attr]
        assert np.allclose(new.rows(np.array([number]))[0], mean, atol=1e-6)  # type: ignore[union-attr]
    assert reading(start, student.parent / "none") is start


def test_the_other_language_is_read_without_case_as_it_is(student: Path, turned: Path) -> None:
    made, source = read_prepared(turned, "en"), processor(turned / "source.spm")
    texts = {source.decode(made.spoken[i].tolist()) for i in range(len(made))}
    assert "der hund sieht den mann" in texts
    assert any("157" in t for t in texts)
    targets = processor(turned / "en.model")
    written = {targets.decode(made.target[i].tolist()) for i in range(len(made))}
    assert sentences()[0][0] in written


def test_a_student_into_english_is_made_by_the_command_line(
    student: Path, turned: Path, tmp_path: Path
) -> None:
    for file in turned.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    start = ("--start", student, "--languages", "en")
    train = (
        "train",
        "student",
        "train",
        *start,
        "--output",
        tmp_path,
        "--steps",
        2,
        "--precision",
        "float32",
    )
    export = ("train", "student", "export", *start, "--run", tmp_path, "--output", tmp_path / "parts")
    assert [command(*asked)[0] for asked in (train, export)] == [0, 0]
    about = json.loads((tmp_path / "parts" / "student.json").read_text())
    assert about == {"sources": ["de"], "spoken": ["en"]}
    encoder = read_part(tmp_path / "parts" / "encoder.npz")
    assert len(encoder["encoder_Wemb"].values) == processor(turned / "source.spm").get_piece_size()  # type: ignore[union-attr]
    assert load(tmp_path / "parts", "de").source == "de"
    translator = MarianTranslator(tmp_path / "parts", "de", ["en"])
    assert (translator.sources, translator.targets) == ({"de"}, {"en"})
    (result,) = translator.translate([TextRequest("Der Hund sieht den Mann.", "en", max_new_tokens=6)])
    assert len(result.tokens) > 0
    code, out, _ = command(
        *("train", "student", "score", "--model", tmp_path / "parts", "--run", tmp_path),
        *("--languages", "en", "--limit", 3),
    )
    assert code == 0
    assert json.loads(out)["en"]["kept-out"]["written"]["sentences"] == 3
