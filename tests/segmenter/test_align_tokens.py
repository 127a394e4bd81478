"""Token alignment: reference vectors, cases worked out by hand, and the definition computed cell by cell.

`python -m tests.segmenter.mutations` changes one comparison, tie rule or sum of the segmenters at a time in a copy
and runs the tests of this folder on it; the list of changes is there. Each was tried and each is found by a test.
"""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmenter import align_tokens
from segmenter.soft import similarity
from tests.segmenter import plain
from tests.vectors import metric_vectors

TOKENS = [
    "a",
    "ab",
    "abc",
    "ba",
    "bcd",
    "the",
    "then",
    ".",
    ",",
    "(",
    "。",
    "—",
    "ー",
    "...",
    "@-@",
    "",
    "天",
    "天地",
]
FULL_TABLE = 1 << 27
ONE_ROW_AT_A_TIME = 1


def test_reference_vectors() -> None:
    """Every path and every segment as OmniSTEval gives them; recordings without reference drop every token."""
    checked = 0
    for _, content in metric_vectors("alignment"):
        for case in content["cases"]:
            tokens = [token for token, _ in case["ref"]]
            numbers = [segment for _, segment in case["ref"]]
            ops, segments = align_tokens(tokens, numbers, case["hyp"], case["char_level"])
            if "error" in case["expected"]:
                assert tokens == []
                assert segments.tolist() == [-1] * len(case["hyp"])
                continue
            expected = [-1 if number is None else number for number in case["expected"]["segment_of_hyp"]]
            assert (ops, segments.tolist()) == (case["expected"]["ops"], expected), case["id"]
            checked += 1
    assert checked > 100


@pytest.mark.parametrize(
    ("ref", "hyp", "ops"),
    [
        ("a", "a", "M"),
        ("a", "b", "M"),  # no similarity at all still beats two gaps
        ("a", "a a", "IM"),  # equal scores: the diagonal comes first, seen from the end
        ("a a", "a", "DM"),
        ("a .", ". a", "IMD"),  # equal gaps: the reference token is passed over before the hypothesis token
        (".", "a", "ID"),  # punctuation never meets a word
        (".", ",", "M"),
        ("x .", "x", "MD"),
        ("ab cd", "xy zw", "MM"),
        ("ab cd", "cd ab cd", "IMM"),
        ("", "a b", "II"),
        ("a b", "", "DD"),
    ],
)
def test_paths_by_hand(ref: str, hyp: str, ops: str) -> None:
    assert align_tokens(ref.split(), [0] * len(ref.split()), hyp.split())[0] == ops


@pytest.mark.parametrize(
    ("ref", "segments", "hyp", "expected"),
    [
        ("ab cd", [0, 1], "ab xy cd", [0, 0, 1]),  # like neither: stays with the word before
        ("ab cd", [0, 1], "ab ce cd", [0, 1, 1]),  # like the next
        ("abx cdx", [0, 1], "abx x cdx", [0, 0, 1]),  # alike both: not strictly more like the next
        ("ab cd", [0, 1], "ab ce xx cd", [0, 1, 1, 1]),  # what follows a token that went forward goes too
        ("hello world", [0, 0], "( well hello world", [-1, 0, 0, 0]),  # leading punctuation has no home
        ("hello world", [0, 0], "zz hello world", [0, 0, 0]),  # an unlike word has one
        ("ab", [3], "ab xy .", [3, 3, 3]),
    ],
)
def test_segments_by_hand(ref: str, segments: list[int], hyp: str, expected: list[int]) -> None:
    assert align_tokens(ref.split(), segments, hyp.split())[1].tolist() == expected


@st.composite
def token_lists(draw: st.DrawFn) -> tuple[list[str], list[int], list[str]]:
    """Reference tokens, their segments, hypothesis tokens; few distinct ones, so that ties abound."""
    some = draw(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=6))
    ref = draw(st.lists(st.sampled_from(some), max_size=12))
    hyp = draw(st.lists(st.sampled_from(some), max_size=12))
    steps = draw(st.lists(st.integers(0, 2), min_size=len(ref), max_size=len(ref)))
    return ref, np.cumsum(steps, dtype=int).tolist() if ref else [], hyp


@settings(max_examples=300)
@given(token_lists(), st.booleans(), st.sampled_from([FULL_TABLE, ONE_ROW_AT_A_TIME, 100]))
def test_path_is_the_defined_one(
    lists: tuple[list[str], list[int], list[str]], char_level: bool, memory_limit: int
) -> None:
    ref, segments, hyp = lists
    ops, found = align_tokens(ref, segments, hyp, char_level, memory_limit)
    assert ops == plain.soft_ops(ref, hyp, char_level)
    assert len(found) == len(hyp)
    assert np.all(np.diff(found) >= 0)
    assert set(found.tolist()) <= {-1, *segments}


@pytest.mark.parametrize("columns", [1, 63, 64, 65, 127, 128, 129, 200])
@pytest.mark.parametrize("char_level", [False, True])
def test_rows_longer_than_the_lanes(columns: int, char_level: bool) -> None:
    """Every length of row around the number of columns worked on side by side."""
    dice = random.Random(columns)
    ref = [dice.choice(TOKENS) for _ in range(40)]
    hyp = [dice.choice(TOKENS) for _ in range(columns)]
    expected = plain.soft_ops(ref, hyp, char_level)
    for memory_limit in (FULL_TABLE, 16 * 3 * 4, ONE_ROW_AT_A_TIME):
        assert align_tokens(ref, [0] * 40, hyp, char_level, memory_limit)[0] == expected


def test_checkpoints_give_the_path_of_the_full_table() -> None:
    """600 x 700 tokens of many lengths, in one piece, in blocks of a few rows, row by row."""
    dice = random.Random(7)
    words = ["".join(dice.choices("abcdefgh", k=dice.randint(1, 6))) for _ in range(80)] + [".", ","]
    ref = dice.choices(words, k=600)
    hyp = [
        dice.choice(words) if dice.random() < 0.3 else word for word in ref for _ in range(dice.randint(0, 2))
    ]
    segments = [number // 12 for number in range(600)]
    ops, found = align_tokens(ref, segments, hyp)
    assert ops == plain.soft_ops(ref, hyp, False)
    for memory_limit in (1, 1000, 10_000, 50_000):
        again, found_again = align_tokens(ref, segments, hyp, memory_limit=memory_limit)
        assert again == ops
        assert found_again.tolist() == found.tolist()


def test_common_and_rare_characters_count_alike() -> None:
    """More than 64 distinct words, so that some characters are stored as lists and others as rows of flags."""
    dice = random.Random(3)
    letters = [chr(0x4E00 + number) for number in range(300)] + ["a", "b"] * 60
    words = ["".join(dice.choices(letters, k=dice.randint(1, 5))) for _ in range(220)]
    ref, hyp = dice.choices(words, k=150), dice.choices(words, k=180)
    assert align_tokens(ref, [0] * 150, hyp)[0] == plain.soft_ops(ref, hyp, False)


@given(st.sampled_from(TOKENS), st.sampled_from(TOKENS), st.booleans())
def test_similarity_is_the_defined_one(a: str, b: str, char_level: bool) -> None:
    assert similarity(a, b, char_level) == plain.similarity(a, b, char_level) == similarity(b, a, char_level)
