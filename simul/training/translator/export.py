"""Export of a trained network to a CTranslate2 model folder (int8), with its vocabularies and a description."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from simul.training.translator.network import Attention, DecoderLayer, EncoderLayer, NetworkConfig, Translator
from simul.training.translator.trainer import load_vocabularies

FORMAT = 1


def _array(tensor: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().cpu().float().numpy())


def _set_linear(spec: Any, *layers: torch.nn.Linear) -> None:
    """One linear map, or several applied to the same input stacked into one."""
    spec.weight = np.concatenate([_array(layer.weight) for layer in layers])
    spec.bias = np.concatenate([_array(layer.bias) for layer in layers])


def _set_norm(spec: Any, norm: torch.nn.LayerNorm) -> None:
    spec.gamma, spec.beta = _array(norm.weight), _array(norm.bias)


def _set_attention(spec: Any, attention: Attention, norm: torch.nn.LayerNorm, to_itself: bool) -> None:
    _set_norm(spec.layer_norm, norm)
    if to_itself:
        _set_linear(spec.linear[0], attention.query, attention.key_value)
    else:
        _set_linear(spec.linear[0], attention.query)
        _set_linear(spec.linear[1], attention.key_value)
    _set_linear(spec.linear[-1], attention.out)


def _set_feed(spec: Any, layer: EncoderLayer | DecoderLayer) -> None:
    _set_norm(spec.layer_norm, layer.norm_feed)
    _set_linear(spec.linear_0, layer.feed.up)
    _set_linear(spec.linear_1, layer.feed.down)


def ctranslate2_spec(network: Translator, source: Any, target: Any) -> Any:
    """The network as a `ctranslate2.specs.TransformerSpec`; source and target are SentencePiece processors."""
    from ctranslate2.specs import TransformerSpec, common_spec

    config = network.config
    spec = TransformerSpec.from_config(
        (config.encoder_layers, config.decoder_layers),
        config.heads,
        pre_norm=True,
        activation=common_spec.Activation.RELU,
        alignment_layer=-1,
        alignment_heads=config.heads,
    )
    positions = _array(network.positions)
    spec.encoder.embeddings[0].weight = _array(network.source_embedding.weight)
    spec.decoder.embeddings.weight = _array(network.target_embedding.weight)
    for side in (spec.encoder, spec.decoder):
        side.scale_embeddings = True
        side.position_encodings.encodings = positions
    for layer, encoder_layer in zip(spec.encoder.layer, network.encoder, strict=True):
        assert isinstance(encoder_layer, EncoderLayer)
        _set_attention(layer.self_attention, encoder_layer.attention, encoder_layer.norm_attention, True)
        _set_feed(layer.ffn, encoder_layer)
    for layer, decoder_layer in zip(spec.decoder.layer, network.decoder, strict=True):
        assert isinstance(decoder_layer, DecoderLayer)
        _set_attention(layer.self_attention, decoder_layer.self_attention, decoder_layer.norm_self, True)
        _set_attention(layer.attention, decoder_layer.source_attention, decoder_layer.norm_source, False)
        _set_feed(layer.ffn, decoder_layer)
    _set_norm(spec.encoder.layer_norm, network.encoder_norm)
    _set_norm(spec.decoder.layer_norm, network.decoder_norm)
    spec.decoder.projection.weight = _array(network.target_embedding.weight)
    spec.decoder.projection.bias = _array(network.output_bias)
    spec.register_source_vocabulary([source.id_to_piece(i) for i in range(source.get_piece_size())])
    spec.register_target_vocabulary([target.id_to_piece(i) for i in range(target.get_piece_size())])
    spec.config.add_source_bos = spec.config.add_source_eos = False
    spec.config.decoder_start_token = target.id_to_piece(target.bos_id())
    return spec


def export(training_folder: Path, output: Path, quantization: str = "int8") -> Path:
    """Write the trained network of `training_folder` to `output`, ready for `EmbeddedTranslator`.

    Raises:
        FileNotFoundError: there is no checkpoint in `training_folder`.
    """
    state = torch.load(training_folder / "checkpoint.pt", map_location="cpu", weights_only=True)
    recipe = json.loads(state["config"])
    source, target = load_vocabularies(training_folder)
    sizes = {key: recipe[key] for key in ("width", "heads", "hidden", "encoder_layers", "decoder_layers")}
    config = NetworkConfig(source.get_piece_size(), target.get_piece_size(), **sizes)
    network = Translator(config)
    network.load_state_dict(state["network"])
    spec = ctranslate2_spec(network, source, target)
    spec.validate()
    spec.optimize(quantization=quantization)
    output.mkdir(parents=True, exist_ok=True)
    spec.save(str(output))
    for name in ("source.model", "target.model"):
        shutil.copyfile(training_folder / name, output / name)
    description = {
        "format": FORMAT,
        "source": "en",
        "targets": list(recipe["languages"]),
        "steps": state["step"],
        "parameters": sum(p.numel() for p in network.parameters()),
        "recipe": recipe,
    }
    (output / "translator.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
    return output
