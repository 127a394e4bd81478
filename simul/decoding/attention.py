"""Cross-attention of chosen decoder heads, read through a registered attention function.

All attention is computed by the fused kernel, which shows no weights. For the layers that hold heads to be read the
scores of just these heads are computed besides. What they are written to travels with the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "simul-cross-attention"


class Capture:
    """What one pass of a decoder is told and tells about its cross-attention.

    heads: the heads to read, per layer. mask: bool [rows, 1, 1, frames], the encoder frames that there are; None:
    all. newest: read the last query only.
    """

    def __init__(
        self, heads: Mapping[int, torch.Tensor], mask: torch.Tensor | None = None, newest: bool = False
    ) -> None:
        self.heads, self.mask, self.newest = heads, mask, newest
        self._scores: list[torch.Tensor] = []

    def read(self, layer: int, query: torch.Tensor, key: torch.Tensor, scaling: float) -> None:
        """Take the scores of a layer's chosen heads from its queries and keys [rows, heads, length, width]."""
        chosen = self.heads.get(layer)
        if chosen is None:
            return
        query = query[:, :, -1:] if self.newest else query
        scores = query.index_select(1, chosen) @ key.index_select(1, chosen).transpose(2, 3)
        scores = scores.float() * scaling
        self._scores.append(scores if self.mask is None else scores.masked_fill(~self.mask, -torch.inf))

    def scores(self) -> torch.Tensor:
        """Attention before the softmax, float32 [rows, heads, queries, frames]."""
        return torch.cat(self._scores, dim=1)

    def mean(self) -> torch.Tensor:
        """Attention of the newest query, mean of the heads, float32 [rows, frames]."""
        return self.scores()[:, :, -1].softmax(-1).mean(1)


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    capture: Capture | None = None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """The attention function of the registry: fused attention that shows cross-attention to `capture`."""
    if capture is not None and module.is_decoder and not module.is_causal:
        attention_mask = capture.mask
        capture.read(int(module.layer_idx), query, key, scaling)  # type: ignore[arg-type]
    return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **more)


def register() -> str:
    """Make the attention function known to transformers; its name there."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    return NAME
