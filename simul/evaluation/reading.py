"""Text read as if it were spoken, a word at a time: what a policy writes after how many words, without audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from latency_metrics.base import Instance
from latency_metrics.laal import LAAL
from policies.base import Policy
from simul.backends.cascade import CascadeBackend
from simul.clock import VirtualClock
from simul.languages import SPACELESS
from simul.models.translation.interface import TextTranslator
from simul.models.words import Utterance, Word
from simul.session.events import Event, Retract, Settled
from simul.session.session import Session, SessionConfig
from simul.session.transcript import Transcript
from simul.units import SAMPLE_RATE, Samples

WORD = SAMPLE_RATE * 2 // 5
"""Samples that a word takes: 150 words a minute."""


@dataclass
class TextRecognizer:
    """Hears a word of a known text every `WORD` samples, and is certain of it at once."""

    words: Sequence[str]
    heard: int = 0
    utterance_start: int = 0
    _ended: bool = False

    def push(self, samples: Samples) -> None:
        self.heard += len(samples)

    def hypothesis(self) -> tuple[Word, ...]:
        count = min(len(self.words), self.heard // WORD)
        return tuple(Word(text, i * WORD, (i + 1) * WORD, 1.0) for i, text in enumerate(self.words[:count]))

    def events(self) -> list[Utterance]:
        return []

    def finish(self) -> list[Utterance]:
        if self._ended:
            return []
        self._ended = True
        return [Utterance(self.hypothesis(), 0, self.heard, "end")]


@dataclass(frozen=True)
class ReadingStep:
    """After `read` source words `removed` characters were taken back and `text` was written."""

    read: int
    text: str
    removed: int = 0


@dataclass(frozen=True)
class Reading:
    """A text read to its end: source words, what was written when, and the target text in the end.

    delays: for each word of the target (in languages without spaces each character), how many source words had been
    read when the last of it was written.
    """

    source: tuple[str, ...]
    steps: tuple[ReadingStep, ...]
    target: str
    delays: tuple[int, ...]

    @property
    def laal(self) -> float | None:
        """Length-Adaptive Average Lagging in source words, the target its own reference; None without text."""
        instance = Instance(
            prediction=self.target,
            delays=self.delays,
            source_length=len(self.source),
            reference_length=len(self.delays),
            source_kind="text",
        )
        return LAAL().instance(instance)


def read_text(text: str, policy: Policy, translator: TextTranslator, source: str, target: str) -> Reading:
    """Read a text word by word and translate it under a policy.

    Raises:
        EvidenceError: the policy needs what the translator does not show, or audio.
        UsageError: the translator does not serve the languages.
    """
    words = tuple(text.split())
    if not words:
        return Reading((), (), "", ())
    backend = CascadeBackend(lambda: TextRecognizer(words), translator, frozenset({source}))
    config = SessionConfig(source, target, chunk=WORD)
    with Session(policy, backend, VirtualClock(), config) as session:
        events = session.feed(np.zeros(WORD * len(words), np.float32)) + session.finish()
        if session.failure is not None:
            raise session.failure
    return _reading(words, events, target)


def _reading(words: tuple[str, ...], events: Sequence[Event], target: str) -> Reading:
    """What the events of a session say."""
    transcript = Transcript(target)
    steps: list[ReadingStep] = []
    letters: list[tuple[str, int]] = []
    for event in events:
        change = transcript.push(event)
        if not isinstance(event, (Settled, Retract)):
            continue
        read = min(len(words), event.heard // WORD)
        steps.append(ReadingStep(read, change.added, change.removed))
        del letters[len(letters) - change.removed :]
        letters += [(letter, read) for letter in change.added]
    return Reading(words, tuple(steps), "".join(x for x, _ in letters).strip(), _delays(letters, target))


def _delays(letters: Sequence[tuple[str, int]], target: str) -> tuple[int, ...]:
    """The delay of each unit of the target, from that of each letter."""
    found: list[int] = []
    inside = False
    for letter, read in letters:
        if letter.isspace():
            inside = False
        elif inside and target not in SPACELESS:
            found[-1] = read
        else:
            found.append(read)
            inside = True
    return tuple(found)
