"""The two dynamic programmes written down as they are defined, cell by cell, to compare the compiled kernel with."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

APART = set(".!?,;:-()。！？，；：—（）ー")


def similarity(a: str, b: str, char_level: bool) -> float:
    """Jaccard index of the characters, or equality; minus infinity between punctuation and anything else."""
    if (a in APART) != (b in APART):
        return float("-inf")
    if char_level:
        return 1.0 if a == b else 0.0
    union = len(set(a) | set(b))
    return len(set(a) & set(b)) / union if union else 0.0


def soft_ops(ref: Sequence[str], hyp: Sequence[str], char_level: bool) -> str:
    """Best alignment as a full table: diagonal if no worse than both gaps, else up if no worse than left, else left."""
    score = [[0.0] * (len(hyp) + 1) for _ in range(len(ref) + 1)]
    back = [["I"] * (len(hyp) + 1) for _ in range(len(ref) + 1)]
    for i in range(1, len(ref) + 1):
        back[i][0] = "D"
        for j in range(1, len(hyp) + 1):
            diagonal = score[i - 1][j - 1] + similarity(ref[i - 1], hyp[j - 1], char_level)
            up, left = score[i - 1][j], score[i][j - 1]
            if diagonal >= up and diagonal >= left:
                score[i][j], back[i][j] = diagonal, "M"
            elif up >= left:
                score[i][j], back[i][j] = up, "D"
            else:
                score[i][j], back[i][j] = left, "I"
    ops, i, j = "", len(ref), len(hyp)
    while i or j:
        step = back[i][j]
        ops = step + ops
        i -= step in "MD"
        j -= step in "MI"
    return ops


def mwer_counts(refs: Sequence[Sequence[str]], hyp: Sequence[str]) -> list[int]:
    """Hypothesis tokens in each segment, with the start of the segment carried along in every cell."""
    cost = list(range(len(hyp) + 1))
    start = [0] * (len(hyp) + 1)
    starts = []
    for ref in refs:
        for token in ref:
            new_cost, new_start = [cost[0] + 1], [0]
            for j in range(1, len(hyp) + 1):
                delete, insert = cost[j] + 1, new_cost[j - 1] + 1
                replace = cost[j - 1] + (token != hyp[j - 1])
                if replace < delete and replace < insert:
                    new_cost.append(replace)
                    new_start.append(start[j - 1])
                elif delete <= insert:
                    new_cost.append(delete)
                    new_start.append(start[j])
                else:
                    new_cost.append(insert)
                    new_start.append(new_start[j - 1])
            cost, start = new_cost, new_start
        starts.append(start)
        cost = [cost[0] + 1, *cost[1:]]
        start = list(range(len(hyp) + 1))
    ends = [len(hyp)]
    for segment_starts in reversed(starts):
        ends.append(segment_starts[ends[-1]])
    ends.reverse()
    return [end - begin for begin, end in pairwise(ends)]


def edit_distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Levenshtein distance."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            above, row[j] = row[j], min(above + (x != y), row[j] + 1, row[j - 1] + 1)
    return row[-1]
