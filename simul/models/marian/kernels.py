"""The compiled arithmetic of a student: float activations, int8 (or float) weights that are widened in registers.

Every row of a batch is computed by the same instructions in the same order, whatever else is in the batch, so a batch
gives to the bit what single calls give. On one core a product reaches some 20 billion multiply-adds a second for one
row as for thirty; OpenBLAS in float32 reaches 12 for one row, and needs four times the memory.
Compiled on first use and kept in the cache folder of numba where one can be written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

EPSILON = np.float32(1e-6)
"""Added to the variance, as Marian does."""


def _compiled(function: Callable) -> Callable:
    options: dict[str, Any] = {"nogil": True, "fastmath": {"reassoc", "contract", "nsz", "arcp"}}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package nor the user's home can hold a cache
        return njit(**options)(function)


@_compiled
def affine(x, values, scale, bias, relu, out):  # type: ignore[no-untyped-def]
    """out[m, n] = x[m] . values[n] * scale[n] + bias[n], or 0 where that is negative and `relu` is set."""
    for n in range(values.shape[0]):
        row = values[n]
        for m in range(x.shape[0]):
            total = np.float32(0)
            for k in range(x.shape[1]):
                total += x[m, k] * np.float32(row[k])
            total = total * scale[n] + bias[n]
            out[m, n] = np.float32(0) if relu and total < 0 else total


@_compiled
def chosen(x, values, scale, bias, rows, out):  # type: ignore[no-untyped-def]
    """The columns `rows` of `affine`: out[m, i] = x[m] . values[rows[i]] * scale[rows[i]] + bias[rows[i]]."""
    for i in range(rows.shape[0]):
        n = rows[i]
        row = values[n]
        for m in range(x.shape[0]):
            total = np.float32(0)
            for k in range(x.shape[1]):
                total += x[m, k] * np.float32(row[k])
            out[m, i] = total * scale[n] + bias[n]


@_compiled
def add_normalise(x, y, scale, bias):  # type: ignore[no-untyped-def]
    """x = layer norm of x + y, row by row, in place."""
    width = x.shape[1]
    for m in range(x.shape[0]):
        mean = np.float32(0)
        for k in range(width):
            x[m, k] += y[m, k]
            mean += x[m, k]
        mean /= np.float32(width)
        variance = np.float32(0)
        for k in range(width):
            x[m, k] -= mean
            variance += x[m, k] * x[m, k]
        factor = np.float32(1) / np.sqrt(variance / np.float32(width) + EPSILON)
        for k in range(width):
            x[m, k] = x[m, k] * factor * scale[k] + bias[k]


@_compiled
def recur(gates, state, chained, out):  # type: ignore[no-untyped-def]
    """The SSRU: state = f state + (1 - f) w in place, out = max(0, state); gates: [m, 2 width], w and then f before
    its sigmoid. chained: the rows are one text, so that only the first state is given."""
    width = state.shape[1]
    for m in range(state.shape[0]):
        before = m - 1 if chained and m else m
        for k in range(width):
            f = np.float32(1) / (np.float32(1) + np.exp(-gates[m, width + k]))
            state[m, k] = f * state[before, k] + (np.float32(1) - f) * gates[m, k]
            out[m, k] = max(np.float32(0), state[m, k])


@_compiled
def attend(queries, keys, values, first, last, heads, out, shares):  # type: ignore[no-untyped-def]
    """Attention of row m on the memory rows first[m] to last[m]; `shares`, where wide enough, gets head 0's weights."""
    size = queries.shape[1] // heads
    factor = np.float32(1) / np.sqrt(np.float32(size))
    longest = 0
    for m in range(queries.shape[0]):
        longest = max(longest, last[m] - first[m])
    weights = np.empty(longest, np.float32)
    for m in range(queries.shape[0]):
        begin, count = first[m], last[m] - first[m]
        for head in range(heads):
            at = head * size
            highest = np.float32(-np.inf)
            for s in range(count):
                total = np.float32(0)
                for k in range(size):
                    total += queries[m, at + k] * keys[begin + s, at + k]
                weights[s] = total * factor
                highest = max(highest, weights[s])
            whole = np.float32(0)
            for s in range(count):
                weights[s] = np.exp(weights[s] - highest)
                whole += weights[s]
            for k in range(size):
                out[m, at + k] = 0
            for s in range(count):
                weights[s] /= whole
                for k in range(size):
                    out[m, at + k] += weights[s] * values[begin + s, at + k]
            if head == 0 and shares.shape[1] >= count:
                for s in range(count):
                    shares[m, s] = weights[s]
