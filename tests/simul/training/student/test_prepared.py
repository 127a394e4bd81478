"""Pairs as pieces: equal text gives equal arrays, what is kept out has no weight, forms match the text."""

from pathlib import Path

import numpy as np
import pytest

from simul.errors import SimulError
from simul.models.embedded.spoken import spoken_form
from simul.training.student.prepared import LONGEST, Prepared, prepare, read_prepared, shared_names
from simul.training.student.start import processor
from simul.training.student.text import SHARES, Pair, read_pairs
from tests.simul.training.student.toy import NAMES, TARGET_PIECES


def _same(a: Prepared, b: Prepared) -> bool:
    sides = ("written", "spoken", "target")
    arrays = ("weight", "machine", "held_out")
    return (
        all(np.array_equal(x, y) for s in sides for x, y in zip(getattr(a, s), getattr(b, s), strict=True))
        and all(np.array_equal(getattr(a, n), getattr(b, n)) for n in arrays)
        and a.names == b.names
    )


def test_equal_text_gives_equal_files(text: Path, student: Path, run: Path, tmp_path: Path) -> None:
    again = prepare(tmp_path, "de", read_pairs(text, "de"), processor(student / "source.spm"), TARGET_PIECES)
    assert _same(again, read_prepared(run, "de"))
    for name in ("de.model", "de.npz"):
        assert (tmp_path / name).read_bytes() == (run / name).read_bytes()


def test_pieces_spell_the_pairs(text: Path, student: Path, run: Path) -> None:
    source, target = processor(student / "source.spm"), processor(run / "de.model")
    made, pairs = read_prepared(run, "de"), read_pairs(text, "de")
    assert len(made) == len(pairs)
    for index in range(0, len(pairs), 17):
        pair = pairs[index]
        assert made.written[index].tolist() == source.encode(pair.source)
        assert made.spoken[index].tolist() == source.encode(spoken_form(pair.source))
        assert made.target[index].tolist() == target.encode(pair.target)
        assert made.machine[index] == pair.machine


def test_pairs_kept_out_are_human_and_have_no_weight(text: Path, run: Path) -> None:
    made, pairs = read_prepared(run, "de"), read_pairs(text, "de")
    assert len(set(made.held_out.tolist())) == len(made.held_out) == sum(not p.machine for p in pairs) // 10
    assert not made.machine[made.held_out].any()
    assert (made.weight[made.held_out] == 0).all()
    rest = np.delete(np.arange(len(made)), made.held_out)
    assert made.weight[rest].tolist() == [SHARES["pivot"].weight if pairs[i].machine else 1.0 for i in rest]


def test_long_pairs_are_left_out(student: Path, run: Path, tmp_path: Path) -> None:
    (tmp_path / "de.model").write_bytes((run / "de.model").read_bytes())
    pairs = [Pair("dog " * LONGEST + "dog", "Hund", "x", False), Pair("dog", "Hund", "x", False)]
    made = prepare(tmp_path, "de", pairs, processor(student / "source.spm"))
    assert len(made) == len(made.weight) == 1


def test_names_stand_on_both_sides_and_hardly_ever_in_lower_case(run: Path) -> None:
    assert set(read_prepared(run, "de").names) == set(NAMES)
    both = [Pair("Will Montague go?", "Geht Will Montague?", "x", False)]
    assert shared_names(both + [Pair("i will go", "ich gehe", "x", False)] * 3) == ("Montague",)


def test_text_that_was_not_prepared_is_named(tmp_path: Path) -> None:
    with pytest.raises(SimulError, match="prepare"):
        read_prepared(tmp_path, "es")
