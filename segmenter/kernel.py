"""The compiled dynamic programme behind both segmenters, and the walk back through its decisions.

Rows are reference tokens (or boundaries between segments), columns are hypothesis tokens, gaps are free:

    S(i, j) = max(S(i-1, j-1) + similarity(i, j), S(i-1, j), S(i, j-1))

Every sum is one IEEE double addition of the diagonal value and the similarity, so ties fall as the definition
says.

A row is cut into ``LANES`` stretches of K columns that stand side by side in memory: column j (from 0) is
found at ``(j % K) * LANES + j // K``. Neighbours are then ``LANES`` places apart, so the compiler can work on
many columns at once although S(i, j) depends on S(i, j-1): a first pass finds the maximum of each lane, the
maxima carry over from lane to lane, and a second pass takes the running maxima from there. Maxima are exact,
so the order in which they are taken changes nothing. In front of a row stands the value left of each lane.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from segmenter.steps import BOUNDARY, DELETE, INSERT, MATCH

LANES = 64
"""Columns worked on side by side; a multiple of the doubles in any vector register."""


def _compiled(function: Callable) -> Callable:
    """Compile on first use and keep the machine code for later runs where a cache folder can be written."""
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither the package nor the user's home can hold a cache
        return njit(nogil=True)(function)


@_compiled
def _similarity_row(  # type: ignore[no-untyped-def]
    features,
    punctuation,
    bonus,
    common_rows,
    common,
    rare_starts,
    rare,
    hyp_size,
    hyp_punctuation,
    shared,
    out,
):
    """Jaccard index of a reference token's features with those of each hypothesis type, + bonus."""
    types = hyp_size.shape[0]
    for t in range(types):
        shared[t] = 0
    for feature in features:
        if common_rows[feature] >= 0:
            members = common[common_rows[feature]]
            for t in range(types):
                shared[t] += members[t]
        for x in range(rare_starts[feature], rare_starts[feature + 1]):
            shared[rare[x]] += 1
    size = np.int32(features.shape[0])
    for t in range(types):
        union = size + hyp_size[t] - shared[t]
        union = union if union > 1 else np.int32(1)
        value = bonus + np.float64(shared[t]) / np.float64(union)
        out[t] = value if hyp_punctuation[t] == punctuation else -np.inf


@_compiled
def advance(  # type: ignore[no-untyped-def]
    rows, column0, columns, values, bits, margin, ref_starts, ref_features, ref_punctuation, bonus,
    common_rows, common, rare_starts, rare, hyp_size, hyp_punctuation
):  # fmt: skip
    """Work through ``rows`` from the row of scores ``values``, which is overwritten with the last one.

    rows: int32[n], distinct reference token of each row, -1 for a segment boundary.
    column0: float64[n], S(i, 0) of each row.
    columns: uint32[K * LANES] in lane order, distinct hypothesis tokens; padding is one that fits nothing.
    values: float64[(K + 1) * LANES]; bits: uint8[n, K * LANES / 4] receives two bits a cell, or uint8[0, 0].
    margin: how much the diagonal must exceed both gaps (0 takes it on a tie).
    The rest describes distinct tokens: ``path.Types``.
    """
    cells = columns.shape[0]
    quarter = cells // 4
    shared = np.zeros(hyp_size.shape[0], np.int32)
    by_type = np.empty(hyp_size.shape[0], np.float64)
    similarity = np.empty(cells, np.float64)
    diagonal = np.empty(cells, np.float64)
    step = np.empty(cells, np.uint8)
    peak = np.empty(LANES, np.float64)
    for row in range(rows.shape[0]):
        kind = rows[row]
        if kind < 0:
            values[0] = column0[row]
            continue
        features = ref_features[ref_starts[kind] : ref_starts[kind + 1]]
        _similarity_row(features, ref_punctuation[kind], bonus, common_rows, common, rare_starts, rare,
                        hyp_size, hyp_punctuation, shared, by_type)  # fmt: skip
        for here in range(cells):
            similarity[np.uint32(here)] = by_type[columns[np.uint32(here)]]
        peak[:] = -np.inf
        for start in range(0, cells, LANES):
            for lane in range(LANES):
                here = np.uint32(start + lane)
                diag = values[here] + similarity[here]
                up = values[here + np.uint32(LANES)]
                best = diag if diag > up else up
                diagonal[here] = diag
                peak[lane] = best if best > peak[lane] else peak[lane]
        carry = column0[row]
        for lane in range(LANES):
            values[lane] = carry
            carry = peak[lane] if peak[lane] > carry else carry
        for start in range(0, cells, LANES):
            for lane in range(LANES):
                here = np.uint32(start + lane)
                left = values[here]
                up = values[here + np.uint32(LANES)]
                diag = diagonal[here]
                gap = up if up >= left else left
                values[here + np.uint32(LANES)] = diag if diag >= gap else gap
                gap_step = np.uint8(DELETE) if up >= left else np.uint8(INSERT)
                step[here] = np.uint8(MATCH) if diag - margin >= gap else gap_step
        if bits.shape[0] > 0:
            for x in range(quarter):
                bits[row, x] = (
                    step[x] | step[x + quarter] << 2 | step[x + 2 * quarter] << 4 | step[x + 3 * quarter] << 6
                )


@_compiled
def walk_back(rows, bits, lane_length, column, steps, filled):  # type: ignore[no-untyped-def]
    """Follow the decisions in ``bits`` from the last row at ``column`` to the row above the first.

    steps: uint8 array filled from its end, of which ``filled`` places are taken. Returns (column, filled).
    """
    quarter = bits.shape[1]
    last = steps.shape[0] - 1
    row = rows.shape[0] - 1
    while row >= 0:
        if rows[row] < 0:
            move = BOUNDARY
        elif column == 0:
            move = DELETE
        else:
            cell = (column - 1) % lane_length * LANES + (column - 1) // lane_length
            move = bits[row, cell % quarter] >> (2 * (cell // quarter)) & 3
        steps[last - filled] = move
        filled += 1
        if move != INSERT:
            row -= 1
        if move in (MATCH, INSERT):
            column -= 1
    return column, filled


def to_lanes(row: NDArray, columns: int) -> NDArray:
    """The first ``columns`` + 1 values of a row that starts with S(i, 0), in the order ``advance`` wants."""
    lane_length = -(-columns // LANES)
    padded = np.full(lane_length * LANES + 1, row[columns])
    padded[: columns + 1] = row[: columns + 1]
    out = np.empty((lane_length + 1, LANES))
    out[0] = padded[0:-1:lane_length]
    out[1:] = padded[1:].reshape(LANES, lane_length).T
    return out.reshape(-1)


def from_lanes(values: NDArray, columns: int) -> NDArray:
    """Inverse of ``to_lanes``: a row of ``columns`` + 1 values in natural order."""
    table = values.reshape(-1, LANES)
    return np.concatenate((table[0, :1], table[1:].T.reshape(-1)[:columns]))
