"""The encoder that is distilled: of a CTranslate2 folder, of a transformers folder, or of a model of the catalogue."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from simul.errors import UsageError
from simul.models.catalogue.lookup import locate
from simul.models.folder import load_network
from simul.models.hub import classify
from simul.models.whisper.transformers_encoder import JOINED, NAMES
from simul.models.whisper.weights import FileWeights, Weights
from simul.training.causal_whisper.network import HEADS, POSITIONS


def teacher_folder(name: str) -> Path:
    """The folder that `name` means: itself, or that of a model of the catalogue.

    Raises:
        UsageError: it is neither. ModelMissingError: the model is not on this machine.
    """
    folder = Path(name).expanduser()
    return folder if folder.is_dir() else locate(name)


def read_teacher(folder: Path) -> Weights:
    """The encoder's weights under CTranslate2's names.

    Raises:
        UsageError: the folder holds no Whisper model.
        ModelMissingError: its files are damaged, or a package is missing.
    """
    kind = classify(folder) if folder.is_dir() else None
    if kind == "whisper":
        return FileWeights(folder / "model.bin")
    if kind == "hf-whisper":
        return _from_transformers(folder)
    held = f"holds a model of the kind {kind!r}" if kind else "holds no model that is known"
    raise UsageError(
        f"The teacher {folder} {held}; give a Whisper folder (CTranslate2 or transformers) or whisper-base."
    )


def _from_transformers(folder: Path) -> Weights:
    network, _ = load_network(folder, "WhisperModel", "Whisper", "cpu", "float32")
    state = {name: value.numpy() for name, value in network.encoder.state_dict().items()}
    heads = network.config.encoder_attention_heads
    found = {HEADS: np.array(heads, np.int16), POSITIONS: state.pop("embed_positions.weight")}
    for name, value in state.items():
        before, _, inner = name.rpartition(".")
        place = "encoder/"
        if before.startswith("layers."):
            _, number, before = before.split(".", 2)
            place += f"layer_{number}/"
        if before in NAMES:
            if before.endswith("layer_norm"):
                inner = {"weight": "gamma", "bias": "beta"}[inner]
            found[f"{place}{NAMES[before]}/{inner}"] = value
    for number in range(int(network.config.encoder_layers)):
        own = f"layers.{number}.self_attn."
        joined = f"encoder/layer_{number}/{JOINED}/"
        found[joined + "weight"] = np.concatenate([state[f"{own}{part}_proj.weight"] for part in "qkv"])
        query, value = state[own + "q_proj.bias"], state[own + "v_proj.bias"]
        # Whisper's keys have no bias.
        found[joined + "bias"] = np.concatenate([query, np.zeros_like(query), value])
    return found
