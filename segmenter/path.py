"""The best path between two token sequences: describes distinct tokens to the kernel and keeps memory in bounds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DEFAULT_MEMORY_LIMIT = 128 * 2**20
"""Bytes of back-pointers kept at a time; longer recordings recompute rows from checkpoints."""


@dataclass(frozen=True)
class Scoring:
    """How two tokens compare: Jaccard index of their features plus ``bonus``, -inf across the ``apart`` border.

    features: token -> the set compared. apart: tokens that only meet each other.
    margin: amount by which a match must exceed both gaps; 0 prefers a match on a tie.
    """

    features: Callable[[str], Collection[Hashable]]
    apart: frozenset[str] = frozenset()
    bonus: float = 0.0
    margin: float = 0.0


@dataclass(frozen=True)
class _Types:
    """Distinct tokens on both sides, as index arrays."""

    ref_starts: NDArray[np.int32]
    ref_features: NDArray[np.int32]
    ref_apart: NDArray[np.int8]
    bonus: float
    posting_starts: NDArray[np.int32]
    postings: NDArray[np.int32]
    hyp_size: NDArray[np.int32]
    hyp_apart: NDArray[np.int8]

    def arguments(self) -> tuple:
        """The fields in the order of the kernel's parameters."""
        return tuple(self.__dict__.values())


def best_path(
    rows: Sequence[str | None],
    hypothesis: Sequence[str],
    scoring: Scoring,
    column0: NDArray[np.float64] | None = None,
    memory_limit: int = DEFAULT_MEMORY_LIMIT,
) -> NDArray[np.uint8]:
    """The path of highest total similarity, as steps of ``segmenter.kernel`` from left to right.

    rows: reference tokens, None for a boundary that costs nothing and copies the row above.
    column0: S(i, 0) for i = 0..len(rows); zeros when not given. S(0, j) is always 0.
    Time len(rows) x len(hypothesis); memory two bits a cell up to ``memory_limit`` bytes. Above it the rows are cut
    into blocks whose first row of scores is kept, and each block is worked out again when the path reaches it.
    """
    from segmenter import kernel

    n, m = len(rows), len(hypothesis)
    if column0 is None:
        column0 = np.zeros(n + 1)
    if m == 0 or n == 0:
        moves = [kernel.BOUNDARY if token is None else kernel.DELETE for token in rows]
        return np.array(moves + [kernel.INSERT] * m, np.uint8)
    row_types, hyp_types, types = _describe(rows, hypothesis, scoring)
    row_bytes = -(-m // kernel.LANES) * kernel.LANES // 4
    height = max(1, memory_limit // row_bytes)
    starts = list(range(0, n, height))
    checkpoints = [np.zeros(m + 1)]
    checkpoints[0][0] = column0[0]
    none = np.empty((0, 0), np.uint8)

    def advance(start: int, stop: int, columns: int, row: NDArray, bits: NDArray) -> NDArray:
        values = kernel.to_lanes(row, columns)
        order = _lane_order(hyp_types[:columns], len(types.hyp_size) - 1, kernel.LANES)
        kernel.advance(
            row_types[start:stop], column0[start + 1 : stop + 1], order, values, bits, scoring.margin,
            *types.arguments()
        )  # fmt: skip
        return values

    for start in starts[:-1]:
        values = advance(start, start + height, m, checkpoints[-1], none)
        checkpoints.append(kernel.from_lanes(values, m))
    steps, filled, column = np.empty(n + m, np.uint8), 0, m
    table = np.empty(min(height, n) * row_bytes, np.uint8)
    for start in reversed(starts):
        stop = min(start + height, n)
        row = checkpoints.pop()
        lane_length = -(-column // kernel.LANES)
        width = lane_length * kernel.LANES // 4
        bits = table[: (stop - start) * width].reshape(stop - start, width)
        if column:
            advance(start, stop, column, row, bits)
        column, filled = kernel.walk_back(row_types[start:stop], bits, lane_length, column, steps, filled)
    rest = steps[n + m - filled :]
    return np.concatenate((np.full(column, kernel.INSERT, np.uint8), rest))


def _describe(
    rows: Sequence[str | None], hypothesis: Sequence[str], scoring: Scoring
) -> tuple[NDArray[np.int32], NDArray[np.uint32], _Types]:
    """Numbers for the distinct tokens of each side and their features; one more hypothesis type fits nothing."""
    ref_ids: dict[str, int] = {}
    hyp_ids: dict[str, int] = {}
    row_types = [-1 if token is None else ref_ids.setdefault(token, len(ref_ids)) for token in rows]
    hyp_types = [hyp_ids.setdefault(token, len(hyp_ids)) for token in hypothesis]
    feature_ids: dict[Hashable, int] = {}
    postings: list[list[int]] = []
    hyp_size = []
    for number, token in enumerate(hyp_ids):
        features = set(scoring.features(token))
        hyp_size.append(len(features))
        for feature in features:
            place = feature_ids.setdefault(feature, len(postings))
            if place == len(postings):
                postings.append([])
            postings[place].append(number)
    # Features the hypothesis never shows still count in the union: each keeps an empty list of postings.
    ref_features: list[list[int]] = []
    for token in ref_ids:
        places = []
        for feature in set(scoring.features(token)):
            place = feature_ids.setdefault(feature, len(postings))
            if place == len(postings):
                postings.append([])
            places.append(place)
        ref_features.append(places)
    types = _Types(
        _offsets(ref_features),
        _flat(ref_features),
        np.array([token in scoring.apart for token in ref_ids], np.int8),
        scoring.bonus,
        _offsets(postings),
        _flat(postings),
        np.array([*hyp_size, 0], np.int32),
        np.array([*(token in scoring.apart for token in hyp_ids), -1], np.int8),
    )
    return np.array(row_types, np.int32), np.array(hyp_types, np.uint32), types


def _offsets(lists: list[list[int]]) -> NDArray[np.int32]:
    return np.cumsum([0, *map(len, lists)], dtype=np.int32)


def _flat(lists: list[list[int]]) -> NDArray[np.int32]:
    return np.array([number for numbers in lists for number in numbers], np.int32)


def _lane_order(hyp_types: NDArray[np.uint32], padding: int, lanes: int) -> NDArray[np.uint32]:
    """Columns in the kernel's order, the last lane filled up with the type that fits nothing."""
    lane_length = -(-len(hyp_types) // lanes)
    padded = np.full(lane_length * lanes, padding, np.uint32)
    padded[: len(hyp_types)] = hyp_types
    return np.ascontiguousarray(padded.reshape(lanes, lane_length).T).reshape(-1)
