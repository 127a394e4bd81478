"""Reading pairs: which files, which order, which caps; dictionaries as pairs."""

import gzip
from collections import Counter
from pathlib import Path

import pytest

from simul.errors import SimulError
from simul.training.student import text
from simul.training.student.dictionaries import ding_entries, freedict_entries, write_table
from tests.simul.training.student.toy import sentences, write_text


def test_every_different_pair_comes_once_with_its_set(tmp_path: Path) -> None:
    found = text.read_pairs(write_text(tmp_path), "de")
    count = Counter((pair.origin, pair.machine) for pair in found)
    assert count == {("tatoeba", False): len(sentences()), ("pivot", True): len(sentences()[::7])}
    assert {(p.source, p.target) for p in found if not p.machine} == set(sentences())
    assert found == text.read_pairs(tmp_path, "de")
    assert [(p.source, p.target) for p in found if not p.machine] != sentences()


def test_caps_and_limits_count_pairs_of_a_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(text.SHARES, "tatoeba", text.Share(1.0, 20))
    count = Counter(pair.origin for pair in text.read_pairs(write_text(tmp_path), "de", limit=12))
    assert count == {"tatoeba": 12, "pivot": 12}
    assert Counter(p.origin for p in text.read_pairs(tmp_path, "de"))["tatoeba"] == 20


def test_pairs_that_cannot_be_translations_and_texts_of_one_country_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "novels" / "train.en-de.tsv.gz"
    path.parent.mkdir()
    rows = [("A short text.", "Ein sehr langer " + "Text " * 30, "novel"), ("Yes.", "Ja.", "novel-us-pd")]
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.write(
            "en\tde\tdomain\n" + "".join("\t".join(row) + "\n" for row in [*rows, ("No.", "Nein.", "novel")])
        )
    assert [pair[:2] for pair in text.read_pairs(tmp_path, "de")] == [("No.", "Nein.")]


def test_a_file_named_beside_the_folder_is_a_set_of_its_own(tmp_path: Path) -> None:
    more = tmp_path / "ding.de.tsv.gz"
    with gzip.open(more, "wt", encoding="utf-8") as stream:
        stream.write("en\tde\nhouse\tHaus\n")
    assert [(p.source, p.origin) for p in text.read_pairs(tmp_path / "none", "de", [more])] == [
        ("house", "ding")
    ]


def test_no_pairs_are_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(SimulError, match="English and 'fr'"):
        text.read_pairs(write_text(tmp_path), "fr")


def test_dictionaries_give_words_and_phrases(tmp_path: Path) -> None:
    ding = tmp_path / "de-en"
    ding.write_text(
        "# version\n"
        "Haus {n} [arch.]; Gebäude {n} | Häuser {pl} :: house; building; hut | houses\n"
        "jdn. sehen :: to see sb.\n",
        encoding="utf-8",
    )
    assert list(ding_entries(ding)) == [("house", "Haus"), ("building", "Haus"), ("houses", "Häuser")]
    free = tmp_path / "freedict-eng-fra.dict.dz"
    with gzip.open(free, "wt", encoding="utf-8") as stream:
        stream.write("house /haʊs/ <n>\n1. maison, demeure\n   note\ntree /tɹiː/\narbre\n")
    assert list(freedict_entries(free)) == [("house", "maison"), ("tree", "arbre")]
    assert write_table(tmp_path / "freedict.fr.tsv.gz", "fr", [free]) == 2
    assert [p[:2] for p in sorted(text.read_pairs(tmp_path, "fr", [tmp_path / "freedict.fr.tsv.gz"]))] == [
        ("house", "maison"),
        ("tree", "arbre"),
    ]
