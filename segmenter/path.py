"""The best path between two token sequences: describes tokens to the kernel and keeps memory in bounds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmenter.steps import BOUNDARY, DELETE, INSERT

DEFAULT_MEMORY_LIMIT = 128 * 2**20
"""Bytes of back-pointers kept at a time; longer recordings recompute rows from checkpoints."""

COMMON = 64
"""A feature that one in so many distinct hypothesis tokens has is stored as a row of flags, not as a list."""


@dataclass(frozen=True)
class Scoring:
    """How two tokens compare: Jaccard index of their features + ``bonus``, -inf across the ``apart`` border.

    features: token -> the set compared. apart: tokens that only meet each other.
    margin: amount by which a match must exceed both gaps; 0 prefers a match on a tie.
    """

    features: Callable[[str], Collection[Hashable]]
    apart: frozenset[str] = frozenset()
    bonus: float = 0.0
    margin: float = 0.0


@dataclass(frozen=True)
class Types:
    """Distinct tokens on both sides and their features, numbered. The last hypothesis type fits nothing."""

    ref_starts: NDArray[np.int32]
    """Where the features of each reference type start in ``ref_features``."""
    ref_features: NDArray[np.int32]
    ref_apart: NDArray[np.int8]
    """1 for reference types of the ``apart`` set."""
    bonus: float
    common_rows: NDArray[np.int32]
    """Row of each feature in ``common``, -1 for rare features."""
    common: NDArray[np.uint8]
    """1 where a hypothesis type (column) has a common feature (row)."""
    rare_starts: NDArray[np.int32]
    """Where the hypothesis types of each feature start in ``rare``."""
    rare: NDArray[np.int32]
    hyp_size: NDArray[np.int32]
    """Number of features of each hypothesis type."""
    hyp_apart: NDArray[np.int8]
    """1 for hypothesis types of the ``apart`` set, -1 for the one that fits nothing."""

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
    """The path of highest total similarity, as steps from left to right.

    rows: reference tokens; None is a boundary, which costs nothing and copies the row above.
    column0: S(i, 0) for i = 0..len(rows), first 0; zeros when not given. S(0, j) is always 0.
    Takes time len(rows) x len(hypothesis) and two bits a cell up to ``memory_limit`` bytes. Above it the rows
    are cut into blocks whose first scores are kept, and a block is worked out again when the path reaches it.
    """
    n, m = len(rows), len(hypothesis)
    if column0 is None:
        column0 = np.zeros(n + 1)
    if m == 0 or n == 0:
        moves = [BOUNDARY if token is None else DELETE for token in rows]
        return np.array(moves + [INSERT] * m, np.uint8)
    from segmenter import kernel  # late, because it loads the compiler

    row_types, hyp_types, types = _describe(rows, hypothesis, scoring)
    row_bytes = -(-m // kernel.LANES) * kernel.LANES // 4
    height = max(1, memory_limit // row_bytes)
    starts = list(range(0, n, height))
    checkpoints = [np.zeros(m + 1)]
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
    return np.concatenate((np.full(column, INSERT, np.uint8), rest))


def _describe(
    rows: Sequence[str | None], hypothesis: Sequence[str], scoring: Scoring
) -> tuple[NDArray[np.int32], NDArray[np.uint32], Types]:
    """Type of each row (-1 = boundary), type of each hypothesis token, and what the types look like."""
    ref_ids: dict[str, int] = {}
    hyp_ids: dict[str, int] = {}
    row_types = [-1 if token is None else ref_ids.setdefault(token, len(ref_ids)) for token in rows]
    hyp_types = [hyp_ids.setdefault(token, len(hyp_ids)) for token in hypothesis]
    numbers: dict[Hashable, int] = {}
    ref_features, hyp_features = (
        [[numbers.setdefault(f, len(numbers)) for f in set(scoring.features(token))] for token in ids]
        for ids in (ref_ids, hyp_ids)
    )
    members: list[list[int]] = [[] for _ in numbers]
    for number, features in enumerate(hyp_features):
        for feature in features:
            members[feature].append(number)
    frequent = [feature for feature, who in enumerate(members) if len(who) * COMMON > len(hyp_ids)]
    common_rows = np.full(len(numbers), -1, np.int32)
    common_rows[frequent] = np.arange(len(frequent))
    common = np.zeros((len(frequent), len(hyp_ids) + 1), np.uint8)
    for place, feature in enumerate(frequent):
        common[place, members[feature]] = 1
        members[feature] = []
    types = Types(
        _offsets(ref_features),
        _flat(ref_features),
        np.array([token in scoring.apart for token in ref_ids], np.int8),
        scoring.bonus,
        common_rows,
        common,
        _offsets(members),
        _flat(members),
        np.array([*map(len, hyp_features), 0], np.int32),
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
