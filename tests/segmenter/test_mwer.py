"""mWER segmentation: reference vectors, the definition computed cell by cell, and its smallest distance."""

from __future__ import annotations

import random
from itertools import combinations_with_replacement, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmenter import MwerSegmenter, SegmenterError
from tests.segmenter import plain
from tests.vectors import metric_vectors

WORDS = st.sampled_from(["the", "dog", "c", ".", "übung"])
SEGMENTS = st.lists(st.lists(WORDS, max_size=5), min_size=1, max_size=4)


def test_reference_vectors() -> None:
    """Units in each segment as mweralign gives them; of an empty last reference it says nothing, we say 0."""
    checked = 0
    for _, content in metric_vectors("mwer"):
        for case in content["cases"]:
            counts = MwerSegmenter().align(case["refs"], case["hyp"]).units_per_segment()
            assert len(counts) == len(case["refs"])
            if "error" not in case["expected"]:
                expected = case["expected"]["units_per_segment"]
                assert counts == expected + [0] * (len(counts) - len(expected)), case["id"]
                checked += 1
    assert checked >= 35


@pytest.mark.parametrize(
    ("refs", "hyp", "counts"),
    [
        (["a b", "c d"], "a b c d", [2, 2]),
        (["a b", "c d"], "A B C D", [2, 2]),  # ASCII case does not count
        (["ü a", "ü ü"], "ü Ü", [2, 0]),  # other case does: [1, 1] if Ü were ü
        (["a", "a"], "a", [1, 0]),
        (["a", "", "b"], "a b", [1, 0, 1]),
        (["", "a"], "a", [0, 1]),
        (["a", ""], "a b", [2, 0]),
        (["a b", "c"], "", [0, 0]),
        (["c The The Übung übung übung c", "c", "The Übung übung"], "übung", [1, 0, 0]),
        (["", ""], "a b", [2, 0]),
    ],
)
def test_counts_by_hand(refs: list[str], hyp: str, counts: list[int]) -> None:
    alignment = MwerSegmenter().align(refs, hyp)
    assert alignment.units_per_segment() == counts
    assert alignment.dropped == []


@settings(max_examples=300)
@given(SEGMENTS, st.lists(WORDS, max_size=14), st.sampled_from([1 << 27, 1, 60]))
def test_segmentation_is_the_defined_one(refs: list[list[str]], hyp: list[str], memory_limit: int) -> None:
    alignment = MwerSegmenter(memory_limit=memory_limit).align([" ".join(ref) for ref in refs], hyp)
    assert alignment.units_per_segment() == plain.mwer_counts(refs, hyp)
    assert alignment.ops.count("M") + alignment.ops.count("I") == len(hyp)
    assert alignment.ops.count("M") + alignment.ops.count("D") == sum(map(len, refs))


@settings(max_examples=60)
@given(
    st.lists(st.lists(WORDS, min_size=1, max_size=3), min_size=1, max_size=3),
    st.lists(WORDS, min_size=1, max_size=7),
)
def test_no_other_boundaries_cost_less(refs: list[list[str]], hyp: list[str]) -> None:
    """The cost is the edit distance plus one for each segment that ends before the first word."""
    counts = MwerSegmenter().align([" ".join(ref) for ref in refs], hyp).units_per_segment()
    ends = tuple(sum(counts[: number + 1]) for number in range(len(counts) - 1))

    def cost(inner: tuple[int, ...]) -> int:
        spans = zip(refs, pairwise([0, *inner, len(hyp)]), strict=True)
        return inner.count(0) + sum(plain.edit_distance(ref, hyp[begin:end]) for ref, (begin, end) in spans)

    assert cost(ends) == min(map(cost, combinations_with_replacement(range(len(hyp) + 1), len(refs) - 1)))


def test_long_rows_and_blocks() -> None:
    dice = random.Random(5)
    refs = [dice.choices("abcde", k=dice.randint(0, 12)) for _ in range(30)]
    hyp = [dice.choice("abcde") if dice.random() < 0.3 else token for ref in refs for token in ref]
    expected = plain.mwer_counts(refs, hyp)
    for memory_limit in (1 << 27, 500, 1):
        found = MwerSegmenter(memory_limit=memory_limit).align([" ".join(ref) for ref in refs], hyp)
        assert found.units_per_segment() == expected


def test_characters_join_runs_of_latin() -> None:
    """Units are code points; a run of Latin-1 is one token and stays in one segment."""
    alignment = MwerSegmenter(char_level=True).align(["天地 abc", "人"], "天 abd人")
    assert alignment.tokens == ["天", " abd", "人"]
    assert alignment.unit_of_token.tolist() == [0, 1, 5]
    assert alignment.units_per_segment() == [5, 1]
    assert alignment.texts("") == ["天 abd", "人"]


def test_without_references_every_unit_is_dropped() -> None:
    assert MwerSegmenter().align([], "a b").dropped == [0, 1]


def test_a_single_text_is_refused() -> None:
    with pytest.raises(SegmenterError, match="list with one text for each segment"):
        MwerSegmenter().align("a b", "a b")
