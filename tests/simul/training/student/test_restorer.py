"""Training the tagger: words, cases and marks of written English; it sees what the translator will show it."""

from pathlib import Path

import numpy as np
import torch

from simul.models.marian.folder import load
from simul.models.marian.restore import CASES, MARKS, Restorer, write
from simul.training.student.export import quantised, write_part
from simul.training.student.network import StudentEncoder
from simul.training.student.restorer import RestorerConfig, Tagger, examples, features, tag, train_restorer
from simul.training.student.start import read_start
from tests.simul.training.student.toy import sentences

TEXTS = [english for english, _ in sentences()]


def _quiet(done: float, total: int, what: str) -> None:
    pass


def test_words_are_tagged_with_how_they_are_written() -> None:
    found = tag("Where is Ada’s well-known dog, you ask? I know: NATO has it!")
    assert found is not None
    assert found.words == [
        "where",
        "is",
        "ada's",
        "well",
        "known",
        "dog",
        "you",
        "ask",
        "i",
        "know",
        "nato",
        "has",
        "it",
    ]
    assert "".join(CASES[c][0] for c in found.cases) == "clclllllclull"
    assert [MARKS[m] for m in found.marks] == ["", "", "", "", "", ",", "", "?", "", ",", "", "", "."]


def test_texts_whose_words_a_recogniser_would_say_otherwise_are_left_out() -> None:
    assert tag("It is 5 o'clock.") is None
    assert tag("Mr. Smith came.") is None
    assert tag("STOP!") is None
    assert tag("...") is None


def test_writing_what_was_tagged_gives_the_text_back() -> None:
    for text in ("Where is Ada? I know, she left.", "NATO has it.", "The dog sees the king."):
        found = tag(text)
        assert found is not None
        assert write(found.words, found.cases, [MARKS[m] for m in found.marks], True) == text
        assert write(found.words, found.cases, [MARKS[m] for m in found.marks], False) == text[:-1]


def test_examples_are_repeatable_joined_and_cut() -> None:
    config = RestorerConfig(joined=0.5, cut=0.5)
    first = list(examples(TEXTS, config))
    assert first == list(examples(TEXTS, config))
    assert first != list(examples(TEXTS, RestorerConfig(joined=0.5, cut=0.5, seed=2)))
    unknown = [-100 in t.marks for t in first]
    assert 0.3 < np.mean(unknown) < 0.7
    assert all(t.marks.index(-100) == len(t.marks) - 1 for t, cut in zip(first, unknown, strict=True) if cut)
    assert all(len(t.words) == len(t.cases) == len(t.marks) for t in first)


def test_the_tagger_learns_from_what_the_restorer_sees(student: Path, tmp_path: Path) -> None:
    start, students = read_start(student), load(student)
    encoder = StudentEncoder(start.encoder, start.heads)
    tagged = [t for t in map(tag, TEXTS) if t is not None][:6]
    found = features(encoder, start.source, tagged, _quiet, batch=4)
    tagger = Tagger(encoder.width, 8)
    write_part(tmp_path / "restorer.npz", quantised(tagger.arrays().items()))
    restorer = Restorer(tmp_path / "restorer.npz", students.encoder, students.vocabulary)
    order = sorted(range(len(tagged)), key=lambda i: len(tagged[i].words))
    place = 0
    for text in (tagged[i] for i in order):
        words = np.arange(place, place + len(text.words))
        place += len(text.words)
        ids = students.vocabulary.encode(" ".join(text.words))
        seen = restorer.features(ids, len(text.words))
        assert np.allclose(seen, found.seen(words).numpy(), atol=0.02)
        with torch.no_grad():
            scores = tagger(torch.from_numpy(seen)).numpy()
        assert np.abs(restorer.scores(seen) - scores).max() < 0.05
        assert found.cases[words].tolist() == text.cases
    assert place == len(found.rows)


def test_a_restored_text_has_the_same_words(student: Path, tmp_path: Path) -> None:
    config = RestorerConfig(hidden=8, epochs=1, batch=64)
    shares = train_restorer(read_start(student), TEXTS, tmp_path / "restorer.npz", config)
    assert set(shares) == {"cases", "ends precision", "ends recall", "commas precision", "commas recall"}
    assert all(0 <= share <= 1 for share in shares.values())
    students = load(student)
    restorer = Restorer(tmp_path / "restorer.npz", students.encoder, students.vocabulary)
    for text in ("the dog sees the man", "a", "xylophone 'tis  rebecca's king"):
        whole, part = restorer(text), restorer(text, complete=False)
        assert [w.strip(",.?").lower() for w in whole.split()] == text.split()
        assert len(part.split()) == len(text.split())
        assert whole[-1] in ".?"
        assert part[-1] not in ",.?"
    assert restorer("") == ""
