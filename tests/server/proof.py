"""A model whose text is a function of the exact samples, so that audio lost, doubled or mixed up shows as other text.

Every 200 ms of a segment become one word: a checksum of those samples. Segments last two seconds. A pass shows the
words of all blocks, of which the last is provisional: it changes once more audio is there. Translations are the same
words behind the code of the language.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from policies.base import Candidate, Need, SourceView
from server.workers.core import policies_for
from server.workers.messages import SPEECH_RATE, Offer
from simul.backends.base import Backend, DecodeRequest, Limits, StreamSpec, check_languages
from simul.errors import ModelMissingError, UsageError
from simul.languages import SPOKEN, alternatives
from simul.models.terms.reading import Term
from simul.units import Samples
from tts import SpeakingPace

BLOCK, SEGMENT = 3_200, 32_000
LANGUAGES = frozenset({"en", "de", "fr", "ar"})


def word(samples: Samples) -> str:
    """What a block of samples is heard as."""
    pcm = np.rint(samples * 32768).astype("<i2").tobytes()
    return f"{zlib.crc32(pcm) & 0xFFFF:04x}"


def sound(text: str) -> bytes:
    """Speech of a text: of every word 100 ms of one value, its checksum."""
    values = [zlib.crc32(each.encode()) % 32_768 for each in text.split()]
    return np.repeat(np.array(values, "<i2"), SPEECH_RATE // 10).tobytes()


def spoken_words(pcm: bytes) -> list[int]:
    """What is said in speech, pauses left out: the values of its words."""
    values = np.frombuffer(pcm, "<i2")
    spoken = values[values != 0]
    assert len(spoken) % (SPEECH_RATE // 10) == 0
    return [int(value) for value in spoken[:: SPEECH_RATE // 10]]


def spoken_in(segment: Samples, among: tuple[str, ...]) -> str:
    """Which of some languages a segment is in: by its first samples."""
    return among[zlib.crc32(segment[:160].tobytes()) % len(among)]


def expected(samples: Samples, language: str = "", base: int = 0) -> str:
    """The whole text of audio whose stream began at the sample `base`."""
    rest = samples[base:]
    blocks = [rest[i : i + BLOCK] for i in range(0, len(rest), BLOCK)]
    return " ".join(language + word(block) for block in blocks)


@dataclass
class ProofState:
    """One stream: what was pushed, what of it was advanced to, where the segment begins. Audio before it is let go."""

    spec: StreamSpec
    pushed: list[Samples] = field(default_factory=list)
    kept: Samples = field(default_factory=lambda: np.empty(0, np.float32))
    heard: int = 0
    closing: bool = False
    ended: bool = False
    start: int = 0
    decoded: int = 0
    beside: list[ProofState] = field(default_factory=list)

    def take(self, samples: list[Samples]) -> None:
        """Hear more."""
        self.kept = np.concatenate([self.kept, *samples])
        self.heard += sum(map(len, samples))

    def audio(self, begin: int, end: int) -> Samples:
        """What was heard, from the start of the segment on."""
        first = self.heard - len(self.kept)
        return self.kept[begin - first : end - first]


class ProofBackend(Backend[ProofState]):
    """`on_decode` is called before every pass, so that a test can let time pass or break it."""

    name: ClassVar[str] = "proof"

    def __init__(self, on_decode: Callable[[int], None] = lambda batch: None) -> None:
        super().__init__(
            frozenset(Need), Limits(LANGUAGES | {SPOKEN}, LANGUAGES | {SPOKEN}, shares=True, terms=True)
        )
        self._on_decode = on_decode

    def _start(self, spec: StreamSpec) -> ProofState:
        check_languages(self.name, self.limits, spec)
        return ProofState(spec)

    def beside(self, stream: int, target: str) -> int:
        first = self.state(stream)
        state = self._start(StreamSpec(first.spec.source, target))
        state.take([first.kept])
        state.heard, state.start = first.heard, first.start
        first.beside.append(state)
        return self._admit(state)

    def push(self, stream: int, samples: Samples) -> None:
        self.state(stream).pushed.append(samples.copy())

    def end(self, stream: int) -> None:
        self.state(stream).closing = True

    def advance(self, streams: Sequence[int]) -> None:
        states = [self.state(stream) for stream in streams]
        for state in states:
            new, state.pushed = state.pushed, []
            for each in (state, *state.beside):
                each.take(new)
                each.ended = each.ended or state.closing

    def view(self, stream: int) -> SourceView:
        state = self.state(stream)
        heard, full = state.heard, state.heard - state.start >= SEGMENT
        last = state.ended and not full
        return SourceView(
            heard=heard,
            new=heard - state.decoded,
            segment_start=state.start,
            segment_final=full or state.ended,
            finished=last,
            units={},
            activity=None,
            closed_by=("end" if last else "pause") if full or state.ended else "",
        )

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
        self._on_decode(len(requests))
        return [self._decode(request) for request in requests]

    def _decode(self, request: DecodeRequest) -> Candidate:
        state = self.state(request.stream)
        state.decoded = request.until
        end = min(request.until, state.start + SEGMENT)
        audio = state.audio(state.start, end)
        language = "" if state.spec.target == state.spec.source else state.spec.target
        tokens = [f" {language}{word(audio[i : i + BLOCK])}" for i in range(0, len(audio), BLOCK)]
        if not request.final and tokens:
            tokens[-1] = f" ~{len(audio)}"
        named = {form: term.text for term in state.spec.terms for form in term.spoken}
        tokens = [" " + named.get(token.strip(), token.strip()) for token in tokens]
        skip = len(request.prefix)
        times = np.array(
            [(state.start + i * BLOCK, state.start + (i + 1) * BLOCK) for i in range(len(tokens))]
        )
        spans = times[skip:].reshape(-1, 2).astype(np.int64)
        source = " ".join(word(audio[i : i + BLOCK]) for i in range(0, len(audio), BLOCK))
        among = alternatives(state.spec.source)
        spoken = spoken_in(audio, among) if len(among) > 1 else ""
        return Candidate(tuple(tokens[skip:]), spans=spans, source_text=source, ended=True, spoken=spoken)

    def next_segment(self, stream: int) -> None:
        state = self.state(stream)
        state.start = min(state.heard, state.start + SEGMENT)
        state.kept = state.audio(state.start, state.heard)


@dataclass
class ProofModels:
    """A worker's models; texts are translated by putting the language before every word, and spoken as `sound` says."""

    on_decode: Callable[[int], None] = lambda batch: None
    made: Any = None

    def load(self) -> Offer:
        self.made = ProofBackend(self.on_decode)
        limits = self.made.limits
        voices = {"en": (("plain", "Plain"),), "de": (("plain", "Plain"), ("deep", "Deep")), "fr": ()}
        return Offer(
            "proof", limits.sources, limits.targets - {SPOKEN}, policies_for(self.made), voices, True
        )

    def backend(self, source: str, targets: tuple[str, ...], policy: Any) -> tuple[Backend[Any], str]:
        for target in targets:
            check_languages("proof", self.made.limits, StreamSpec(source, target))
        return self.made, "proof"

    def translate(self, text: str, source: str, target: str, terms: tuple[Term, ...] = ()) -> str:
        called = {term.text: dict(term.translations).get(target) for term in terms}
        return " ".join(called.get(each) or target + each for each in text.split())

    def prepare(self, source: str, target: str) -> None:
        if target == "ar":
            raise UsageError(f"Nothing here translates from {source} into ar.")

    def retell(self, text: str, samples: Samples, source: str, target: str, terms: tuple[Term, ...]) -> str:
        assert expected(samples) == text
        return self.translate(text, source, target, terms)

    def speak(self, text: str, language: str, pace: SpeakingPace, voice: str = "") -> tuple[bytes, str]:
        return sound(text), " ".join(filter(None, ("proof", language, voice)))


class MissingModels(ProofModels):
    """A worker whose model is not there."""

    def load(self) -> Offer:
        raise ModelMissingError("There is no such model; get one.")
