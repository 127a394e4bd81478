"""Speech of the settled text: into a WAV file, to the loudspeaker, and as events."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from simul.errors import UsageError
from simul.session.drive import Step
from simul.session.events import Event, SegmentEnd, Settled, Speech

if TYPE_CHECKING:
    from simul.audio.loudspeaker import Loudspeaker
    from simul.audio.wav import WavWriter
    from simul.cli.context import Context
    from simul.clock import Clock
    from tts import Speaker, SpeechUnit

_LAST_WORDS_SECONDS = 60.0
"""How long the end of the speech may take after the end of the stream."""


class Voice:
    """Speaks settled text; adds speech events to a step and sends the sound to every one of `players`.

    Raises:
        UsageError: the policy takes text back, which speech cannot do.
    """

    def __init__(
        self,
        speaker: Speaker,
        players: Sequence[Callable[[SpeechUnit], None]],
        revises: bool = False,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        if revises:
            raise UsageError(
                "Speech cannot be taken back, but this policy takes text back; choose another to hear speech."
            )
        self._speaker, self._players, self._warn = speaker, players, warn
        self._time = 0.0
        self._warned = False

    def voiced(self, step: Step) -> Step:
        """`step` with the speech that its text brought about."""
        events: list[Event] = []
        for event in step.events:
            events.append(event)
            if isinstance(event, Settled):
                events += self._out(self._speaker.push(event.text, self._at(event.time)))
            elif isinstance(event, SegmentEnd):
                events += self._out(self._speaker.segment_end(self._at(event.time)))
        if step.samples is None:
            events += self._out(self._speaker.finish(self._at(step.done)))
        else:
            events += self._out(self._speaker.poll(self._at(step.done)))
        return replace(step, events=events)

    def _at(self, time: float) -> float:
        self._time = max(self._time, time)
        return self._time

    def _out(self, units: list[SpeechUnit]) -> list[Event]:
        events: list[Event] = []
        for unit in units:
            if unit.error and not self._warned:
                self._warned = True
                self._warn(unit.error)
            if len(unit.samples):
                for play in self._players:
                    play(unit)
                size = len(unit.samples)
                events.append(Speech(unit.unit, unit.text, size, unit.rate, unit.onset, unit.time))
        return events


def into_wav(writer: WavWriter) -> Callable[[SpeechUnit], None]:
    """Places units in a WAV file at their onset in session time."""

    def play(unit: SpeechUnit) -> None:
        writer.write(unit.samples, at=round(unit.onset * unit.rate))

    return play


def to_loudspeaker(loudspeaker: Loudspeaker) -> Callable[[SpeechUnit], None]:
    """Plays units as they become ready."""

    def play(unit: SpeechUnit) -> None:
        loudspeaker.play(unit.samples, unit.onset)

    return play


def make_voice(
    given: argparse.Namespace,
    context: Context,
    language: str,
    path: str | None,
    clock: Clock,
    revises: bool,
    stack: contextlib.ExitStack,
) -> Voice | None:
    """The voice that --speak (into `path`) and --play ask for; None without them."""
    if not (path or given.play):
        return None
    from tts import Speaker, make_engine

    engine = make_engine(language, given.voice)
    players = []
    if path:
        from simul.audio.wav import WavWriter

        players.append(into_wav(stack.enter_context(WavWriter(path, engine.rate))))
    if given.play:
        from simul.audio.loudspeaker import Loudspeaker

        loudspeaker = stack.enter_context(Loudspeaker(engine.rate, context.sound))
        stack.callback(loudspeaker.wait, _LAST_WORDS_SECONDS)
        players.append(to_loudspeaker(loudspeaker))
    return Voice(Speaker(engine, stopwatch=clock.now), players, revises, context.warn)
