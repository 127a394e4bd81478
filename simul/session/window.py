"""What is committed in the current segment, and when its audio window is cut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policies.base import Candidate
from simul.backends.base import Limits
from simul.text import join

CONTEXT_CHARACTERS = 200
CONTEXT_IDS = 224
"""Half of the positions of Whisper's decoder, the largest context that any model here takes."""


class Window:
    """Committed tokens of the current segment: the prefix that the next pass is forced to continue.

    When the audio window outgrows the backend's soft limit, it is cut at the end of a committed token, never
    inside audio whose text is not committed; text whose audio has gone leaves the prefix and becomes context.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.tokens: list[str] = []
        self.ids: list[int] = []
        self._ends: list[int | None] = []
        self.context = ""
        self.context_ids: list[int] = []
        self._cut = 0

    def dump(self) -> dict[str, Any]:
        """All that changes, as plain JSON values."""
        return {
            "tokens": self.tokens.copy(),
            "ids": self.ids.copy(),
            "ends": self._ends.copy(),
            "context": self.context,
            "context_ids": self.context_ids.copy(),
            "cut": self._cut,
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Go on from what `dump` gave."""
        self.tokens, self.ids = list(dumped["tokens"]), list(dumped["ids"])
        self._ends, self._cut = list(dumped["ends"]), dumped["cut"]
        self.context, self.context_ids = dumped["context"], list(dumped["context_ids"])

    def commit(self, candidate: Candidate, chosen: list[int]) -> None:
        """Add the candidate's tokens at the indices `chosen`."""
        self.tokens += [candidate.tokens[i] for i in chosen]
        if candidate.ids:
            self.ids += [candidate.ids[i] for i in chosen]
        times = candidate.times
        self._ends += [None if times is None else int(times[i, 1]) for i in chosen]

    def retract(self, count: int) -> None:
        """Take the last `count` tokens back."""
        if count:
            del self.tokens[-count:], self.ids[-count:], self._ends[-count:]

    def forget(self, count: int | None = None) -> list[str]:
        """The first `count` tokens (None: all), which leave the prefix and become context."""
        gone = self.tokens[:count]
        self.context = (self.context + join(gone))[-CONTEXT_CHARACTERS:]
        self.context_ids = [*self.context_ids, *self.ids[:count]][-CONTEXT_IDS:]
        del self.tokens[:count], self.ids[:count], self._ends[:count]
        return gone

    def drop_context(self) -> None:
        """Forget the text before the prefix."""
        self.context, self.context_ids = "", []

    def over_hard_limit(self, start: int, heard: int) -> bool:
        """Whether the window from `start` to `heard` must be cut now."""
        hard = self._limits.hard_window
        return hard is not None and heard - max(start, self._cut) > hard

    def trimmed(self, cut: int) -> None:
        """Audio before `cut` has been forgotten."""
        self._cut = max(self._cut, cut)

    def cut(self, start: int, heard: int) -> tuple[int, int] | None:
        """Where the window from `start` to `heard` is to be cut, if it is too long.

        The sample before which audio is to be forgotten, and how many tokens leave the prefix with it. Above
        the soft limit that is the end of the newest committed token whose time is known; above the hard limit,
        where everything has been committed by force, it is all that was heard.
        """
        soft, start = self._limits.soft_window, max(start, self._cut)
        if self.over_hard_limit(start, heard):
            return heard, len(self.tokens)
        if soft is None or heard - start <= soft:
            return None
        for index in range(len(self.tokens) - 1, -1, -1):
            end = self._ends[index]
            if end is not None and start < end <= heard:
                return end, index + 1
        return None
