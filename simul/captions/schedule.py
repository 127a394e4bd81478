"""When each subtitle comes and goes: near its words however fast they were spoken; reading time gives way first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simul.captions.lines import CueRules

_STEPS = 12
_FLASH = 0.04
"""A cue is never shorter than this, one picture of a film, whatever the speech."""


@dataclass(frozen=True)
class Showing:
    """A cue to be shown: the seconds at which its first word begins and its last one ends; those it takes to read."""

    start: float
    end: float
    needed: float


def scheduled(
    showings: Sequence[Showing], rules: CueRules, free: float, over: float | None
) -> list[tuple[float, float]]:
    """Seconds at which cues begin and end, one after the other.

    No cue begins before its first word, nor more than the delay of `rules` after it as long as each cue can have
    `_FLASH`. Within that each has the time that it takes to read, or, where speech is too fast, as much as all can
    have.

    Args:
        showings: in order of time.
        free: before this second the screen is taken.
        over: the end of the recording, where it is known; no cue goes on after it.
    """
    if not showings:
        return []
    least = _least(showings, rules, free, over)
    latest = [showing.start + rules.delay for showing in showings]
    # The last cue is never put off so long that nothing would be left of it if the recording ended with it.
    latest[-1] = min(latest[-1], (showings[-1].end if over is None else over) - least)
    for i in range(len(showings) - 2, -1, -1):
        latest[i] = min(latest[i], latest[i + 1] - least)
    starts = [max(showings[0].start, free)]
    for before, showing, last in zip(showings, showings[1:], latest[1:], strict=False):
        read = starts[-1] + before.needed
        starts.append(max(showing.start, min(read, last), starts[-1] + max(least, _FLASH)))
    found = []
    for i, (start, showing) in enumerate(zip(starts, showings, strict=True)):
        end = min(max(showing.end, start + showing.needed), start + rules.longest)
        following = starts[i + 1] if i + 1 < len(starts) else over
        found.append((start, max(end if following is None else min(end, following), start + _FLASH)))
    return found


def _least(showings: Sequence[Showing], rules: CueRules, free: float, over: float | None) -> float:
    """The longest time, at most that of the shortest cue, that every cue can have without any of them being late."""
    low, high = 0.0, rules.shortest
    if _fits(showings, rules, free, over, high):
        return high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _fits(showings, rules, free, over, middle) else (low, middle)
    return low


def _fits(
    showings: Sequence[Showing], rules: CueRules, free: float, over: float | None, least: float
) -> bool:
    at = free
    for showing in showings:
        start = max(at, showing.start)
        if start > showing.start + rules.delay:
            return False
        at = start + least
    return over is None or at <= over
