"""What the Whisper backend and recogniser ask of a model, whichever library computes it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from simul.decoding.interface import Hypothesis, Prompt
from simul.errors import ModelMissingError, UsageError
from simul.models.hub import WHISPER_PACKAGE
from simul.models.whisper.tokens import TokenizerFile, WhisperTokens

MAX_POSITIONS = 448
FRAME_MS = 20
BLOCK = 50
"""Frames of a causal block: one second."""
Encoded = Any
"""A window as a model's encoder left it; only that model knows what it is."""


class Whisper(Protocol):
    """A Whisper model. `aligns`: tokens get source times; `attends`: hypotheses come with cross-attention; `beam`: how
    many of them are followed; `offers`: how many a pass yields; `detects`: it finds out which language is spoken;
    `grows`: it is a `GrowingWhisper`."""

    folder: Path
    tokens: WhisperTokens
    aligns: bool
    attends: bool
    beam: int
    offers: int
    detects: bool
    grows: bool

    def check_source(self, source: str) -> None:
        """Raise `UsageError` unless the model hears the language `source`."""
        ...

    def encode(self, windows: Sequence[NDArray[np.float32]]) -> list[Encoded]:
        """Encoder output of each window of samples."""
        ...

    def languages(self, encoded: Sequence[Encoded]) -> list[dict[str, float]]:
        """How probable each language is that the model hears, per window."""
        ...

    def generate(
        self, encoded: Sequence[Encoded], prompts: Sequence[Prompt], beam: int | None = None
    ) -> list[Hypothesis]:
        """One hypothesis per window; a batch gives what single calls give.

        beam: how many hypotheses are followed, this once; None: as many as the model follows.
        """
        ...

    def align(
        self,
        encoded: Sequence[Encoded],
        head: Sequence[int],
        texts: Sequence[Sequence[int]],
        samples: Sequence[int],
    ) -> list[NDArray[np.int64]]:
        """Where each text token lies in its window: int [n, 2] of window samples, non-decreasing.

        head: start, language and task. samples: the audio's length in each window, without padding.
        """
        ...


class GrowingWhisper(Whisper, Protocol):
    """A model of whose windows what was encoded stays as they become longer."""

    def start(self) -> Any:
        """What is to be kept of a window that will grow."""
        ...

    def grow(self, kept: Sequence[Any], windows: Sequence[NDArray[np.float32]]) -> list[Encoded]:
        """Encoder output of windows whose samples, given whole, have become more."""
        ...


class GrowingWindows:
    """What a model keeps of the growing windows of a stream, by the sample that they begin with: at most two.

    The first is the one that goes on from pass to pass; what is heard anew beside it must not cost it.
    """

    def __init__(self) -> None:
        self._kept: dict[int, Any] = {}

    def at(self, start: int, again: bool, make: Callable[[], Any]) -> Any:
        """What is kept of the window that begins at `start`, or what `make` gives; again: it is beside another."""
        found = self._kept[start] if start in self._kept else make()
        others = [each for each in self._kept.items() if again or each[0] != start][:1]
        self._kept = dict([*others, (start, found)] if again else [(start, found), *others])
        return found


def check_source(folder: Path, tokens: WhisperTokens, source: str) -> None:
    """Raise `UsageError` unless the model in `folder` hears the language `source`."""
    if source not in tokens.languages:
        listed = ", ".join(sorted(tokens.languages))
        raise UsageError(f"The Whisper model {folder.name} does not hear {source!r}; it knows: {listed}.")


def read_folder(folder: Path, package: str) -> tuple[TokenizerFile, dict[str, Any]]:
    """The vocabulary and the configuration of a CTranslate2 folder whose model `package` runs.

    Raises:
        ModelMissingError: the package is not installed, or a file is missing or damaged.
    """
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise ModelMissingError(
            f"Whisper models need the package {error.name}, which is not installed; run: {WHISPER_PACKAGE}"
        ) from error
    for name in ("model.bin", "config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise ModelMissingError(
                f"The Whisper folder {folder} has no {name}; copy the model's whole folder (a conversion needs "
                "--copy_files tokenizer.json preprocessor_config.json)."
            )
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return TokenizerFile(folder / "tokenizer.json"), config
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelMissingError(f"The Whisper model in {folder} cannot be loaded: {error}") from error
