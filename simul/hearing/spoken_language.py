"""Which language is spoken: a model's guesses over growing pieces of speech, held until another is sure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simul.units import SAMPLE_RATE


@dataclass(frozen=True)
class LanguageConfig:
    """looks: samples of a segment after which the model is asked. enough: how much speech a guess rests on at least,
    but a first one as probable as `sure`. likely: how probable another language must be, twice in a row, to be
    believed.
    """

    looks: tuple[int, ...] = (SAMPLE_RATE, 2 * SAMPLE_RATE, 5 * SAMPLE_RATE)
    enough: int = 2 * SAMPLE_RATE
    sure: float = 0.9
    likely: float = 0.8


@dataclass
class SpokenLanguage:
    """Holds the language of one stream.

    expected: what the user said is spoken (ISO 639-1); empty where it is to be found out. spoken: what is believed to
    be spoken; empty while nothing is known, and while what was expected is heard. probability: of the last look.
    """

    expected: str = ""
    config: LanguageConfig = LanguageConfig()
    spoken: str = ""
    probability: float = 0.0
    _other: str = ""
    _looks: int = 0

    @property
    def source(self) -> str:
        """The language to decode as; empty while it is not known."""
        return self.expected or self.spoken

    def next_segment(self) -> None:
        """A new segment begins: it is looked at anew."""
        self._looks = 0

    def due(self, samples: int, final: bool) -> bool:
        """Whether to ask the model about a segment of so many samples."""
        looks = self.config.looks
        reached = sum(samples >= look for look in looks)
        return reached > self._looks or (final and not self.source)

    def hear(self, shares: Mapping[str, float], samples: int, final: bool) -> None:
        """Take in how probable the model finds each language over `samples` of speech."""
        self._looks = sum(samples >= look for look in self.config.looks)
        best = max(shares, key=lambda code: shares[code])
        held = self.source
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

    def _believe(self, language: str, probability: float) -> None:
        self.spoken, self.probability, self._other = language, probability, ""
