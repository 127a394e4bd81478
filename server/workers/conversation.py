"""Two languages in turn: every utterance in one of them is told in the other as soon as it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from simul.session.events import Event, SegmentEnd, Settled
from simul.units import Samples

Retell = Callable[[str, Samples, str, str], str]
"""An utterance in another language: its text, its audio, its language, the other one."""


class Conversation:
    """Adds to the events of what is said those of what it means in the other language, in a stream named after that.

    languages: the two. begin: the sample that the audio begins at. Positions are those of the whole track.
    """

    def __init__(self, languages: tuple[str, ...], retell: Retell, begin: int) -> None:
        self._languages, self._retell = languages, retell
        self._audio: list[Samples] = []
        self._begin = begin

    def push(self, samples: Samples) -> None:
        """Audio, gaps included; kept until its utterance is over."""
        self._audio.append(samples)

    def told(self, events: Iterable[Event]) -> list[Event]:
        """The events, and behind each end of an utterance its translation."""
        found: list[Event] = []
        for event in events:
            found.append(event)
            if isinstance(event, SegmentEnd):
                found += self._translated(event)
        return found

    def _translated(self, event: SegmentEnd) -> list[Event]:
        spoken = event.language
        audio = self._taken(event.start, event.end)
        if not event.text.strip() or spoken not in self._languages:
            return []
        other = next(code for code in self._languages if code != spoken)
        text = self._retell(event.text, audio, spoken, other)
        end = replace(event, text=text, source=None, source_words=(), stream=other, language=other)
        settled = Settled(event.segment, text, (), event.end, event.time, stream=other, language=other)
        return [settled, end] if text else [end]

    def _taken(self, start: int, end: int) -> Samples:
        """The audio from `start` to `end`; what is before `end` is let go of."""
        whole = np.concatenate(self._audio) if self._audio else np.empty(0, np.float32)
        first, last = max(0, start - self._begin), max(0, end - self._begin)
        self._audio, self._begin = [whole[last:]], self._begin + min(last, len(whole))
        return whole[first:last]
