"""Other tokens in the place of some of a hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from simul.decoding.interface import Hypothesis


def rewritten(found: Hypothesis, start: int, stop: int, ids: Sequence[int]) -> Hypothesis:
    """A hypothesis with `ids` in the place of its tokens [start, stop); they share what was known of those: the
    log-probability in equal parts, attention row by row.
    """
    count = len(ids)
    rows = [start + min(i, stop - start - 1) for i in range(count)]
    order = [*range(start), *rows, *range(stop, len(found.ids))]
    logprobs = found.logprobs[order].copy()
    logprobs[start : start + count] = found.logprobs[start:stop].sum() / count
    attention = None if found.attention is None else np.asarray(found.attention)[order]
    changed = (*found.ids[:start], *ids, *found.ids[stop:])
    return replace(found, ids=changed, logprobs=logprobs, attention=attention)
