"""An engine without speech: a tone a word, exact and instant, to test everything around an engine."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from tts.base import SynthesizedSpeech, TtsError, Voice, WordMark


@dataclass(frozen=True)
class ToneEngine:
    """A tone for each word that has a letter or digit: `per_character` seconds a character, blanks silent.

    The pitch climbs from word to word, so that order can be heard and measured. It has no rate setting. A
    text that contains `fails_on` makes it fail, where that is set.
    """

    language: str = "en"
    rate: int = 16000
    per_character: float = 0.06
    fails_on: str = ""
    follows_speed: bool = False

    @property
    def name(self) -> str:
        """For logs."""
        return "tones"

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The one there is."""
        return (Voice("tones", self.language, "a tone a word"),)

    def synthesize(self, text: str, speed: float = 1.0) -> SynthesizedSpeech:
        """See `Engine.synthesize`; `speed` is not heeded."""
        if self.fails_on and self.fails_on in text:
            raise TtsError(f"The tone engine was told to fail on {self.fails_on!r}.")
        step = round(self.per_character * self.rate)
        samples = np.zeros(step * len(text.rstrip()), np.float32)
        words: list[WordMark] = []
        for word in re.finditer(r"\S*\w\S*", text):
            length = step * len(word.group())
            frequency = 200 * 2 ** ((len(words) % 24) / 24)
            phase = 2 * np.pi * frequency * np.arange(length) / self.rate
            envelope = np.minimum(
                1, np.minimum(np.arange(length), np.arange(length)[::-1]) / (0.01 * self.rate)
            )
            samples[step * word.start() : step * word.end()] = 0.3 * np.sin(phase) * envelope
            words.append(WordMark(word.start(), len(word.group()), step * word.start()))
        return SynthesizedSpeech(samples if words else samples[:0], self.rate, tuple(words))
