"""Whisper as the recogniser of a cascade: the open utterance is decoded anew as it grows, with word times."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from simul.errors import AudioError
from simul.hearing.speech_stream import Span, SpeechStream
from simul.hearing.voice_activity import SileroActivity, VoiceActivity
from simul.languages import SPACELESS
from simul.models.whisper.guard import GuardConfig
from simul.models.whisper.interface import Prompt, Whisper
from simul.models.words import Utterance, Word
from simul.text import join
from simul.units import SAMPLE_RATE, Samples

SHORTEST = SAMPLE_RATE // 20


@dataclass(frozen=True)
class WhisperRecognizerConfig:
    """interval: samples of new audio after which `hypothesis` decodes again. guard: limits on invented text."""

    interval: int = SAMPLE_RATE // 2
    guard: GuardConfig = field(default_factory=GuardConfig)


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
        self._events: list[Utterance] = []
        self._partial: tuple[Word, ...] = ()
        self._decoded = (0, 0)

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
        if samples.ndim != 1:
            raise AudioError(
                f"The recogniser takes a vector of samples, not an array of shape {samples.shape}."
            )
        if not np.isfinite(samples).all():
            raise AudioError(
                "The audio holds samples that are not numbers (NaN or infinite); check its source."
            )
        self._audio.push(samples)
        self._collect()

    def hypothesis(self) -> tuple[Word, ...]:
        """Words of the open utterance, at most `interval` samples old; empty between utterances."""
        audio = self._audio
        if not audio.in_speech:
            return ()
        start, until = audio.open_start, audio.received
        if self._decoded[0] != start or until - self._decoded[1] >= self.config.interval:
            self._partial = self._words(audio.open_audio(), start, final=False)
            self._decoded = (start, until)
        return self._partial

    def events(self) -> list[Utterance]:
        """The utterances that have ended since the last call, in order."""
        ended, self._events = self._events, []
        return ended

    def finish(self) -> list[Utterance]:
        """End the stream: recognise what is left and return the utterances not yet collected."""
        self._audio.end()
        self._collect()
        return self.events()

    def _collect(self) -> None:
        """Recognise and leave the segments that have closed."""
        while self._audio.closed:
            span: Span = self._audio.closed[0]
            words = self._words(self._audio.span_audio(span), span.start, final=True)
            self._events.append(Utterance(words, span.start, span.end, span.cause))
            self._audio.next()

    def _words(self, samples: Samples, start: int, final: bool) -> tuple[Word, ...]:
        if len(samples) < SHORTEST:
            return ()
        guard, tokens = self.config.guard, self._model.tokens
        encoded = self._model.encode([samples])
        found = self._model.generate(
            encoded, [Prompt(self._head, (), guard.budget(len(samples) / SAMPLE_RATE))]
        )[0]
        if guard.is_silence(found.no_speech_prob, found.logprobs):
            return ()
        text = [i for i, token in enumerate(found.ids) if tokens.is_text(token)]
        ids = [found.ids[i] for i in text]
        ids = ids[: guard.without_loop((), ids)]
        task = self._head[:-1]
        spans = self._model.align(encoded, task, [ids], [len(samples)])[0] + start
        logprobs = found.logprobs[text]
        words = []
        for first, last in word_ranges(tokens.surfaces(ids), self._source in SPACELESS):
            spelled = join(tokens.surfaces(ids[first:last])).strip()
            if not spelled:
                continue
            confidence = float(np.exp(logprobs[first:last].mean())) if final else None
            words.append(Word(spelled, int(spans[first, 0]), int(spans[last - 1, 1]), confidence))
        return tuple(words)


def word_ranges(pieces: Sequence[str], spaceless: bool) -> list[tuple[int, int]]:
    """Token ranges of words: from one leading space to the next, or, without spaces, one whole character on.

    Punctuation stays with the word before it.
    """
    ranges: list[tuple[int, int]] = []
    begin = 0
    for i in range(1, len(pieces) + 1):
        if i < len(pieces):
            piece = pieces[i]
            whole = not _half(pieces[begin:i])
            new = piece.startswith(" ") or (
                spaceless and whole and not _half([piece]) and not _punctuation(piece)
            )
            if not (new and whole):
                continue
        ranges.append((begin, i))
        begin = i
    return ranges


def _half(pieces: Sequence[str]) -> bool:
    """Whether the pieces end or begin inside a character."""
    return any("\udc80" <= char <= "\udcff" for char in join_raw(pieces))


def join_raw(pieces: Sequence[str]) -> str:
    """The pieces joined, with surrogate escapes only where a character is still incomplete."""
    return "".join(pieces).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _punctuation(piece: str) -> bool:
    return all(unicodedata.category(char).startswith("P") for char in piece)
