"""Batches: every example once, bounded sizes, labels behind inputs, the same from any position and from processes."""

from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simul.training.student.batches import NOT_ASKED, NOTHING, Position, Shapes, make_batches, rows_of
from simul.training.student.examples import Example, Mix
from simul.training.student.feed import BatchRecipe, Feed
from simul.training.student.prepared import EOS, UNKNOWN

EXAMPLES = st.lists(
    st.builds(
        lambda s, t, whole, tagged: Example(np.array(s, np.uint16), np.array(t, np.uint16), whole, tagged),
        st.lists(st.integers(2, 9), min_size=1, max_size=12),
        st.lists(st.integers(2, 9), min_size=1, max_size=12),
        st.booleans(),
        st.booleans(),
    ),
    max_size=30,
)


@given(EXAMPLES, st.integers(8, 120), st.sampled_from([1, 4]), st.booleans())
def test_batches_hold_every_example_once(examples: list, tokens: int, step: int, fixed: bool) -> None:
    shapes = Shapes(tokens, step=step, fixed=fixed)
    found = []
    for batch in make_batches(examples, shapes, EOS, Random(1)):
        rows, height = batch.source.shape
        width = batch.labels.shape[1]
        assert height % step == width % step == 0
        assert rows <= rows_of(shapes, height, width)
        if fixed:
            assert rows == rows_of(shapes, height, width)
        for source, length, inputs, labels in zip(*batch, strict=True):
            if length == 1:
                assert (labels == NOT_ASKED).all()
                continue
            asked = labels[labels != NOT_ASKED]
            whole = bool(asked[-1] == EOS)
            target = asked[:-1] if whole else asked
            assert (inputs[1 : len(target) + 1] == target).all()
            assert inputs[0] in (NOTHING, UNKNOWN)
            assert (source[length - 1 :] == EOS).all()
            found.append((source[: length - 1].tolist(), target.tolist(), whole, inputs[0] == UNKNOWN))
    expected = [(e.source.tolist(), e.target.tolist(), e.whole, e.tagged) for e in examples]
    assert sorted(found) == sorted(expected)


def _recipe(run: Path, student: Path) -> BatchRecipe:
    return BatchRecipe(run, student / "source.spm", Mix(), Shapes(300), seed=3, pool=60)


def _take(feed: Feed, start: Position, count: int) -> list:
    return [
        (position, [part.tolist() for part in batch])
        for position, batch in islice(feed.batches("de", start), count)
    ]


def test_a_run_goes_on_with_the_same_batches_from_any_position(run: Path, student: Path) -> None:
    recipe = _recipe(run, student)
    with Feed(recipe, {"de": recipe.maker("de")}) as feed:
        whole = _take(feed, Position(), 90)
        assert len({position.epoch for position, _ in whole}) > 1
        for stop in (0, 1, 17, 44, 88):
            start = whole[stop - 1][0] if stop else Position()
            assert _take(feed, start, 90 - stop) == whole[stop:]


def test_other_processes_give_the_same_batches(run: Path, student: Path) -> None:
    recipe = _recipe(run, student)
    makers = {"de": recipe.maker("de")}
    with Feed(recipe, makers) as here, Feed(recipe, makers, workers=1) as ahead:
        start = Position(1, 2, 1)
        assert _take(ahead, start, 25) == _take(here, start, 25)
