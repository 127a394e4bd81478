"""Similarity of two texts by insertions and deletions, as the consensus policy compares segments."""

from __future__ import annotations

from operator import eq


def ratio(a: str, b: str) -> float:
    """1 - d / (len(a) + len(b)), d being the fewest insertions and deletions that turn `a` into `b`; empties give 1.

    d is len(a) + len(b) minus twice the longest common subsequence, which is counted on the bits of integers
    (Hyyrö 2004), one step per character of `b`.
    """
    total = len(a) + len(b)
    if not total:
        return 1.0
    return 2 * longest_common_subsequence(a, b) / total


def longest_common_subsequence(a: str, b: str) -> int:
    """The length of the longest common subsequence of two strings."""
    begin, end = 0, min(len(a), len(b))
    while begin < end and a[begin] == b[begin]:
        begin += 1
    same = 0
    while same < end - begin and a[-1 - same] == b[-1 - same]:
        same += 1
    a, b = a[begin : len(a) - same], b[begin : len(b) - same]
    places: dict[str, int] = {}
    for i, character in enumerate(a):
        places[character] = places.get(character, 0) | 1 << i
    full = (1 << len(a)) - 1
    row = full
    for character in b:
        found = row & places.get(character, 0)
        row = (row + found | row - found) & full
    return begin + same + len(a) - row.bit_count()


def resembles(a: str, b: str, least: float) -> bool:
    """Whether `ratio(a, b) >= least`, exactly, without counting where bounds of the subsequence already tell."""
    total = len(a) + len(b)
    if not total:
        return least <= 1
    if 2 * min(len(a), len(b)) / total < least:
        return False
    if 2 * sum(map(eq, a, b)) / total >= least:
        return True
    return ratio(a, b) >= least
