"""Examples: repeatable, other names and numbers alike on both sides, joined pairs, beginnings of both sides."""

from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simul.models.embedded.spoken import spoken_form
from simul.training.student.examples import Maker, Mix, Names, prefix_of, renamed
from simul.training.student.prepared import read_prepared
from simul.training.student.start import processor
from tests.simul.training.student.toy import NAMES

PLAIN = Mix(spoken=0, renamed=0, joined=0, prefix=0, tagged=1)


def _maker(run: Path, student: Path, mix: Mix, seed: int = 1, pool: int = 100) -> Maker:
    sides = processor(student / "source.spm"), processor(run / "de.model")
    return Maker(read_prepared(run, "de"), *sides, mix, seed, pool)


def _plain(examples: list) -> list:
    return [(e.source.tolist(), e.target.tolist(), e.whole, e.tagged) for e in examples]


def test_a_pool_depends_on_seed_epoch_and_number_alone(run: Path, student: Path) -> None:
    first, other = _maker(run, student, Mix()), _maker(run, student, Mix())
    other.pool(3, 2)
    assert _plain(first.pool(1, 2)) == _plain(other.pool(1, 2))
    assert _plain(first.pool(1, 2)) != _plain(first.pool(1, 3))
    assert _plain(first.pool(1, 2)) != _plain(_maker(run, student, Mix(), seed=2).pool(1, 2))


def test_pairs_come_as_often_as_they_weigh(run: Path, student: Path) -> None:
    maker = _maker(run, student, Mix())
    maker.text.weight[:4] = (0.5, 2.0, 0.0, 0.25)
    count = Counter(int(row) for epoch in range(4) for row in maker.order(epoch))
    assert [count[row] for row in range(4)] == [2, 8, 0, 1]
    assert sum(len(maker.pool(1, k)) for k in range(maker.pools(1))) == len(maker.order(1))


def test_without_a_mix_examples_are_the_pairs_as_they_are(run: Path, student: Path) -> None:
    maker = _maker(run, student, PLAIN)
    made = maker.text
    for row, example in zip(maker.order(0)[:100], maker.pool(0, 0), strict=True):
        assert example.source.tolist() == made.written[row].tolist()
        assert example.target.tolist() == made.target[row].tolist()
        assert example.whole
        assert example.tagged == made.machine[row]
    held = {tuple(e.source.tolist()) for e in maker.held_out()}
    assert held.isdisjoint(tuple(e.source.tolist()) for k in range(maker.pools(0)) for e in maker.pool(0, k))


def test_spoken_examples_are_spoken_forms(run: Path, student: Path) -> None:
    source = processor(student / "source.spm")
    maker = _maker(run, student, Mix(spoken=1, renamed=1, joined=0, prefix=0))
    for example in maker.pool(0, 1):
        text = source.decode(example.source.tolist())
        assert text == spoken_form(text)


def test_other_names_and_numbers_are_the_same_on_both_sides(run: Path, student: Path) -> None:
    maker = _maker(run, student, Mix(spoken=0, renamed=1, joined=0, prefix=0, tagged=1))
    source, target = processor(student / "source.spm"), maker.target
    changed = 0
    for example in (e for k in range(maker.pools(0)) for e in maker.pool(0, k)):
        english = source.decode(example.source.tolist()).split()
        german = target.decode(example.target.tolist()).split()
        if "von" in german and not example.tagged:
            changed += 1
            assert (english[0], english[2]) == (german[0], german[2])
            assert len(english[2]) == 3
    assert changed > 20


def test_renaming_keeps_all_else() -> None:
    names = Names(NAMES)
    done = renamed(
        "Gregor paid 350 to Gregor, not 35.", "Gregor zahlte Gregor 350, nicht 35.", names, Random(4)
    )
    assert done is not None
    english, german = (text.replace(",", "").replace(".", "").split() for text in done)
    assert english[0] == english[4] == german[0] == german[2]
    assert (english[2], english[6]) == (german[3], german[5])
    assert english[1] == "paid"
    assert renamed("Nobody paid 1,350.", "Niemand zahlte 1.350.", names, Random(4)) is None
    assert renamed("Gregor went.", "Er ging.", names, Random(4)) is None


@given(st.integers(0, 10**6))
def test_made_up_names_follow_the_letters_of_the_seen_ones(seed: int) -> None:
    name = Names(NAMES).draw(Random(seed))
    seen = {f"^^{n}$"[k : k + 3] for n in NAMES for k in range(len(n) + 1)}
    framed = f"^^{name}$"
    assert {framed[k : k + 3] for k in range(len(framed) - 2)} <= seen
    assert name[0].isupper()


def test_joined_pairs_are_two_pairs(run: Path, student: Path) -> None:
    maker = _maker(run, student, Mix(spoken=0, renamed=0, joined=1, prefix=0))
    source = processor(student / "source.spm")
    ends = [source.decode(e.source.tolist()).count(".") for e in maker.pool(0, 0)]
    german = [maker.target.decode(e.target.tolist()).count(".") for e in maker.pool(0, 0)]
    assert ends == german
    assert set(ends) == {1, 2}


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 10**6))
def test_beginnings_say_no_more_than_their_source(source: int, target: int, seed: int) -> None:
    a, b = np.arange(source, dtype=np.uint16), np.arange(target, dtype=np.uint16)
    cut = prefix_of(a, b, Random(seed))
    if min(source, target) < 10:
        assert cut is None
    elif cut is not None:
        assert np.array_equal(cut[0], a[: len(cut[0])])
        assert np.array_equal(cut[1], b[: len(cut[1])])
        assert len(cut[1]) / target <= len(cut[0]) / source < 1


def test_beginnings_are_marked_as_not_ended(run: Path, student: Path) -> None:
    whole = {(e.source.tobytes(), e.target.tobytes()) for e in _maker(run, student, PLAIN).pool(0, 0)}
    cut = _maker(run, student, Mix(spoken=0, renamed=0, joined=0, prefix=1)).pool(0, 0)
    assert any(not e.whole for e in cut)
    for example in cut:
        assert example.whole == ((example.source.tobytes(), example.target.tobytes()) in whole)
