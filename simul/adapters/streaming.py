"""The four calls that code written for whisper_streaming makes, on one of our sessions."""

from __future__ import annotations

from typing import NamedTuple

from numpy.typing import ArrayLike

from simul.errors import UsageError
from simul.session import Session
from simul.session.events import Event, Settled
from simul.session.transcript import Transcript
from simul.units import SAMPLE_RATE, Samples, as_samples


class TimedText(NamedTuple):
    """Text that settled, to be appended as it is, and the seconds of source that it rests on.

    (None, None, "") when nothing settled.
    """

    begin: float | None
    end: float | None
    text: str


NOTHING = TimedText(None, None, "")


class OnlineProcessor:
    """One stream: `insert_audio_chunk` and `process_iter` in turn, `finish` at its end, `init` for the next.

    Where the model gives no source times, text counts as resting on what was heard since the last output.

    Raises:
        UsageError: the policy of `session` takes text back, which a triple cannot say.
    """

    def __init__(self, session: Session) -> None:
        if session.policy.revises:
            raise UsageError(
                f"The policy {session.policy.name} takes text back, which (begin, end, text) cannot say; choose "
                "one that only appends, such as local-agreement, or read the events of the session itself."
            )
        self.session = session
        self.init()

    def init(self, offset: float = 0.0) -> None:
        """Begin a new stream whose first sample lies at `offset` seconds."""
        self.session.reset()
        self._offset = offset
        self._audio: list[Samples] = []
        self._transcript = Transcript(self.session.config.target)
        self._until = 0

    def insert_audio_chunk(self, audio: ArrayLike) -> None:
        """Add mono samples at 16 kHz, floats from -1 to 1 or integers, of any number.

        Raises:
            UsageError: the array is not mono audio.
        """
        self._audio.append(as_samples(audio).copy())

    def process_iter(self) -> TimedText:
        """Hear what was inserted and return what settled.

        Decisions fall on multiples of the session's chunk, however often this is called.

        Raises:
            SimulError: the stream has been finished.
        """
        events: list[Event] = []
        for samples in self._audio:
            events += self.session.feed(samples)
        self._audio = []
        return self._output(events)

    def finish(self) -> TimedText:
        """Hear what is left, settle everything and end the stream."""
        events: list[Event] = []
        if not self.session.finished:
            for samples in self._audio:
                events += self.session.feed(samples)
            self._audio = []
            events += self.session.finish()
        return self._output(events)

    def _output(self, events: list[Event]) -> TimedText:
        text, places = "", list[tuple[int, int]]()
        for event in events:
            text += self._transcript.push(event).added
            if isinstance(event, Settled) and event.text:
                places += event.spans or [(self._until, event.heard)]
                self._until = event.heard
        if not text:
            return NOTHING
        begin, end = min(a for a, _ in places), max(b for _, b in places)
        return TimedText(self._offset + begin / SAMPLE_RATE, self._offset + end / SAMPLE_RATE, text)
