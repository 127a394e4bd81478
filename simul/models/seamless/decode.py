"""SeamlessM4T's text decoder on torch over several windows at once: greedy decoding that shows its cross-attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from policies.base import StopRule

NAME = "simul-seamless"
NEVER = 1 << 30


@dataclass(frozen=True)
class Prompt:
    """What the decoder is given: `head` (start and language), then the forced `prefix`.

    room: how many tokens may be written. word_complete: the prefix ends with a whole word, which the first token
    must not make longer. stop: where to stop by itself.
    """

    head: tuple[int, ...]
    prefix: tuple[int, ...] = ()
    room: int = 256
    word_complete: bool = False
    stop: StopRule = field(default_factory=StopRule)


@dataclass(frozen=True)
class Hypothesis:
    """The tokens written after the prefix.

    logprobs: float [n], natural log-probabilities among the tokens that decoding allows. attention: float32
    [n, frames], the cross-attention from which each token was predicted, mean of the heads of one layer. ended: the
    model ended the text itself. stopped: a stop rule met the last token, which is still shown.
    """

    ids: tuple[int, ...]
    logprobs: NDArray[np.float64]
    attention: NDArray[np.float32]
    ended: bool
    stopped: bool = False

    def first(self, count: int) -> Hypothesis:
        """The hypothesis cut after `count` tokens."""
        if count >= len(self.ids):
            return self
        return Hypothesis(self.ids[:count], self.logprobs[:count], self.attention[:count], False)


@dataclass(frozen=True)
class Rules:
    """end: the token that ends a text. never: bool [vocabulary], tokens that are not written. grows: bool
    [vocabulary], tokens that make a word before them longer."""

    end: int
    never: torch.Tensor
    grows: torch.Tensor


class Capture:
    """The cross-attention of one decoder layer at the newest query, float32 [rows, frames]."""

    def __init__(self, layer: int) -> None:
        self.layer = layer
        self.weights = torch.empty(0)

    def read(self, query: torch.Tensor, key: torch.Tensor, scaling: float, mask: torch.Tensor | None) -> None:
        """Compute it from queries and keys [rows, heads, length, width]; mask: bool [rows, 1, any, frames]."""
        scores = (query[:, :, -1:] @ key.transpose(2, 3)).float() * scaling
        if mask is not None:
            scores = scores.masked_fill(~mask[:, :, -1:], -torch.inf)
        self.weights = scores.softmax(-1).mean(1)[:, 0]


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
    """The attention function of the registry: fused attention, and one layer's cross-attention shown to `capture`.

    The fused kernel shows no weights, so those of the one layer and query are computed besides.
    """
    crosses = getattr(module, "is_decoder", False) and not module.is_causal
    if capture is not None and crosses and module.layer_idx == capture.layer:
        capture.read(query, key, query.shape[-1] ** -0.5 if scaling is None else scaling, attention_mask)
    return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **more)


def register() -> str:
    """Make the attention function known to transformers; its name there."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    return NAME


def encode(encoder: Any, features: Sequence[NDArray[np.float32]], device: torch.device) -> list[torch.Tensor]:
    """The speech encoder's output [frames, width] for features [n, bands] of windows of any lengths.

    The conformer runs on all windows at once; it masks padding everywhere. The adaptor does not: its convolution
    would mix what stands after the end of a window into the last frame, so each window passes it alone, without
    padding. A window of n features gives n // 8 + 1 frames with the usual kernel and stride of 8.
    """
    lengths = [len(f) for f in features]
    batch = torch.zeros((len(features), max(lengths), features[0].shape[1]), device=device)
    for row, feature in enumerate(features):
        batch[row, : len(feature)] = torch.from_numpy(feature)
    mask = None
    if min(lengths) < max(lengths):
        mask = torch.arange(max(lengths), device=device) < torch.tensor(lengths, device=device)[:, None]
    hidden = encoder.feature_projection(batch.to(encoder.dtype))
    hidden = encoder.encoder(hidden, attention_mask=mask)
    hidden = hidden + 0.5 * encoder.intermediate_ffn(hidden)
    found = []
    for row, length in enumerate(lengths):
        alone = hidden[row : row + 1, :length]
        if encoder.adapter is not None:
            alone = encoder.adapter(alone, attention_mask=None)
        found.append(encoder.inner_layer_norm(alone)[0])
    return found


class _Rows:
    """The state of a batch: one row per window that is still being written."""

    def __init__(self, network: Any, encoded: Sequence[torch.Tensor], layer: int) -> None:
        self._network, self._capture = network, Capture(layer)
        lengths = [len(e) for e in encoded]
        self._hidden = torch.nn.utils.rnn.pad_sequence(list(encoded), batch_first=True)
        device = self._hidden.device
        self._content = (
            torch.arange(max(lengths), device=device) < torch.tensor(lengths, device=device)[:, None]
        )
        self._mask = self._content if min(lengths) < max(lengths) else None
        self._cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        self.logits = self.attention = torch.empty(0)

    def feed(self, ids: torch.Tensor) -> None:
        """Go on by tokens int [rows, n]; then the logits and the attention of the next token are known."""
        hidden = self._network.text_decoder(
            input_ids=ids,
            encoder_hidden_states=self._hidden,
            encoder_attention_mask=self._mask,
            past_key_values=self._cache,
            use_cache=True,
            capture=self._capture,
        ).last_hidden_state
        self.logits = self._network.lm_head(hidden[:, -1]).float()
        self.attention = self._capture.weights

    def select(self, rows: torch.Tensor) -> None:
        """Keep some rows."""
        self._cache.batch_select_indices(rows)
        self._hidden, self._content = self._hidden[rows], self._content[rows]
        self._mask = None if self._mask is None else self._mask[rows]
        self.logits, self.attention = self.logits[rows], self.attention[rows]


def greedy(
    network: Any,
    encoded: Sequence[torch.Tensor],
    prompts: Sequence[Prompt],
    rules: Rules,
    layer: int,
    frame: int,
) -> list[Hypothesis]:
    """One hypothesis per window: the most probable token at each step, until the end, a stop rule or the room.

    layer: the decoder layer whose cross-attention is shown. frame: samples of an encoder frame.
    The decoder's positions count cached tokens, padding included, so rows are never padded: what all prefixes have
    in length is computed in one pass, and from there on every row goes step by step, its own prefix first.
    """
    device, frames = encoded[0].device, max(len(e) for e in encoded)
    given = [[*p.head, *p.prefix] for p in prompts]
    common = min(map(len, given))
    last = max(len(ids) + p.room for ids, p in zip(given, prompts, strict=True))
    forced = torch.tensor([ids + [rules.end] * (last - len(ids)) for ids in given], device=device)
    written = torch.full((len(prompts), last), rules.end, device=device)
    logprobs = torch.zeros((len(prompts), last), dtype=torch.float64, device=device)
    attention = torch.zeros((len(prompts), last, frames), device=device)
    until = torch.tensor([len(ids) for ids in given], device=device)
    limits = until + torch.tensor([p.room for p in prompts], device=device)
    ends = until.clone()
    ended, stopped = (torch.zeros(len(prompts), dtype=torch.bool, device=device) for _ in range(2))
    stops = _Stops(prompts, [len(e) for e in encoded], frame, device)
    rows = torch.arange(len(prompts), device=device)
    state = _Rows(network, encoded, layer)
    state.feed(forced[:, :common])
    for place in range(common, last):
        chances = _allowed(state.logits, rules, stops, rows, until[rows] == place)
        best, chosen = chances.max(-1)
        free = until[rows] <= place
        token = torch.where(free, chosen, forced[rows, place])
        written[rows, place], logprobs[rows, place] = token, best.double()
        attention[rows, place, : state.attention.shape[1]] = state.attention
        over = free & (token == rules.end)
        met = free & ~over & stops.met(rows, best, state.attention)
        ends[rows] += (free & ~over).long()
        ended[rows] |= over
        stopped[rows] |= met
        going = ~over & ~met & (place + 1 < limits[rows])
        kept = going.nonzero()[:, 0]
        if not len(kept):
            break
        if len(kept) < len(going):
            state.select(kept)
            rows, token = rows[kept], token[kept]
        state.feed(token[:, None])
    return [
        Hypothesis(
            tuple(written[b, first:final].tolist()),
            logprobs[b, first:final].cpu().numpy().copy(),
            attention[b, first:final, : len(encoded[b])].cpu().numpy().copy(),
            bool(ended[b]),
            bool(stopped[b]),
        )
        for b, (first, final) in enumerate(zip(until.tolist(), ends.tolist(), strict=True))
    ]


def _allowed(
    logits: torch.Tensor, rules: Rules, stops: _Stops, rows: torch.Tensor, first: torch.Tensor
) -> torch.Tensor:
    """Log-probabilities [rows, vocabulary] among the allowed tokens; first: bool [rows], no token is written yet."""
    barred = rules.never | ((first & stops.over[rows])[:, None] & rules.grows)
    logits = logits.masked_fill(barred, -torch.inf)
    logits[:, rules.end] = logits[:, rules.end].masked_fill(stops.endless[rows], -torch.inf)
    return logits.log_softmax(-1)


class _Stops:
    """Stop rules of several rows, judged at once; `endless` rows may not end, `over`: see `Prompt.word_complete`."""

    def __init__(
        self, prompts: Sequence[Prompt], frames: Sequence[int], frame: int, device: torch.device
    ) -> None:
        def made(values: Sequence[float], kind: torch.dtype) -> torch.Tensor:
            return torch.tensor(values, dtype=kind, device=device)

        late = [
            NEVER if p.stop.at_frame is None else n + (-p.stop.at_frame // frame)
            for p, n in zip(prompts, frames, strict=True)
        ]
        low = [-np.inf if p.stop.score_below is None else p.stop.score_below for p in prompts]
        self._late, self._low = made(late, torch.long), made(low, torch.float64)
        self.endless = made([p.stop.suppress_end for p in prompts], torch.bool)
        self.over = made([p.word_complete for p in prompts], torch.bool)

    def met(self, rows: torch.Tensor, chances: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        """Which rows' newest tokens meet their rule; attention beyond a row's frames is zero."""
        return (attention.argmax(-1) >= self._late[rows]) | (chances.double() < self._low[rows])
