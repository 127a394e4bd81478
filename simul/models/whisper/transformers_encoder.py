"""Whisper's encoder as transformers names its weights, and another encoder's weights in its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.models.whisper.live import MARK, live_encoder
from simul.models.whisper.weights import Weights, as_float

NAMES = {
    "conv1": "conv1",
    "conv2": "conv2",
    "layer_norm": "layer_norm",
    "self_attn_layer_norm": "self_attention/layer_norm",
    "self_attn.out_proj": "self_attention/linear_1",
    "final_layer_norm": "ffn/layer_norm",
    "fc1": "ffn/linear_0",
    "fc2": "ffn/linear_1",
}
"""Modules of the transformers package, and what CTranslate2 calls them."""
JOINED = "self_attention/linear_0"
"""Where CTranslate2 keeps queries, keys and values of a layer as one matrix."""
_PARTS = {"weight": "gamma", "bias": "beta"}


def use_live_encoder(network: Any, folder: Path) -> None:
    """Let a network hear with the encoder that was trained for live windows of the model in `folder`.

    Raises:
        UsageError: there is none for this model.
        ModelMissingError: its file is missing, damaged, or of another model.
    """
    model = network.model
    marks = {
        MARK: model.decoder.layer_norm.weight.float().cpu().numpy(),
        "encoder/layer_norm/gamma": model.encoder.layer_norm.weight.float().cpu().numpy(),
    }
    put_encoder(network, live_encoder(marks, folder))


def put_encoder(network: Any, weights: Weights) -> None:
    """Put variables of an encoder, named as CTranslate2 does, into a network of transformers; others stay."""
    import torch

    encoder = network.model.encoder
    own = dict(encoder.named_parameters())
    with torch.no_grad():
        for name, value in _named(weights, len(encoder.layers)):
            own[name].copy_(torch.from_numpy(value))


def _named(weights: Weights, layers: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Variables of an encoder under the names of transformers; those that `weights` lacks are left out."""
    if "encoder/position_encodings/encodings" in weights:
        yield "embed_positions.weight", as_float(weights, "encoder/position_encodings/encodings")
    places = [("", "encoder/")]
    places += [(f"layers.{number}.", f"encoder/layer_{number}/") for number in range(layers)]
    for before, place in places:
        for module, name in NAMES.items():
            for part, other in _PARTS.items():
                found = f"{place}{name}/{other if name.endswith('layer_norm') else part}"
                if found in weights:
                    yield f"{before}{module}.{part}", as_float(weights, found)
        joined = f"{place}{JOINED}/"
        if joined + "weight" in weights:
            for part in _PARTS:
                for letter, piece in zip("qkv", np.split(as_float(weights, joined + part), 3), strict=True):
                    # A bias of keys adds the same to every score of a query, so Whisper has none.
                    if (letter, part) != ("k", "bias"):
                        yield f"{before}self_attn.{letter}_proj.{part}", piece
