"""Encoders for live windows and causal blocks: that of whisper-base is in the package, others in a model's folder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.errors import ModelMissingError, UsageError
from simul.models.whisper.weights import Weights, read_variables

FOLDER = Path(__file__).resolve().parents[2] / "data" / "whisper-base-live"
FILE = "live-encoder.npz"
"""An encoder in the folder of its model, as `simul train causal-whisper export` writes it."""
TEACHER = "encoder/teacher"
"""In such a file: the fingerprint of the encoder that it was trained from."""
MARK = "decoder/layer_norm/gamma"
"""A variable of the decoder by which the model is known; the decoder must be the one that was trained with."""
MODEL = "15846008e13e08cd25e892799cc9284617c1fd92cf71fa7c3738690ff2f87511"
"""SHA-256 of that variable in whisper-base, as float16."""


def has_live_encoder(weights: Weights) -> bool:
    """Whether the package has an encoder for live windows of the model with these weights."""
    return _digest(weights, MARK).hex() == MODEL


def fingerprint(weights: Weights) -> bytes:
    """32 bytes by which an encoder is known, in whatever precision its folder keeps it."""
    return _digest(weights, "encoder/layer_norm/gamma")


def _digest(weights: Weights, name: str) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(weights[name], np.float16).tobytes()).digest()


def live_encoder(weights: Weights, folder: Path) -> dict[str, NDArray[Any]]:
    """The encoder's variables for live windows of the model in `folder` with these weights.

    Raises:
        UsageError: there is none for this model.
        ModelMissingError: the file is missing, damaged, or of another model.
    """
    if (folder / FILE).is_file():
        return _own(weights, folder / FILE)
    if not has_live_encoder(weights):
        raise UsageError(
            f"There is no encoder for live windows of the Whisper model {folder.name}, only of whisper-base; "
            "use the window 'bucket', or train one: simul train causal-whisper."
        )
    return read_variables(FOLDER / "encoder.npz")


def _own(weights: Weights, path: Path) -> dict[str, NDArray[Any]]:
    found = read_variables(path)
    teacher = found.pop(TEACHER, None)
    if teacher is None or teacher.astype(np.uint8).tobytes() != fingerprint(weights):
        raise ModelMissingError(
            f"The encoder {path} was trained from another model than the one beside it; put it into that model's "
            "folder, or remove it."
        )
    return found
