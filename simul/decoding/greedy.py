"""A Whisper decoder on torch over several windows at once: caches, greedy decoding and stop rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.cache_utils import DynamicCache, DynamicLayer, EncoderDecoderCache

from policies.base import StopRule, common_prefix
from simul.decoding.attention import Capture
from simul.decoding.rules import History, Rules
from simul.models.whisper.features import STEP
from simul.models.whisper.interface import MAX_POSITIONS, Hypothesis, Prompt
from simul.models.whisper.tokens import WhisperTokens

NEVER = 1 << 30


@dataclass
class Window:
    """A window as the encoder left it, and what the decoder has computed over it.

    cross: keys and values of the encoder's frames, [layers, 2, heads, frames, width]. content: how many of the
    frames are audio and not the silence after it. own: keys and values [layers, 2, heads, n, width] of the decoder's
    first n tokens `ids`, with which another pass may begin. no_speech: the probability that nobody speaks, which
    belongs to them.
    """

    cross: torch.Tensor
    content: int
    ids: tuple[int, ...] = ()
    own: torch.Tensor | None = None
    no_speech: float = 0.0


class Batch:
    """A decoder's state over several windows, one row each: caches, positions, the next token's logits.

    What a window's cache already holds of its row's tokens is not computed again: a pass that goes on after
    rejected tokens costs only what is new, and a changed window begins with no cache. Rows of different lengths
    are padded on the left, cached and new tokens each, and the padding is masked.

    logits: [rows, vocabulary]. attention: float32 [rows, frames], the cross-attention that predicts the next token,
    mean of the alignment heads. no_speech: float32 [windows].
    """

    def __init__(
        self,
        network: Any,
        heads: Mapping[int, torch.Tensor],
        tokens: WhisperTokens,
        windows: Sequence[Window],
        sequences: Sequence[tuple[int, ...]],
    ) -> None:
        self._network, self._heads = network, heads
        self._device = windows[0].cross.device
        kept = [min(common_prefix([w.ids, s]), len(s) - 1) for w, s in zip(windows, sequences, strict=True)]
        self._load(windows, kept)
        new = [s[k:] for s, k in zip(sequences, kept, strict=True)]
        hidden = self._prefill(new, kept, tokens.end)
        self.no_speech = [w.no_speech for w in windows]
        for row, (sequence, k) in enumerate(zip(sequences, kept, strict=True)):
            start = sequence.index(tokens.start)
            if start >= k:
                logits = self._project(hidden[row, start - len(sequence)])
                self.no_speech[row] = float(logits.float().softmax(-1)[tokens.no_speech])

    def _load(self, windows: Sequence[Window], kept: Sequence[int]) -> None:
        """Fill the caches with what the windows hold of their first `kept` tokens, padded on the left."""
        self._cache, self._cross_mask = _caches(windows)
        longest = max(kept)
        self._valid = _last(kept, longest, self._device)
        if longest:
            pieces = [
                w.cross[:, :, :, :0] if w.own is None else w.own[:, :, :, :k]
                for w, k in zip(windows, kept, strict=True)
            ]
            self._cache.self_attention_cache.layers = _layers(_stack(pieces, longest, right=False))

    def _prefill(self, new: Sequence[tuple[int, ...]], kept: Sequence[int], pad: int) -> torch.Tensor:
        """Feed each row's new tokens; the last layer's output [rows, longest, width]."""
        longest = max(len(ids) for ids in new)
        ids = torch.tensor([(pad,) * (longest - len(i)) + i for i in new], device=self._device)
        counts = [len(i) for i in new]
        self._lengths = torch.tensor([k + n for k, n in zip(kept, counts, strict=True)], device=self._device)
        positions = self._lengths[:, None] - longest + torch.arange(longest, device=self._device)
        before = self._valid.shape[1]
        self._valid = torch.cat([self._valid, _last(counts, longest, self._device)], dim=1)
        column = torch.arange(before + longest, device=self._device)
        query = torch.arange(before, before + longest, device=self._device)[:, None]
        # Padding attends to itself, since attention to nothing is not a number.
        mask = (self._valid[:, None] & (column <= query)) | (column == query)
        return self._forward(ids, positions.clamp(min=0), mask[:, None])

    def feed(self, written: torch.Tensor) -> None:
        """Take the next token of each row, int [rows]."""
        self._valid = torch.nn.functional.pad(self._valid, (0, 1), value=True)
        # Rows that are over go on in the batch, and must not run out of positions.
        positions = self._lengths.clamp(max=MAX_POSITIONS - 1)[:, None]
        self._lengths = self._lengths + 1
        self._forward(written[:, None], positions, self._valid[:, None, None])

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        capture = Capture(self._heads, self._cross_mask, newest=True)
        hidden = _run(self._network, ids, positions, mask, self._cache, capture)
        self.logits = self._project(hidden[:, -1])
        self.attention = capture.scores()[:, :, -1].softmax(-1).mean(1)
        return hidden

    def _project(self, hidden: torch.Tensor) -> torch.Tensor:
        return self._network.proj_out(hidden)

    def select(self, rows: torch.Tensor) -> None:
        """Go on with some rows, or with several of one."""
        self._cache.cross_attention_cache.batch_select_indices(rows)
        if self._cross_mask is not None:
            self._cross_mask = self._cross_mask[rows]
        self.reorder(rows)

    def reorder(self, rows: torch.Tensor) -> None:
        """Let each row go on from the text of another one over the same window."""
        self._cache.self_attention_cache.batch_select_indices(rows)
        self._valid, self._lengths = self._valid[rows], self._lengths[rows]
        self.logits, self.attention = self.logits[rows], self.attention[rows]

    def own(self, row: int, count: int) -> torch.Tensor:
        """Keys and values of the row's first `count` tokens, [layers, 2, heads, count, width]."""
        columns = self._valid[row].nonzero()[:count, 0]
        layers: list[Any] = self._cache.self_attention_cache.layers
        return torch.stack(
            [torch.stack([layer.keys[row][:, columns], layer.values[row][:, columns]]) for layer in layers]
        )


class Stops:
    """Stop rules of several rows, judged at once on the device."""

    def __init__(
        self,
        prompts: Sequence[Prompt],
        windows: Sequence[Window],
        frames: int,
        end: int,
        device: torch.device,
    ) -> None:
        rules = [p.stop or StopRule() for p in prompts]
        self._end = end
        self._from = torch.tensor(
            [first_late(rule, w.content) for rule, w in zip(rules, windows, strict=True)], device=device
        )
        scores = [-np.inf if rule.score_below is None else rule.score_below for rule in rules]
        self._least = torch.tensor(scores, dtype=torch.float64, device=device)
        content = torch.tensor([w.content for w in windows], device=device)
        self._content = torch.arange(frames, device=device) < content[:, None]

    def met(
        self, rows: torch.Tensor, written: torch.Tensor, scores: torch.Tensor, attention: torch.Tensor
    ) -> torch.Tensor:
        """Which of the rows' tokens meet their rule; `scores` are their log-probabilities. Times never do."""
        strongest = attention.masked_fill(~self._content[rows], -1.0).argmax(-1)
        late = strongest >= self._from[rows]
        return (written < self._end) & (late | (scores.double() < self._least[rows]))


def first_late(rule: StopRule, content: int) -> int:
    """The first of `content` frames that lies too near their end."""
    return NEVER if rule.at_frame is None else content + (-rule.at_frame // STEP)


def stop_at(hypothesis: Hypothesis, rule: StopRule | None, end: int) -> Hypothesis:
    """The hypothesis as a decoder that knows the rule would have left it."""
    if rule is None or hypothesis.attention is None:
        return hypothesis
    limit = first_late(rule, hypothesis.attention.shape[1])
    for index, token in enumerate(hypothesis.ids):
        low = rule.score_below is not None and hypothesis.logprobs[index] < rule.score_below
        if token < end and (low or int(hypothesis.attention[index].argmax()) >= limit):
            return replace(hypothesis.first(index + 1), ended=False, stopped=True)
    return hypothesis


def greedy(
    batch: Batch,
    rules: Rules,
    tokens: WhisperTokens,
    windows: Sequence[Window],
    prompts: Sequence[Prompt],
) -> list[Hypothesis]:
    """The most probable token at each step, until the end, a stop rule or the room."""
    device, frames = batch.logits.device, batch.attention.shape[1]
    count, steps = len(prompts), max(p.room for p in prompts)
    ids = torch.full((count, steps), tokens.end, device=device)
    logprobs = torch.zeros((count, steps), device=device)
    attention = torch.zeros((count, steps, frames), device=device)
    lengths = torch.zeros(count, dtype=torch.long, device=device)
    stopped, ended = (torch.zeros(count, dtype=torch.bool, device=device) for _ in range(2))
    rooms = torch.tensor([p.room for p in prompts], device=device)
    stops = Stops(prompts, windows, frames, tokens.end, device)
    history = History.of(prompts, tokens, device)
    rows, going = torch.arange(count, device=device), torch.ones(count, dtype=torch.bool, device=device)
    for step in range(steps):
        scores, written = rules.logprobs(batch.logits, history).max(-1)
        ids[rows, step], logprobs[rows, step], attention[rows, step] = written, scores, batch.attention
        over = going & (written == tokens.end)
        met = going & stops.met(rows, written, scores, batch.attention)
        lengths[rows] += (going & ~over).long()
        ended[rows] |= over
        stopped[rows] |= met
        going = going & ~over & ~met & (step + 1 < rooms[rows])
        left = int(going.sum())
        if not left:
            break
        if 2 * left <= len(going):
            _remember(batch, windows, prompts, rows, lengths, ids, ~going)
            chosen = going.nonzero()[:, 0]
            batch.select(chosen)
            history = history.select(chosen)
            rows, written, going = rows[chosen], written[chosen], going[chosen]
        batch.feed(written)
        history = history.push(written, tokens)
    _remember(batch, windows, prompts, rows, lengths, ids, torch.ones_like(going))
    numbers, sizes = ids.cpu().numpy(), lengths.tolist()
    chances, weights = logprobs.cpu().numpy(), attention.cpu().numpy()
    return [
        Hypothesis(
            tuple(int(i) for i in numbers[b, :n]),
            chances[b, :n].astype(np.float64),
            batch.no_speech[b],
            bool(ended[b]),
            bool(stopped[b]),
            weights[b, :n, : windows[b].content].copy(),
        )
        for b, n in enumerate(sizes)
    ]


def teach(
    network: Any, heads: Mapping[int, torch.Tensor], windows: Sequence[Window], ids: torch.Tensor
) -> torch.Tensor:
    """Scores of the alignment heads [rows, heads, n, frames] for whole sequences `ids` [rows, n], given at once."""
    cache, mask = _caches(windows)
    capture = Capture(heads, mask)
    causal = torch.ones((ids.shape[1], ids.shape[1]), dtype=torch.bool, device=ids.device).tril()
    _run(
        network, ids, torch.arange(ids.shape[1], device=ids.device)[None], causal[None, None], cache, capture
    )
    return capture.scores()


def _run(
    network: Any,
    ids: torch.Tensor,
    positions: torch.Tensor,
    mask: torch.Tensor,
    cache: EncoderDecoderCache,
    capture: Capture,
) -> torch.Tensor:
    """The decoder's last hidden states [rows, n, width]; mask: bool [rows, 1, n, cached and new tokens]."""
    hidden: torch.Tensor = network.model.decoder(
        input_ids=ids,
        attention_mask=mask,
        # Only says that there is cross-attention; its keys and values are in the cache.
        encoder_hidden_states=network.proj_out.weight[:0],
        past_key_values=cache,
        position_ids=positions,
        use_cache=True,
        capture=capture,
    ).last_hidden_state
    return hidden


def _caches(windows: Sequence[Window]) -> tuple[EncoderDecoderCache, torch.Tensor | None]:
    """Empty caches over the windows, and bool [rows, 1, 1, frames] where some windows have fewer frames."""
    frames = [w.cross.shape[3] for w in windows]
    other = DynamicCache()
    other.layers = _layers(_stack([w.cross for w in windows], max(frames), right=True))
    mask = None
    if min(frames) < max(frames):
        device = windows[0].cross.device
        there = torch.arange(max(frames), device=device) < torch.tensor(frames, device=device)[:, None]
        mask = there[:, None, None]
    return EncoderDecoderCache(DynamicCache(), other), mask


def _remember(
    batch: Batch,
    windows: Sequence[Window],
    prompts: Sequence[Prompt],
    rows: torch.Tensor,
    lengths: torch.Tensor,
    ids: torch.Tensor,
    which: torch.Tensor,
) -> None:
    """Keep with their windows what the decoder computed in some of its rows; a last token was never fed."""
    for row in which.nonzero()[:, 0].tolist():
        b = int(rows[row])
        new = tuple(ids[b, : max(0, int(lengths[b]) - 1)].tolist())
        remember(batch, windows[b], row, (*prompts[b].head, *prompts[b].prefix, *new), batch.no_speech[b])


def remember(batch: Batch, window: Window, row: int, ids: tuple[int, ...], no_speech: float) -> None:
    """Keep with a window what the decoder computed for `ids` in a row."""
    window.ids, window.own, window.no_speech = ids, batch.own(row, len(ids)), no_speech


def _last(counts: Sequence[int], longest: int, device: torch.device) -> torch.Tensor:
    """Bool [rows, longest]: the last `counts[row]` columns of each row."""
    column = torch.arange(longest, device=device)
    return column >= longest - torch.tensor(list(counts), device=device)[:, None]


def _stack(pieces: Sequence[torch.Tensor], length: int, right: bool) -> torch.Tensor:
    """Tensors [layers, 2, heads, n, width] as one [layers, 2, rows, heads, length, width], padded with zeros."""
    padded = []
    for piece in pieces:
        lack = length - piece.shape[3]
        sides = (0, 0, 0, lack) if right else (0, 0, lack, 0)
        padded.append(torch.nn.functional.pad(piece, sides) if lack else piece)
    return padded[0].unsqueeze(2) if len(padded) == 1 else torch.stack(padded, dim=2)


def _layers(both: torch.Tensor) -> list[Any]:
    """Cache layers that hold keys and values [layers, 2, rows, heads, length, width] as they are."""
    layers: list[Any] = []
    for keys, values in both:
        layer = DynamicLayer()
        vars(layer).update(dtype=keys.dtype, device=keys.device)
        layer.keys, layer.values, layer.is_initialized = keys, values, True
        layers.append(layer)
    return layers


def numpy_rows(rows: torch.Tensor) -> NDArray[np.float32]:
    """A tensor as a float32 array of its own."""
    return rows.float().cpu().numpy().copy()
