"""What a speech engine is: text in, samples with word positions out; and the error it raises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class TtsError(ValueError):
    """Speech output cannot be had; the message says what was wrong and what to do."""

    exit_code = 1


class TtsUsageError(TtsError):
    """A voice, a language or a setting that there is not."""

    exit_code = 2


class TtsMissingError(TtsError):
    """The speech engine or its data is not on this machine."""

    exit_code = 3


@dataclass(frozen=True)
class Voice:
    """A voice an engine offers: `name` selects it, `language` is its BCP 47 tag, `label` is for people."""

    name: str
    language: str
    label: str


@dataclass(frozen=True)
class WordMark:
    """Where a word stands: its first character and length in the text, its first sample in the sound."""

    start: int
    length: int
    sample: int


@dataclass(frozen=True)
class SynthesizedSpeech:
    """Synthesised sound: `samples` float32 mono in -1..1 at `rate` Hz, `words` in order of time."""

    samples: NDArray[np.float32]
    rate: int
    words: tuple[WordMark, ...] = ()

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.samples) / self.rate


@runtime_checkable
class Engine(Protocol):
    """Turns text into sound; plays nothing, keeps no queue and downloads nothing."""

    @property
    def name(self) -> str:
        """Which engine and voice, for logs."""
        ...

    @property
    def language(self) -> str:
        """BCP 47 tag of the text it speaks."""
        ...

    @property
    def follows_speed(self) -> bool:
        """Whether `synthesize` heeds `speed`; otherwise its sound is stretched afterwards."""
        ...

    @property
    def rate(self) -> int:
        """Samples per second of everything `synthesize` returns."""
        ...

    @property
    def voices(self) -> Sequence[Voice]:
        """Voices that can be chosen when such an engine is made."""
        ...

    def synthesize(self, text: str, speed: float = 1.0) -> SynthesizedSpeech:
        """Speak `text`, `speed` times as fast as the engine's own pace; positions refer to `text`.

        Text without anything to pronounce gives no samples.

        Raises:
            TtsError: the engine failed.
        """
        ...
