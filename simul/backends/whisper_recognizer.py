"""Whisper as the recogniser of a cascade: the open utterance is decoded anew as it grows, with word times."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from simul.decoding.interface import Hypothesis, Prompt
from simul.hearing.speech_stream import SpeechStream
from simul.hearing.voice_activity import SileroActivity, VoiceActivity
from simul.languages import SPACELESS
from simul.models.whisper.guard import GuardConfig
from simul.models.whisper.interface import Whisper
from simul.models.words import Utterance, Word
from simul.plain import fill_fields, write_fields
from simul.text import join, word_ranges
from simul.units import SAMPLE_RATE, Samples, check_samples

SHORTEST = SAMPLE_RATE // 20


@dataclass(frozen=True)
class WhisperRecognizerConfig:
    """interval: samples of new audio after which `hypothesis` decodes again. guard: limits on invented text."""

    interval: int = SAMPLE_RATE // 2
    guard: GuardConfig = field(default_factory=GuardConfig)


@dataclass
class _Said:
    """The utterances that have ended since they were asked for, and the words of the open one, which rest on the
    samples `decoded`."""

    ended: list[Utterance] = field(default_factory=list)
    partial: tuple[Word, ...] = ()
    decoded: tuple[int, int] = (0, 0)


class WhisperRecognizer:
    """Recognises one stream of speech in `source` (ISO 639-1); the model is shared between recognisers.

    An utterance ends at a pause of 0.6 s (0.3 s once it has lasted 15 s), at 29 s at the quietest place, or
    with the stream. Words keep the case and punctuation that Whisper writes.

    Raises:
        UsageError: the model does not hear the language.
    """

    def __init__(
        self,
        model: Whisper,
        source: str,
        config: WhisperRecognizerConfig | None = None,
        activity: Callable[[], VoiceActivity] | None = SileroActivity,
    ) -> None:
        model.check_source(source)
        self._model, self._source, self._activity = model, source, activity
        self.config = config or WhisperRecognizerConfig()
        tokens = model.tokens
        self._head = (*tokens.task(source, source), tokens.no_timestamps)
        self.reset()

    def reset(self) -> None:
        """Forget the stream and start another one at sample 0."""
        self._audio = SpeechStream(self._activity)
        self._said = _Said()

    @property
    def runs(self) -> str:
        """The model, and how it is used."""
        hears = "without" if self._activity is None else "with"
        return f"whisper {self._model.folder.name} {hears} voice activity detection"

    def dump(self) -> dict[str, Any]:
        """All that changes, as plain values and arrays."""
        return {**write_fields(self._said), "audio": self._audio.dump()}

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Go on from what `dump` gave."""
        fill_fields(self._said, dumped)
        self._audio.load(dumped["audio"])

    @property
    def heard(self) -> int:
        """Samples of the stream that have been taken in."""
        return self._audio.received

    @property
    def in_speech(self) -> bool:
        """Whether an utterance is open."""
        return self._audio.in_speech

    @property
    def utterance_start(self) -> int:
        """First sample of the open utterance; without one, the earliest sample the next one can start at."""
        return self._audio.open_start

    def push(self, samples: Samples) -> None:
        """Take in the next samples of the stream, float32 mono at 16 kHz in -1..1, any number of them.

        Raises:
            AudioError: the samples are not a vector, or not finite.
        """
        check_samples(samples)
        self._audio.push(samples)

    def hypothesis(self) -> tuple[Word, ...]:
        """Words of the open utterance, at most `interval` samples old; empty between utterances."""
        recognize([self])
        return self._said.partial if self._audio.in_speech else ()

    def events(self) -> list[Utterance]:
        """The utterances that have ended since the last call, in order."""
        recognize([self])
        ended, self._said.ended = self._said.ended, []
        return ended

    def finish(self) -> list[Utterance]:
        """End the stream: recognise what is left and return the utterances not yet collected."""
        self._audio.end()
        return self.events()

    @staticmethod
    def compute(recognizers: Sequence[WhisperRecognizer]) -> None:
        """Decode in one batch what is due for recognisers that share one model."""
        recognize(recognizers)

    def jobs(self) -> list[Job]:
        """What is due: the utterances that have closed, and the open one if enough of it is new."""
        audio = self._audio
        jobs = [Job(self, span.start, span.end, span.cause) for span in audio.closed]
        if audio.in_speech:
            start, until = audio.open_start, audio.received
            decoded = self._said.decoded
            if decoded[0] != start or until - decoded[1] >= self.config.interval:
                jobs.append(Job(self, start, until, None))
        return jobs

    def take(self, job: Job, words: tuple[Word, ...]) -> None:
        """What was recognised for a job; jobs come in the order in which `jobs` gave them."""
        if job.cause is None:
            self._said.partial, self._said.decoded = words, (job.start, job.until)
        else:
            self._said.ended.append(Utterance(words, job.start, job.until, job.cause))
            self._audio.next()

    @property
    def model(self) -> Whisper:
        """The model, shared between recognisers."""
        return self._model

    def prompt(self, job: Job) -> Prompt:
        """What the decoder is given for a job."""
        seconds = (job.until - job.start) / SAMPLE_RATE
        return Prompt(self._head, (), self.config.guard.budget(seconds))

    def samples(self, job: Job) -> Samples:
        """The audio of a job."""
        return self._audio.cut(job.start, job.until)

    def text_of(self, found: Hypothesis) -> list[int]:
        """Which tokens of a hypothesis are its text: none in silence, and only those before a loop."""
        guard, tokens = self.config.guard, self._model.tokens
        if guard.is_silence(found.no_speech_prob, found.logprobs):
            return []
        text = [i for i, token in enumerate(found.ids) if tokens.is_text(token)]
        return text[: guard.without_loop((), [found.ids[i] for i in text])]

    def words(
        self, job: Job, found: Hypothesis, text: Sequence[int], spans: NDArray[np.int64]
    ) -> tuple[Word, ...]:
        """The tokens `text` of a hypothesis as words, `spans` being their places in the job's audio."""
        pieces = self._model.tokens.surfaces([found.ids[i] for i in text])
        logprobs, spans = found.logprobs[list(text)], spans + job.start
        words = []
        for first, last in word_ranges(pieces, self._source in SPACELESS) if pieces else ():
            spelled = join(pieces[first:last]).strip()
            if not spelled:
                continue
            confidence = None if job.cause is None else float(np.exp(logprobs[first:last].mean()))
            words.append(Word(spelled, int(spans[first, 0]), int(spans[last - 1, 1]), confidence))
        return tuple(words)

    @property
    def task(self) -> tuple[int, ...]:
        """The tokens that tell the aligner language and task."""
        return self._head[:-1]


@dataclass(frozen=True)
class Job:
    """Samples [start, until) that a recogniser is to decode; cause: what ended the utterance, None while it is open."""

    recognizer: WhisperRecognizer
    start: int
    until: int
    cause: Literal["pause", "limit", "end"] | None


def recognize(recognizers: Sequence[WhisperRecognizer]) -> None:
    """Decode in one batch what is due for recognisers that share one model."""
    jobs = [job for recognizer in recognizers for job in recognizer.jobs()]
    found: dict[int, tuple[Word, ...]] = dict.fromkeys(range(len(jobs)), ())
    heard = [i for i, job in enumerate(jobs) if job.until - job.start >= SHORTEST]
    if heard:
        model = jobs[heard[0]].recognizer.model
        encoded = model.encode([jobs[i].recognizer.samples(jobs[i]) for i in heard])
        hypotheses = model.generate(encoded, [jobs[i].recognizer.prompt(jobs[i]) for i in heard])
        texts = [jobs[i].recognizer.text_of(h) for i, h in zip(heard, hypotheses, strict=True)]
        for task in dict.fromkeys(jobs[i].recognizer.task for i in heard):
            chosen = [k for k, i in enumerate(heard) if jobs[i].recognizer.task == task and texts[k]]
            spans = model.align(
                [encoded[k] for k in chosen],
                task,
                [[hypotheses[k].ids[i] for i in texts[k]] for k in chosen],
                [jobs[heard[k]].until - jobs[heard[k]].start for k in chosen],
            )
            for k, places in zip(chosen, spans, strict=True):
                job = jobs[heard[k]]
                found[heard[k]] = job.recognizer.words(job, hypotheses[k], texts[k], places)
    for i, job in enumerate(jobs):
        job.recognizer.take(job, found[i])
