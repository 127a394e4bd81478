"""SeamlessM4T's text decoder on torch, step by step."""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache

from simul.decoding.attention import Capture
from simul.decoding.batch import run_layers


class SeamlessDecoder:
    """layer: the decoder layer whose cross-attention is shown, all of its heads. frame: samples of an encoder frame."""

    def __init__(self, network: Any, layer: int, frame: int, device: torch.device) -> None:
        config = network.config
        self._decoder, self._project = network.text_decoder, network.lm_head
        self.device, self.frame, self.positions = device, frame, int(config.max_position_embeddings)
        self.heads = {layer: torch.arange(config.decoder_attention_heads, device=device)}

    def empty_cache(self) -> DynamicCache:
        return DynamicCache()

    def forward(
        self, ids: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, cache: Cache, capture: Capture
    ) -> torch.Tensor:
        """Logits [rows, vocabulary] of the tokens after the newest; see `StepModel`.

        The library's own forward counts padding among the positions; here they are looked up as they are.
        """
        embedded, table = self._decoder.embed_tokens(ids), self._decoder.embed_positions
        hidden = embedded + table.weights[positions + table.padding_idx + 1].to(embedded.dtype)
        logits: torch.Tensor = self._project(run_layers(self._decoder, hidden, mask, cache, capture)[:, -1])
        return logits
