"""The encoder for live windows and causal blocks that comes with the package, and which model it belongs to."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.errors import UsageError
from simul.models.whisper.weights import Weights, read_variables

FOLDER = Path(__file__).resolve().parents[2] / "data" / "whisper-base-live"
MARK = "decoder/layer_norm/gamma"
"""A variable of the decoder by which the model is known; the decoder must be the one that was trained with."""
MODEL = "15846008e13e08cd25e892799cc9284617c1fd92cf71fa7c3738690ff2f87511"
"""SHA-256 of that variable in whisper-base, as float16."""


def has_live_encoder(weights: Weights) -> bool:
    """Whether the package has an encoder for live windows of the model with these weights."""
    mark = np.ascontiguousarray(weights[MARK], np.float16)
    return hashlib.sha256(mark.tobytes()).hexdigest() == MODEL


def live_encoder(weights: Weights, folder: Path) -> dict[str, NDArray[Any]]:
    """The encoder's variables for live windows of the model in `folder` with these weights.

    Raises:
        UsageError: there is none for this model.
        ModelMissingError: the package's file is missing or damaged.
    """
    if not has_live_encoder(weights):
        raise UsageError(
            f"There is no encoder for live windows of the Whisper model {folder.name}, only of whisper-base; "
            "use the window 'bucket'."
        )
    return read_variables(FOLDER / "encoder.npz")
