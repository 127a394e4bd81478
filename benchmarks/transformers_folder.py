"""Writes a Whisper folder of transformers from one of CTranslate2, so that torch computes the same weights.

    python -m benchmarks.transformers_folder FOLDER OUT

Needs torch and transformers.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.models.whisper.interface import MAX_POSITIONS
from simul.models.whisper.onnxruntime.networks import layer_count
from simul.models.whisper.transformers_encoder import put_encoder
from simul.models.whisper.weights import FileWeights, Weights, as_float

END, START = "<|endoftext|>", "<|startoftranscript|>"
MODULES = {
    "self_attn_layer_norm": "self_attention/layer_norm",
    "self_attn.out_proj": "self_attention/linear_1",
    "encoder_attn_layer_norm": "attention/layer_norm",
    "encoder_attn.q_proj": "attention/linear_0",
    "encoder_attn.out_proj": "attention/linear_2",
    "final_layer_norm": "ffn/layer_norm",
    "fc1": "ffn/linear_0",
    "fc2": "ffn/linear_1",
}
JOINED = {"self_attn": ("self_attention/linear_0", "qkv"), "encoder_attn": ("attention/linear_1", "kv")}


def decoder_state(weights: Weights) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The decoder's variables as transformers names them."""
    yield "embed_tokens.weight", as_float(weights, "decoder/embeddings/weight")
    yield "embed_positions.weight", as_float(weights, "decoder/position_encodings/encodings")
    yield from _module(weights, "layer_norm", "decoder/layer_norm")
    for number in range(layer_count(weights, "decoder")):
        own, place = f"layers.{number}.", f"decoder/layer_{number}/"
        for module, name in MODULES.items():
            yield from _module(weights, own + module, place + name)
        for module, (name, letters) in JOINED.items():
            for part in ("weight", "bias"):
                pieces = np.split(as_float(weights, f"{place}{name}/{part}"), len(letters))
                for letter, piece in zip(letters, pieces, strict=True):
                    if (letter, part) != ("k", "bias"):
                        yield f"{own}{module}.{letter}_proj.{part}", piece


def _module(weights: Weights, module: str, name: str) -> Iterator[tuple[str, NDArray[np.float32]]]:
    parts = ("gamma", "beta") if name.endswith("layer_norm") else ("weight", "bias")
    for part, other in zip(("weight", "bias"), parts, strict=True):
        yield f"{module}.{part}", as_float(weights, f"{name}/{other}")


def make_network(weights: Weights, tokenizer: Any, config: dict[str, Any]) -> Any:
    """The network of transformers with these weights."""
    import torch
    from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

    width, bands = (int(n) for n in weights["encoder/conv1/weight"].shape[:2])
    end, start = (tokenizer.token_to_id(name) for name in (END, START))
    special = {"eos_token_id": end, "decoder_start_token_id": start}
    network = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(weights["decoder/embeddings/weight"]),
            num_mel_bins=bands,
            d_model=width,
            encoder_layers=layer_count(weights, "encoder"),
            decoder_layers=layer_count(weights, "decoder"),
            encoder_attention_heads=int(weights["encoder/num_heads"]),
            decoder_attention_heads=int(weights["decoder/num_heads"]),
            encoder_ffn_dim=4 * width,
            decoder_ffn_dim=4 * width,
            max_source_positions=len(weights["encoder/position_encodings/encodings"]),
            max_target_positions=MAX_POSITIONS,
            bos_token_id=end,
            pad_token_id=end,
            **special,
        )
    ).eval()
    put_encoder(network, weights)
    state = {name: torch.from_numpy(value) for name, value in decoder_state(weights)}
    network.model.decoder.load_state_dict(state)
    network.tie_weights()
    network.generation_config = GenerationConfig(
        suppress_tokens=config.get("suppress_ids"),
        begin_suppress_tokens=config.get("suppress_ids_begin"),
        alignment_heads=config.get("alignment_heads"),
        **special,
    )
    return network


def convert(folder: Path, out: Path) -> Path:
    """Write the folder `out`; returns it."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    network = make_network(FileWeights(folder / "model.bin"), tokenizer, config)
    network.save_pretrained(out)
    shutil.copy(folder / "tokenizer.json", out)
    return out


def main() -> None:
    """Convert a folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    print(convert(given.folder, given.out))


if __name__ == "__main__":
    main()
