"""The English voice of the package hibari-tts: its text front end and network, 24 kHz, 0.0085 CPU s a second.

The package is run, not copied. It knows how to download other voices; no path from here leads there, since the
network's file is always given.
"""

from __future__ import annotations

import importlib.util
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np

from tts.base import SynthesizedSpeech, TtsError, TtsMissingError, TtsUsageError, Voice, WordMark

VOICES = (Voice("heart", "en-us", "American English, female"),)
"""The voice that travels with the package."""
_LONGEST_TEXT = 20_000
_WORD = re.compile(r"\S*\w\S*")
_DIGIT_LETTERS = 4
"""Letters that a digit sounds like, roughly."""


class HibariEngine:
    """English in one American voice. Engines may be used from several threads.

    It has no pace of its own to set: the network counts in whole frames of 12.5 ms, and asked for 1.1 times the speed
    it gives 1.04, asked for 1.4 it gives 1.5; a stretch of the sound is exact.

    Args:
        folder: the installed package `hibari`, whose files the caller has checked.
        language: BCP 47 tag of the text.

    Raises:
        TtsMissingError: the package in `folder` is not the one that Python would import, or onnxruntime is missing.
        TtsUsageError: `language` is not English.
    """

    def __init__(self, folder: Path, language: str = "en") -> None:
        if language.lower().replace("_", "-").split("-")[0] != "en":
            raise TtsUsageError(f"The voice hibari speaks English only, not {language!r}.")
        self._language = language
        self._lock = threading.Lock()
        self._hibari = _load(folder)

    @property
    def name(self) -> str:
        """For logs: engine and voice."""
        return f"hibari {VOICES[0].name}"

    @property
    def language(self) -> str:
        """The tag given at construction."""
        return self._language

    @property
    def follows_speed(self) -> bool:
        """False: the sound is stretched instead."""
        return False

    @property
    def rate(self) -> int:
        """24 000 Hz."""
        return int(self._hibari.sample_rate)

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The one there is."""
        return VOICES

    def synthesize(self, text: str, speed: float = 1.0) -> SynthesizedSpeech:
        """See `Engine.synthesize`; `speed` is not heeded, and the same text gives the same sound.

        Where a sentence starts is known, where a word starts inside it is estimated from the lengths of its words.
        """
        if len(text) > _LONGEST_TEXT:
            raise TtsError(f"A text of {len(text)} characters is too long to speak at once; cut it up.")
        parts: list[np.ndarray] = []
        words: list[WordMark] = []
        length = place = 0
        try:
            with self._lock:
                for sentence in self._hibari.split_sentences(text):
                    sound = self._hibari(sentence, seed=0)
                    start = text.index(sentence, place)
                    words += _marks(text, start, start + len(sentence), length, len(sound))
                    place = start + len(sentence)
                    length += len(sound)
                    parts.append(np.asarray(sound, np.float32))
        except Exception as error:  # whatever the package's own code raises on a text it does not expect
            raise TtsError(f"hibari could not speak {text[:40]!r}: {error}.") from error
        if length == 0 or not any(character.isalnum() for character in text):
            return SynthesizedSpeech(np.empty(0, np.float32), self.rate)
        return SynthesizedSpeech(np.clip(np.concatenate(parts), -1, 1), self.rate, tuple(words))


def _load(folder: Path) -> Any:
    """The package's own object for the voice in `folder`."""
    spec = importlib.util.find_spec("hibari")
    places = [Path(place).resolve() for place in (spec.submodule_search_locations if spec else None) or ()]
    if places != [folder.resolve()]:
        raise TtsMissingError(
            f"The package hibari in {folder} is not the one that Python imports; remove the other one."
        )
    try:
        import onnxruntime  # noqa: F401
        from hibari.tts import Hibari
    except ImportError as error:
        raise TtsMissingError(
            f"The voice hibari needs the package {error.name}, which is not installed; run: pip install {error.name}"
        ) from error
    return Hibari(model=str(folder / "assets" / "hibari.onnx"), threads=1)


def _marks(text: str, start: int, end: int, sample: int, length: int) -> list[WordMark]:
    """Marks of the words in text[start:end], spread over `length` samples from `sample` on by their letters."""
    found = list(_WORD.finditer(text, start, end))
    letters = [
        sum(_DIGIT_LETTERS if c.isdigit() else c.isalpha() for c in word.group()) + 1 for word in found
    ]
    before = np.concatenate(([0], np.cumsum(letters)))
    places = sample + before[:-1] * length // max(1, int(before[-1]))
    return [
        WordMark(word.start(), len(word.group()), int(place))
        for word, place in zip(found, places, strict=True)
        if length
    ]
