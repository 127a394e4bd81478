"""Whisper's decoder on torch, step by step, and what it keeps of a window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache, EncoderDecoderCache

from simul.decoding.attention import Capture
from simul.decoding.batch import KeyValues, cross_cache, run_layers
from simul.models.whisper.features import STEP
from simul.models.whisper.interface import MAX_POSITIONS
from simul.models.whisper.tokens import WhisperTokens


@dataclass
class EncodedWindow(KeyValues):
    """A window of audio as the encoder left it, and what the decoder has computed over it.

    no_speech: the probability that nobody speaks, which belongs to the tokens that are kept.
    """

    no_speech: float = 0.0


class WhisperDecoder:
    """The steps of one pass over some windows; `no_speech`: the probability for each that nobody speaks."""

    positions, frame = MAX_POSITIONS, STEP

    def __init__(
        self,
        network: Any,
        heads: Mapping[int, torch.Tensor],
        tokens: WhisperTokens,
        windows: Sequence[EncodedWindow],
    ) -> None:
        self._network, self.heads, self._tokens = network, heads, tokens
        self.device = windows[0].cross.device
        self.no_speech = [window.no_speech for window in windows]
        self._began = False

    def empty_cache(self) -> DynamicCache:
        return DynamicCache()

    def forward(
        self, ids: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, cache: Cache, capture: Capture
    ) -> torch.Tensor:
        """Logits [rows, vocabulary] of the tokens after the newest; see `StepModel`."""
        hidden = self._hidden(ids, positions, mask, cache, capture)
        if not self._began:
            self._began = True
            for row, place in (ids == self._tokens.start).nonzero().tolist():
                chances = self._network.proj_out(hidden[row, place]).float().softmax(-1)
                self.no_speech[row] = float(chances[self._tokens.no_speech])
        logits: torch.Tensor = self._network.proj_out(hidden[:, -1])
        return logits

    def teach(self, windows: Sequence[EncodedWindow], ids: torch.Tensor) -> torch.Tensor:
        """Scores of the heads [rows, heads, n, frames] for whole sequences `ids` [rows, n], given at once."""
        other, mask = cross_cache(windows)
        capture = Capture(self.heads, mask)
        place = torch.arange(ids.shape[1], device=ids.device)
        causal = (place <= place[:, None])[None, None]
        self._hidden(ids, place[None], causal, EncoderDecoderCache(self.empty_cache(), other), capture)
        return capture.scores()

    def _hidden(
        self, ids: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, cache: Cache, capture: Capture
    ) -> torch.Tensor:
        decoder = self._network.model.decoder
        embedded = decoder.embed_tokens(ids) + decoder.embed_positions.weight[positions]
        return run_layers(decoder, embedded, mask, cache, capture)


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
