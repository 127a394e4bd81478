"""Writes openai-whisper's checkpoint from a Whisper folder of CTranslate2, so that other programs run the same weights.

    python -m benchmarks.openai_checkpoint FOLDER OUT.pt

CTranslate2 keeps query, key and value of a layer as one matrix, openai-whisper apart and the keys without a bias (the
fused one is zero, which is checked). Needs torch.
"""

from __future__ import annotations

import argparse
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
Variables = Mapping[str, NDArray[Any]]


class _Reader:
    """Takes values off the front of a file."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = memoryview(data), 0

    def number(self, kind: str) -> int:
        """One little-endian integer."""
        (value,) = struct.unpack_from("<" + kind, self.data, self.at)
        self.at += struct.calcsize(kind)
        return int(value)

    def text(self) -> str:
        """A string that is preceded by its length and ends with a zero."""
        length = self.number("H")
        self.at += length
        return bytes(self.data[self.at - length : self.at - 1]).decode()

    def array(self) -> NDArray[Any]:
        """Shape, type and values."""
        shape = [self.number("I") for _ in range(self.number("B"))]
        kind, size = self.number("B"), self.number("I")
        found = np.frombuffer(self.data, TYPES[kind], int(np.prod(shape, dtype=np.int64)), self.at)
        self.at += size
        return found.reshape(shape)


def read_variables(path: Path) -> dict[str, NDArray[Any]]:
    """All variables of a model.bin by name; aliases too."""
    reader = _Reader(path.read_bytes())
    reader.number("I"), reader.text(), reader.number("I")
    found = {}
    for _ in range(reader.number("I")):
        name = reader.text()
        found[name] = reader.array()
    for _ in range(reader.number("I")):
        alias, name = reader.text(), reader.text()
        found[alias] = found[name]
    return found


def state_of(v: Variables) -> dict[str, NDArray[Any]]:
    """The tensors as openai-whisper names them."""
    out: dict[str, NDArray[Any]] = {}
    for name in ("conv1", "conv2"):
        _linear(out, v, f"encoder/{name}", f"encoder.{name}")
    out["encoder.positional_embedding"] = v["encoder/position_encodings/encodings"]
    out["decoder.positional_embedding"] = v["decoder/position_encodings/encodings"]
    out["decoder.token_embedding.weight"] = v["decoder/embeddings/weight"]
    _norm(out, v, "encoder/layer_norm", "encoder.ln_post")
    _norm(out, v, "decoder/layer_norm", "decoder.ln")
    for side in ("encoder", "decoder"):
        for i in range(_layers(v, side)):
            _block(out, v, f"{side}/layer_{i}", f"{side}.blocks.{i}")
    return out


def dimensions(v: Variables, state: Variables) -> dict[str, int]:
    """The sizes that openai-whisper's checkpoint tells."""
    context, width = state["encoder.positional_embedding"].shape
    vocabulary, text_width = state["decoder.token_embedding.weight"].shape
    return {
        "n_mels": state["encoder.conv1.weight"].shape[1],
        "n_audio_ctx": context,
        "n_audio_state": width,
        "n_audio_head": int(v["encoder/num_heads"]),
        "n_audio_layer": _layers(v, "encoder"),
        "n_vocab": vocabulary,
        "n_text_ctx": len(state["decoder.positional_embedding"]),
        "n_text_state": text_width,
        "n_text_head": int(v["decoder/num_heads"]),
        "n_text_layer": _layers(v, "decoder"),
    }


def _layers(v: Variables, side: str) -> int:
    numbers = [name.split("/")[1] for name in v if name.startswith(f"{side}/layer_")]
    return len(set(numbers) - {"layer_norm"})


def _linear(out: dict[str, NDArray[Any]], v: Variables, source: str, target: str) -> None:
    out[f"{target}.weight"], out[f"{target}.bias"] = v[f"{source}/weight"], v[f"{source}/bias"]


def _norm(out: dict[str, NDArray[Any]], v: Variables, source: str, target: str) -> None:
    out[f"{target}.weight"], out[f"{target}.bias"] = v[f"{source}/gamma"], v[f"{source}/beta"]


def _split(
    out: dict[str, NDArray[Any]], v: Variables, source: str, target: str, names: tuple[str, ...]
) -> None:
    weights, biases = (np.split(v[f"{source}/{part}"], len(names)) for part in ("weight", "bias"))
    for name, weight, bias in zip(names, weights, biases, strict=True):
        out[f"{target}.{name}.weight"] = weight
        if name != "key":
            out[f"{target}.{name}.bias"] = bias
        elif np.any(bias):
            raise SystemExit(f"{source} has a bias of its keys, which openai-whisper cannot hold.")


def _block(out: dict[str, NDArray[Any]], v: Variables, source: str, target: str) -> None:
    _split(out, v, f"{source}/self_attention/linear_0", f"{target}.attn", ("query", "key", "value"))
    _linear(out, v, f"{source}/self_attention/linear_1", f"{target}.attn.out")
    _norm(out, v, f"{source}/self_attention/layer_norm", f"{target}.attn_ln")
    if f"{source}/attention/linear_0/weight" in v:
        _linear(out, v, f"{source}/attention/linear_0", f"{target}.cross_attn.query")
        _split(out, v, f"{source}/attention/linear_1", f"{target}.cross_attn", ("key", "value"))
        _linear(out, v, f"{source}/attention/linear_2", f"{target}.cross_attn.out")
        _norm(out, v, f"{source}/attention/layer_norm", f"{target}.cross_attn_ln")
    _linear(out, v, f"{source}/ffn/linear_0", f"{target}.mlp.0")
    _linear(out, v, f"{source}/ffn/linear_1", f"{target}.mlp.2")
    _norm(out, v, f"{source}/ffn/layer_norm", f"{target}.mlp_ln")


def convert(folder: Path, out: Path) -> None:
    """Write the checkpoint of a folder."""
    import torch

    variables = read_variables(folder / "model.bin")
    state = state_of(variables)
    tensors = {name: torch.from_numpy(value.astype(np.float32)) for name, value in state.items()}
    torch.save({"dims": dimensions(variables, state), "model_state_dict": tensors}, out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    convert(given.folder, given.out)
