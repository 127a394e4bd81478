"""A talk that is heard in other languages: lines spoken one after the other, as a stream that never ends.

No input, output or clock. A language is spoken only while somebody listens to it. Between lines there is silence, in
real time, so that players go on; everybody hears the same bytes, which are made once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from server.stage.encoding import FORMATS, SoundEncoder
from server.voice import VoiceLane
from server.workers.messages import SPEECH_RATE, SpeakText, TextSpoken

KEY = "stage"
"""Of what the stage asks workers for."""
STEP = SPEECH_RATE // 10
"""Samples are given out in steps of these."""
AHEAD = 4
"""Steps of silence that a listener gets at once, so that the network may be uneven."""


class Listener(Protocol):
    """Somebody who hears along."""

    def hear(self, data: bytes) -> None:
        """Play the next bytes; must not wait."""


@dataclass
class _Channel:
    """One language in one format: its encoder, who listens."""

    encoder: SoundEncoder
    listeners: list[Listener] = field(default_factory=list)


@dataclass
class _Language:
    """What is said in one language, and samples that were not given out yet."""

    lane: VoiceLane
    channels: dict[str, _Channel] = field(default_factory=dict)
    waiting: deque[bytes] = field(default_factory=deque)
    since: float = 0.0
    given: int = 0

    @property
    def listeners(self) -> int:
        return sum(len(channel.listeners) for channel in self.channels.values())


class StageSpeech:
    """languages: codes that can be heard. speak: asks a worker for the sound of a text. voices: of languages that are
    not spoken by the usual one."""

    def __init__(
        self,
        languages: Iterable[str],
        speak: Callable[[SpeakText], bool],
        voices: Mapping[str, str] | None = None,
    ) -> None:
        self.languages = tuple(dict.fromkeys(languages))
        self._speak = speak
        self._spoken = {
            code: _Language(VoiceLane(KEY, code, (voices or {}).get(code, ""))) for code in self.languages
        }

    @property
    def listeners(self) -> int:
        """How many listen."""
        return sum(spoken.listeners for spoken in self._spoken.values())

    def heard(self, code: str) -> bool:
        """Whether somebody listens to a language."""
        return code in self._spoken and self._spoken[code].listeners > 0

    # -- the talk -------------------------------------------------------------------------------------------------

    def say(self, code: str, text: str, t0: int, t1: int, now: float) -> None:
        """A line in one of the languages; where nobody listens, nobody speaks."""
        if self.heard(code):
            self._spoken[code].lane.say(text, t0, t1)
            self._ask(now)

    def spoken(self, answer: TextSpoken, now: float) -> None:
        """What a worker spoke."""
        spoken = self._spoken.get(answer.language)
        found = spoken.lane.spoken(answer, now) if spoken else None
        if spoken is not None and found is not None and spoken.listeners:
            spoken.waiting.append(found.pcm)
        self._ask(now)

    def again(self, now: float) -> None:
        """A worker broke; what it was asked for is asked for again."""
        for spoken in self._spoken.values():
            spoken.lane.again()
        self._ask(now)

    def _ask(self, now: float) -> None:
        for spoken in self._spoken.values():
            job = spoken.lane.job(now)
            if job is not None and not self._speak(job):
                spoken.lane.again()

    def tick(self, now: float) -> None:
        """Give out what is due."""
        self._ask(now)
        for spoken in self._spoken.values():
            if spoken.listeners:
                due = int((now - spoken.since) * SPEECH_RATE + 1) // STEP * STEP - spoken.given
                if due > 0:
                    self._give(spoken, due)

    def _give(self, spoken: _Language, samples: int) -> None:
        """The next samples, of speech and else of silence, to all who listen."""
        pcm = _taken(spoken.waiting, 2 * samples)
        spoken.given += samples
        for channel in spoken.channels.values():
            data = channel.encoder.push(np.frombuffer(pcm, "<i2"))
            for listener in list(channel.listeners) if data else ():
                listener.hear(data)

    # -- the audience ---------------------------------------------------------------------------------------------

    def listen(self, listener: Listener, code: str, form: str, now: float) -> None:
        """Somebody listens to one of the languages, in one of `encoding.FORMATS`, from here on."""
        spoken = self._spoken[code]
        if not spoken.listeners:
            spoken.since, spoken.given = now - AHEAD * STEP / SPEECH_RATE, 0
            spoken.waiting.clear()
            spoken.channels.clear()
        channel = spoken.channels.get(form)
        if channel is None:
            channel = spoken.channels[form] = _Channel(FORMATS[form].make())
        channel.listeners.append(listener)
        listener.hear(channel.encoder.head)
        self.tick(now)

    def leave(self, listener: Listener) -> None:
        """Somebody stops listening; a language that nobody hears any more is not spoken on."""
        for spoken in self._spoken.values():
            for form, channel in list(spoken.channels.items()):
                if listener in channel.listeners:
                    channel.listeners.remove(listener)
                if not channel.listeners:
                    del spoken.channels[form]
            if not spoken.channels and (spoken.lane.busy or spoken.waiting):
                spoken.lane.clear()
                spoken.waiting.clear()


def _taken(waiting: deque[bytes], size: int) -> bytes:
    """The next bytes, filled up with silence."""
    found = bytearray()
    while waiting and len(found) < size:
        part = waiting.popleft()
        if len(part) > size - len(found):
            waiting.appendleft(part[size - len(found) :])
        found += part[: size - len(found)]
    return bytes(found) + bytes(size - len(found))
