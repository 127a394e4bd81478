"""Settled text in, speech with its place on the timeline out: chunker, engine and playout together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tts.base import Engine, SynthesizedSpeech, TtsError, WordMark
from tts.chunker import Chunker, ChunkerConfig
from tts.playout import Playout, PlayoutConfig, SpeakingPace
from tts.stretch import stretch_speech, trim_pauses


@dataclass(frozen=True)
class SpeakerConfig:
    """When text is spoken (`chunker`) and how it is played (`playout`).

    Text that waits for a better place to be cut is let go once less than `idle` seconds of speech are left to
    play: as long as there is something to hear, waiting costs nothing.
    """

    chunker: ChunkerConfig = field(default_factory=ChunkerConfig)
    playout: PlayoutConfig = field(default_factory=PlayoutConfig)
    idle: float = 0.3


@dataclass(frozen=True, eq=False)
class SpeechUnit:
    """A unit of speech: `samples` float32 mono at `rate` Hz, to be heard from `onset` on.

    `onset` and `time`, the moment the sound was ready, are in seconds of the session. `speed` is how much
    faster than its own pace the engine spoke. If the engine failed, `samples` is empty and `error` says why.
    """

    unit: int
    text: str
    samples: NDArray[np.float32]
    rate: int
    onset: float
    time: float
    speed: float = 1.0
    words: tuple[WordMark, ...] = ()
    error: str = ""


class Speaker:
    """Speaks settled text as it comes.

    Every method takes the session's time in seconds, which must not run backwards, and returns the units
    that became ready; call `poll` now and then (each chunk) so that pauses in the text are noticed.

    Args:
        stopwatch: returns seconds, to measure what synthesis costs, such as a clock's `now`; without it
            synthesis counts as immediate, as under a virtual clock.
    """

    def __init__(
        self,
        engine: Engine,
        config: SpeakerConfig | None = None,
        stopwatch: Callable[[], float] | None = None,
    ) -> None:
        self.engine = engine
        self.config = config or SpeakerConfig()
        self.chunker = Chunker(engine.language, self.config.chunker)
        self.playout = Playout(engine.rate, self.config.playout)
        self._stopwatch = stopwatch
        self._busy_until = 0.0
        self._units = 0

    def push(self, text: str, time: float) -> list[SpeechUnit]:
        """Take in settled text; a leading blank is part of it, as in a session's events."""
        return self._idle(time) + self._speak(self.chunker.push(text, time), time)

    def poll(self, time: float) -> list[SpeechUnit]:
        """Nothing new at `time`: words that have waited long enough are spoken if playback runs dry."""
        return self._idle(time)

    def segment_end(self, time: float) -> list[SpeechUnit]:
        """The segment is complete: speak what is held."""
        return self._idle(time) + self._speak(self.chunker.flush(), time)

    def finish(self, time: float) -> list[SpeechUnit]:
        """The stream is over: speak what is held."""
        return self.segment_end(time)

    def _idle(self, time: float) -> list[SpeechUnit]:
        if self.playout.backlog(self._sample(time)) >= self.config.idle * self.engine.rate:
            return []
        return self._speak(self.chunker.poll(time), time)

    def _sample(self, time: float) -> int:
        return round(time * self.engine.rate)

    def _speak(self, texts: list[str], time: float) -> list[SpeechUnit]:
        spoken = (text.strip() for text in texts)
        return [self._unit(text, time) for text in spoken if any(character.isalnum() for character in text)]

    def _unit(self, text: str, time: float) -> SpeechUnit:
        pace = self.playout.pace(self._sample(time))
        started = self._stopwatch() if self._stopwatch else 0.0
        error = ""
        try:
            speech = speak_unit(self.engine, text, pace, self.config.playout.silence)
        except Exception as failure:
            # One unit that cannot be spoken must not silence those after it, nor end the stream whose text it is.
            error = str(failure) if isinstance(failure, TtsError) else _defect(failure)
            speech = SynthesizedSpeech(np.empty(0, np.float32), self.engine.rate)
        cost = self._stopwatch() - started if self._stopwatch else 0.0
        ready = self._busy_until = max(time, self._busy_until) + cost
        number = self._units
        self._units += 1
        onset = self._sample(ready)
        if len(speech.samples):
            onset = self.playout.place(len(speech.samples), onset, pace, text).onset
        return SpeechUnit(
            number,
            text,
            speech.samples,
            speech.rate,
            onset / speech.rate,
            ready,
            pace.speed,
            speech.words,
            error,
        )


def speak_unit(engine: Engine, text: str, pace: SpeakingPace, silence: float) -> SynthesizedSpeech:
    """The sound of a unit that is not blank, at a pace; where it hurries, pauses are cut to `silence` seconds.

    Raises:
        TtsError: the engine failed.
    """
    # A comma keeps the voice up where the sentence goes on; it adds no pause at the end of a text.
    prompt = text if not text[-1].isalnum() else text + ","
    if engine.follows_speed:
        speech = engine.synthesize(prompt, pace.speed)
    else:
        speech = stretch_speech(engine.synthesize(prompt), pace.speed)
    return trim_pauses(speech, silence) if pace.hurry > 0 else speech


def _defect(failure: Exception) -> str:
    """What is said of a failure that an engine did not foresee."""
    what = str(failure).strip().partition("\n")[0] or "no further message"
    return f"The speech engine failed ({type(failure).__name__}: {what}); what it was to say is not heard."
