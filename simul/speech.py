"""Speech of the settled text: speech events among a session's events, and the sound to whoever plays it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from simul.errors import OutputError, UsageError
from simul.session.drive import Step
from simul.session.events import Event, SegmentEnd, Settled, Speech

if TYPE_CHECKING:
    from simul.audio.loudspeaker import Loudspeaker
    from simul.audio.wav import WavWriter
    from tts import Speaker, SpeechUnit


class SpeechOutput:
    """Speaks settled text; adds speech events to a step and sends the sound to every one of `players`.

    A player that can no longer write is left out, which `lost` is told, and the text goes on.

    Raises:
        UsageError: the policy takes text back, which speech cannot do.
    """

    def __init__(
        self,
        speaker: Speaker,
        players: Sequence[Callable[[SpeechUnit], None]],
        revises: bool = False,
        warn: Callable[[str], None] = lambda text: None,
        lost: Callable[[OutputError], None] | None = None,
    ) -> None:
        if revises:
            raise UsageError(
                "Speech cannot be taken back, but this policy takes text back; choose another to hear speech."
            )
        self._speaker, self._players, self._warn = speaker, list(players), warn
        self._lost = lost or (lambda error: warn(str(error)))
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
                self._play(unit)
                size = len(unit.samples)
                events.append(Speech(unit.unit, unit.text, size, unit.rate, unit.onset, unit.time))
        return events

    def _play(self, unit: SpeechUnit) -> None:
        for play in list(self._players):
            try:
                play(unit)
            except OutputError as error:
                self._players.remove(play)
                self._lost(error)


class SpokenLanguages:
    """Speaks the streams of several languages, each with a voice of its own."""

    def __init__(self, voices: Mapping[str, SpeechOutput]) -> None:
        self._voices = voices

    def voiced(self, step: Step) -> Step:
        """`step` with the speech that its text brought about, behind it."""
        events = list(step.events)
        for language, voice in self._voices.items():
            own = [event for event in step.events if event.stream == language]
            spoken = voice.voiced(replace(step, events=own)).events
            events += [replace(e, stream=language) for e in spoken if isinstance(e, Speech)]
        return replace(step, events=events)


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
