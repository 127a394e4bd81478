"""Which language is spoken: a model's guesses over growing pieces of speech, held until another is sure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simul.units import SAMPLE_RATE


@dataclass(frozen=True)
class LanguageConfig:
    """looks: samples of a segment after which the model is asked. enough: how much speech a guess rests on at least,
    but a first one as probable as `sure`. likely: how probable another language must be, twice in a row, to be
    believed. turns: looks where people take turns, and `turn`: how probable the other language must
    be there, as long as nothing of the segment is settled.
    """

    looks: tuple[int, ...] = (SAMPLE_RATE, 2 * SAMPLE_RATE, 5 * SAMPLE_RATE)
    enough: int = 2 * SAMPLE_RATE
    sure: float = 0.9
    likely: float = 0.8
    turns: tuple[int, ...] = (2 * SAMPLE_RATE, 3 * SAMPLE_RATE, 5 * SAMPLE_RATE)
    turn: float = 0.6


@dataclass
class SpokenLanguage:
    """Holds the language of one stream.

    expected: what the user said is spoken (ISO 639-1); empty where it is to be found out. spoken: what is believed to
    be spoken; empty while nothing is known, and while what was expected is heard. probability: of the last look.
    among: languages that may be spoken (none: any). Where there are such, people take turns: every segment is judged
    by itself, and nothing is decoded before it was; the language so far stays where the other is not clearly heard.
    """

    expected: str = ""
    config: LanguageConfig = LanguageConfig()
    spoken: str = ""
    probability: float = 0.0
    among: tuple[str, ...] = ()
    _other: str = ""
    _looks: int = 0
    _judged: bool = False

    @property
    def held(self) -> str:
        """What counts as spoken as long as nothing else is heard."""
        return self.expected or self.spoken

    @property
    def source(self) -> str:
        """The language to decode as; empty while it is not known."""
        return self.held if self._judged or not self.among else ""

    def translates(self, target: str) -> bool:
        """Whether text in `target` is a translation. Into English only; for other targets what is spoken is written."""
        return target == "en" != self.source

    def next_segment(self) -> None:
        """A new segment begins: it is looked at anew."""
        self._looks, self._judged = 0, False

    def due(self, samples: int, final: bool) -> bool:
        """Whether to ask the model about a segment of so many samples."""
        return self._reached(samples) > self._looks or (final and not self.source)

    def _reached(self, samples: int) -> int:
        looks = self.config.turns if self.among else self.config.looks
        return sum(samples >= look for look in looks)

    def hear(self, shares: Mapping[str, float], samples: int, final: bool, settled: bool = False) -> None:
        """Take in how probable the model finds each language over `samples` of speech.

        settled: some text of the segment is, and stays in its language.
        """
        self._looks = self._reached(samples)
        if self.among:
            known = {code: shares.get(code, 0.0) for code in self.among}
            whole = sum(known.values()) or 1.0
            shares = {code: share / whole for code, share in known.items()}
        if self.among and not (self._judged and settled):
            self._take_turn(shares)
            return
        best = max(shares, key=lambda code: shares[code])
        held = self.held
        if not held:
            if final or samples >= self.config.enough or shares[best] >= self.config.sure:
                self._believe(best, shares[best])
            return
        if samples < self.config.enough:
            return
        if best == (self.spoken or held) or shares[best] < self.config.likely:
            self._other = ""
        elif best == self._other:
            self._believe(best, shares[best])
        else:
            self._other = best

    def _take_turn(self, shares: Mapping[str, float]) -> None:
        """A look at a segment of which nothing is settled, of languages that are known."""
        self._judged = True
        best = max(shares, key=lambda code: shares[code])
        if not self.spoken or shares[best] >= self.config.turn:
            self._believe(best, shares[best])

    def _believe(self, language: str, probability: float) -> None:
        self.spoken, self.probability, self._other = language, probability, ""
