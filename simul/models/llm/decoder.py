"""A causal language model on torch, step by step."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache

from simul.decoding.attention import Capture


class CausalDecoder:
    """The steps of a network of transformers; it numbers as many tokens as it is given."""

    positions, frame = 1 << 30, 0
    heads: Mapping[int, torch.Tensor] = {}

    def __init__(self, network: Any) -> None:
        self._network, self.device = network, network.device
        # The argument has two names among the versions of the library.
        self._cache = (
            "cache" if "cache" in inspect.signature(network.forward).parameters else "past_key_values"
        )

    def empty_cache(self) -> DynamicCache:
        return DynamicCache(config=self._network.config)

    def forward(
        self, ids: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, cache: Cache, capture: Capture
    ) -> torch.Tensor:
        """Logits [rows, vocabulary] of the tokens after the newest; see `StepModel`."""
        more: dict[str, Any] = {self._cache: cache}
        logits: torch.Tensor = self._network(
            input_ids=ids,
            attention_mask=mask[:, 0, -1].long(),
            position_ids=positions,
            use_cache=True,
            logits_to_keep=1,
            **more,
        ).logits[:, -1]
        return logits
