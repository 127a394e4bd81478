"""Cross-attention of a Whisper decoder's alignment heads, read through a registered attention function.

All attention is computed by the fused kernel, which shows no weights. For the layers that hold alignment heads the
scores of just these heads are computed besides. What they are written to travels with the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "simul-alignment-heads"


class Capture:
    """What one forward pass of the decoder is told and tells about its cross-attention.

    heads: the heads to read, per layer. mask: bool [rows, 1, 1, frames], the encoder frames that there are; None:
    all. newest: read the last query only.
    """

    def __init__(
        self, heads: Mapping[int, torch.Tensor], mask: torch.Tensor | None = None, newest: bool = False
    ) -> None:
        self.heads, self.mask, self.newest = heads, mask, newest
        self._scores: list[torch.Tensor] = []

    def read(self, layer: int, query: torch.Tensor, key: torch.Tensor, scaling: float) -> None:
        """Take the scores of a layer's alignment heads from its queries and keys [rows, heads, length, width]."""
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


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    capture: Capture | None = None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """The attention function of the registry: fused attention that shows cross-attention to `capture`."""
    if capture is not None and module.is_decoder and not module.is_causal:
        attention_mask = capture.mask
        capture.read(int(module.layer_idx), query, key, 1.0 if scaling is None else scaling)  # type: ignore[arg-type]
    return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **more)


def register() -> str:
    """Make the attention function known to transformers; its name there."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    return NAME


def alignment_heads(
    listed: Iterable[tuple[int, int]] | None, layers: int, heads: int, device: torch.device
) -> dict[int, torch.Tensor]:
    """Heads per decoder layer: those `listed` as (layer, head), or else all of the last half of the layers.

    The default is that of Radford et al. (2023) for models without published heads.
    """
    pairs = [(int(layer), int(head)) for layer, head in listed or ()]
    if not pairs:
        pairs = [(layer, head) for layer in range(layers // 2, layers) for head in range(heads)]
    return {
        layer: torch.tensor([h for at, h in pairs if at == layer], device=device)
        for layer in sorted({layer for layer, _ in pairs})
    }
