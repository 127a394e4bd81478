"""The audio of one session in a worker: streams of an engine in a row, so that flushes and changes have a place.

Where audio is cut, the stream ends and another begins; positions and segments go on counting.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any

import numpy as np

from policies.base import Policy
from server.workers.conversation import Conversation, Retell
from server.workers.messages import (
    Answer,
    ChangeTrack,
    Command,
    Cut,
    CutReached,
    FinishTrack,
    PushAudio,
    SkipAudio,
    TrackOutput,
    TrackOver,
    TrackRefused,
    TrackSpec,
)
from simul.engine import StreamEngine
from simul.errors import failure_message
from simul.session.events import End, Error, Event, Start, TimedWord
from simul.units import SAMPLE_RATE, Samples

PAUSE = SAMPLE_RATE
"""Time without audio up to here is silence to the recogniser; above it the stream is cut."""
_POSITIONS = frozenset({"heard", "start", "end"})


Opener = Callable[[TrackSpec, float], tuple[StreamEngine, int, Policy, str]]
"""Opens a stream: the engine that has it, its number, its policy, and what the model is called."""
TellOver = Callable[[TrackSpec, str, Samples, str, str], str]
"""Tells an utterance of a track in another language, as `conversation.Retell` does."""


class AudioTrack:
    """Takes commands in order, pushes audio into its stream, and answers in positions of the whole track.

    Raises at construction whatever `opener` does.
    """

    def __init__(
        self, key: str, spec: TrackSpec, opener: Opener, retell: TellOver, base: int, segment: int, at: float
    ) -> None:
        self.key, self.spec = key, spec
        self._opener, self._tell_over = opener, retell
        self._items: deque[Command] = deque()
        self._base, self._segment = base, segment
        self.position = self.processed = base
        self._arrivals: list[tuple[int, float]] = []
        self._cut: Command | None = None
        self._ended: list[End] = []
        self._failure = ""
        self._closing: list[Event] = []
        self.over = False
        self._open(at)

    def _open(self, at: float) -> None:
        self.engine, self.number, self.policy, self.model = self._opener(self.spec, at)
        self._base = self.position
        self._ended = []
        retell: Retell = partial(self._tell_over, self.spec)
        between = self.spec.between
        self._conversation = Conversation(between, retell, self._base) if between else None

    def close(self) -> None:
        """Let go of the stream."""
        self.over = True
        self.engine.close(self.number)

    def put(self, command: Command, at: float) -> list[Answer]:
        """The next command."""
        self._items.append(command)
        return self.pump(at)

    def pump(self, at: float) -> list[Answer]:
        """Carry out commands as far as no cut has to be waited for."""
        answers: list[Answer] = []
        while self._items and self._cut is None and not self.over:
            answers += self._carry_out(self._items.popleft(), at)
        return answers

    def _carry_out(self, command: Command, at: float) -> list[Answer]:
        if isinstance(command, PushAudio):
            self._push(np.frombuffer(command.pcm, "<i2").astype(np.float32) / np.float32(32768), command.at)
        elif isinstance(command, SkipAudio) and command.samples <= PAUSE:
            self._push(np.zeros(command.samples, np.float32), at)
        elif isinstance(command, Cut) and command.kind == "mark":
            if self.engine.waiting(self.number) >= self.spec.chunk:
                self._items.appendleft(command)
                self._cut = command
                return []
            return [CutReached(self.key, "mark", command.id, self.position)]
        else:
            self._cut = command
            self.engine.end(self.number, at, last=isinstance(command, FinishTrack))
        return []

    def _push(self, samples: Samples, at: float) -> None:
        self.position += len(samples)
        self._arrivals.append((self.position, at))
        self.engine.push(self.number, samples, at)
        if self._conversation is not None:
            self._conversation.push(samples)

    def _arrived(self, position: int) -> float | None:
        """When the sample before `position` had arrived; what is older is forgotten."""
        if not self._arrivals:
            return None
        index = min(bisect_left(self._arrivals, (position, 0.0)), len(self._arrivals) - 1)
        del self._arrivals[:index]
        return self._arrivals[0][1]

    def took(self, events: Sequence[Event], began: float, at: float) -> list[Answer]:
        """What the engine says of the stream; `began`: when the step did, `at`: when it was over."""
        events = [event for event in events if not isinstance(event, Start)]
        self._ended += [event for event in events if isinstance(event, End)]
        over = len(self._ended) == len(self.spec.written)
        processed = self.position - (0 if over else self.engine.waiting(self.number))
        if not events and processed == self.processed:
            # A step for others: nothing happened here, and what waits for a place in the audio goes on waiting.
            return []
        found: list[Event] = []
        for event in events:
            if isinstance(event, Error):
                self._failure = event.message
            elif not isinstance(event, End):
                found.append(shifted(event, self._base, self._segment))
        if self._conversation is not None:
            found = self._conversation.told(found)
        self.processed = processed
        arrived = self._arrived(self.processed)
        queue = 0.0 if arrived is None else max(0.0, began - arrived)
        answers: list[Answer] = []
        if self._failure:
            self._closing += found
        else:
            answers.append(TrackOutput(self.key, tuple(found), self.processed, queue, max(0.0, at - began)))
        if over:
            answers += self._leave(at)
        elif isinstance(self._cut, Cut) and self._cut.kind == "mark":
            self._cut = None
        return answers + self.pump(at)

    def _leave(self, at: float) -> list[Answer]:
        """The stream is over: answer the cut it was ended for, and open the next."""
        cut, self._cut = self._cut, None
        self._segment += max(end.segments for end in self._ended)
        if self._failure or cut is None or isinstance(cut, FinishTrack):
            self.over = True
            return [TrackOver(self.key, self._failure, tuple(self._closing), self.processed)]
        answers: list[Answer] = []
        if isinstance(cut, Cut):
            answers.append(CutReached(self.key, cut.kind, cut.id, self.position))
        elif isinstance(cut, SkipAudio):
            self.position += cut.samples
            self.processed = self.position
        elif isinstance(cut, ChangeTrack):
            self.spec = cut.spec
        try:
            self._open(at)
        except Exception as error:
            self.over = True
            return [*answers, TrackRefused(self.key, failure_message(error))]
        return answers


def shifted(event: Event, samples: int, segments: int) -> Event:
    """The event with its positions moved on."""
    if not samples and not segments:
        return event
    changes: dict[str, Any] = {}
    for item in fields(event):
        value = getattr(event, item.name)
        if item.name in _POSITIONS and value is not None:
            changes[item.name] = value + samples
        elif item.name == "segment":
            changes[item.name] = value + segments
        elif item.name == "spans" and value is not None:
            changes[item.name] = tuple((a + samples, b + samples) for a, b in value)
        elif item.name in ("words", "source_words"):
            changes[item.name] = tuple(_moved(word, samples) for word in value)
    return replace(event, **changes)


def _moved(word: TimedWord, samples: int) -> TimedWord:
    start = None if word.start is None else word.start + samples
    end = None if word.end is None else word.end + samples
    return replace(word, start=start, end=end)
