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
    """The steps of passes over some windows.

    silence: float32 [rows], how probable it is that nobody speaks, as the first tokens of the pass tell; below zero
    where the start token was not among them.
    """

    positions, frame = MAX_POSITIONS, STEP
    silence: torch.Tensor

    def __init__(self, network: Any, heads: Mapping[int, torch.Tensor], tokens: WhisperTokens) -> None:
        self._network, self.heads, self._tokens = network, heads, tokens
        self.device: torch.device = network.device
        self.begin()

    def begin(self) -> None:
        """The next tokens are the first of a pass."""
        self._began = False

    def empty_cache(self) -> DynamicCache:
        return DynamicCache()

    def forward(
        self, ids: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, cache: Cache, capture: Capture
    ) -> torch.Tensor:
        """Logits [rows, vocabulary] of the tokens after the newest; see `StepModel`."""
        hidden = self._hidden(ids, positions, mask, cache, capture)
        if not self._began:
            self._began, self.silence = True, self._silence(ids, hidden)
        logits: torch.Tensor = self._network.proj_out(hidden[:, -1])
        return logits

    def _silence(self, ids: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        starts = ids == self._tokens.start
        place = starts.long().argmax(1)
        chances = self._network.proj_out(hidden[torch.arange(len(ids), device=ids.device), place])
        chance = chances.float().softmax(-1)[:, self._tokens.no_speech]
        return torch.where(starts.any(1), chance, -1.0)

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
