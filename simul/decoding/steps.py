"""Greedy decoding over fixed tensors, in steps that are recorded once for each shape and replayed (`graphs`).

The results are those of `greedy`. Rows, frames and tokens are rounded up to a few sizes, so that few shapes occur; what
only fills a shape is masked. Texts that are over stay in the batch: a step over few rows takes no less time where this
is of use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, NamedTuple, Protocol

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer, EncoderDecoderCache

from policies.base import common_prefix
from simul.decoding.attention import Capture
from simul.decoding.batch import KeyValues, StepModel
from simul.decoding.graphs import Graphs, bucket
from simul.decoding.greedy import Written
from simul.decoding.interface import Hypothesis, Prompt
from simul.decoding.rules import History, Rules, Stops

ROWS = (1, 4, 16, 64)
"""Sizes to which texts in a pass are rounded up; more than the last take several passes."""
EVERY = 8
"""After how many steps the host asks which texts go on."""
FRAMES = (250, 500, 1000)
TOKENS = (63, 127, 255)
"""One less than what kernels like, since one more column takes what fills up."""
FED = (1, 8, 64, 256)
"""Sizes to which frames, tokens of a text, and tokens that are fed at first are rounded up, below the most. They are
few, since the first pass of every shape is recorded, which takes longer than a pass."""
BLANK = Prompt((0,))


class FixedModel(StepModel, Protocol):
    """A decoder with cross-attention whose passes may begin anew."""

    silence: torch.Tensor

    def begin(self) -> None:
        """The next tokens are the first of a pass."""
        ...


class Shape(NamedTuple):
    """Rows, encoder frames, and columns for tokens; one more column takes what fills up."""

    rows: int
    frames: int
    columns: int


class _FixedLayer(DynamicLayer):
    """Keys and values [rows, heads, columns, width] in place; at: int [rows, n], where new ones go."""

    at: torch.Tensor
    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().__init__()
        self.keys, self.values, self.is_initialized = keys, values, True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *more: Any, **others: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """All keys and values, now with the new ones."""
        at = self.at[:, None, :, None].expand_as(key_states)
        self.keys.scatter_(2, at, key_states)
        self.values.scatter_(2, at, value_states)
        return self.keys, self.values


class _Tensors:
    """What passes of at most so many rows are computed in.

    cross, own: [layers, 2, rows, heads, frames or columns, width]. there: bool [rows, 1, 1, frames]. prompt, places:
    int [rows, columns], tokens that are fed at first and their places, -1 for what fills up. at: int [rows], the place
    of the token that is written next; number: int [rows], how many were written; limits: the most. tokens, going: the
    last ones, and which texts go on.
    """

    def __init__(self, model: FixedModel, rules: Rules, like: torch.Tensor, rows: int, frames: int) -> None:
        layers, _, heads, _, width = like.shape
        device, columns = like.device, model.positions
        self.cross = like.new_zeros((layers, 2, rows, heads, frames, width))
        self.own = like.new_zeros((layers, 2, rows, heads, columns + 1, width))
        self.there = torch.ones((rows, 1, 1, frames), dtype=torch.bool, device=device)
        self.prompt, self.places = torch.zeros((2, rows, columns), dtype=torch.long, device=device)
        numbers = torch.zeros((4, rows), dtype=torch.long, device=device)
        self.at, self.limits, self.tokens, self.number = numbers
        self.going = torch.zeros(rows, dtype=torch.bool, device=device)
        self.silence = torch.zeros(rows, device=device)
        self.written = Written(rows, columns, frames if model.heads else 0, device)
        self.stops = Stops([BLANK] * rows, rules, [1] * rows, model.frame)
        self.history = always(rules.start([BLANK] * rows))


class FixedGreedy:
    """Greedy passes of one network, replayed from recordings.

    frames: the most that an encoder gives. every: after how many steps the host asks which texts go on.
    """

    def __init__(
        self, model: FixedModel, rules: Rules, graphs: Graphs, frames: int, every: int = EVERY
    ) -> None:
        self.model, self.rules, self.graphs = model, rules, graphs
        self._frames, self._every = frames, every
        self._tensors: _Tensors | None = None

    def __call__(
        self, prompts: Sequence[Prompt], kept: Sequence[KeyValues]
    ) -> tuple[list[Hypothesis], list[float]]:
        """The most probable token at each step, until an end, a stop rule or the room; and each text's `silence`."""
        found: list[Hypothesis] = []
        silence: list[float] = []
        for first in range(0, len(prompts), ROWS[-1]):
            part = slice(first, first + ROWS[-1])
            texts, chances = self._pass(prompts[part], kept[part])
            found += texts
            silence += chances
        return found, silence

    def _pass(
        self, prompts: Sequence[Prompt], kept: Sequence[KeyValues]
    ) -> tuple[list[Hypothesis], list[float]]:
        rooms = [p.room(self.model.positions) for p in prompts]
        known = [
            min(common_prefix([k.ids, p.ids]), len(p.ids) - 1) for k, p in zip(kept, prompts, strict=True)
        ]
        most = max(len(p.ids) + room for p, room in zip(prompts, rooms, strict=True))
        shape = Shape(
            bucket(len(prompts), ROWS),
            bucket(max(k.cross.shape[3] for k in kept), (*FRAMES, self._frames)),
            bucket(most, (*TOKENS, self.model.positions)),
        )
        fed = bucket(
            max(len(p.ids) - n for p, n in zip(prompts, known, strict=True)), (*FED, self.model.positions)
        )
        tensors = self._fitting(shape, kept[0].cross)
        steps = _Steps(self.model, self.rules, tensors, shape)
        self.graphs.prepare((shape, fed), lambda: steps.begin(fed))
        self.graphs.prepare(shape, steps.go_on)
        steps.load(prompts, kept, known, rooms, fed)
        self.graphs.run((shape, fed))
        for step in range(1, max(rooms)):
            if step % self._every == 0 and not bool(tensors.going.any()):
                break
            self.graphs.run(shape)
        found = tensors.written.hypotheses([k.content for k in kept])
        for row, (prompt, one, keeps) in enumerate(zip(prompts, found, kept, strict=True)):
            # Whether a last token was fed is not known.
            ids = (*prompt.ids, *one.ids[:-1])
            keeps.remember(ids, tensors.own[:, :, row, :, : len(ids)])
        return found, tensors.silence[: len(prompts)].tolist()

    def _fitting(self, shape: Shape, like: torch.Tensor) -> _Tensors:
        """Tensors with room for a shape; where they are new, recordings of the old ones are void."""
        tensors = self._tensors
        if tensors is None or len(tensors.at) < shape.rows:
            self.graphs.clear()
            self._tensors = tensors = _Tensors(self.model, self.rules, like, shape.rows, self._frames)
        return tensors


class _Steps:
    """The steps over the first rows, frames and columns of tensors."""

    def __init__(self, model: FixedModel, rules: Rules, tensors: _Tensors, shape: Shape) -> None:
        self._model, self._rules, self._tensors, self._shape = model, rules, tensors, shape
        rows, frames, columns = shape
        own = tensors.own[:, :, :rows, :, : columns + 1]
        cross = tensors.cross[:, :, :rows, :, :frames]
        self._own = [_FixedLayer(keys, values) for keys, values in own]
        self._cache = EncoderDecoderCache(_cache(self._own), _cache([_FixedLayer(*pair) for pair in cross]))
        self._history = tensors.history.select(slice(rows))

    def load(
        self,
        prompts: Sequence[Prompt],
        kept: Sequence[KeyValues],
        known: Sequence[int],
        rooms: Sequence[int],
        fed: int,
    ) -> None:
        """Copy in what a pass is given; rows beyond the prompts are over from the beginning."""
        tensors, rows, device = self._tensors, self._shape.rows, self._model.device
        lack = rows - len(prompts)
        blanks = [BLANK] * lack
        for row, (keeps, count) in enumerate(zip(kept, known, strict=True)):
            tensors.cross[:, :, row, :, : keeps.cross.shape[3]].copy_(keeps.cross)
            if count and keeps.own is not None:
                tensors.own[:, :, row, :, :count].copy_(keeps.own[:, :, :, :count])
        given = [(p.ids, n) for p, n in zip(prompts, known, strict=True)]
        ids = [[*[0] * (fed - len(t) + n), *t[n:]] for t, n in given]
        places = [[*[-1] * (fed - len(t) + n), *range(n, len(t))] for t, n in given]
        fill = torch.tensor([ids + [[0] * fed] * lack, places + [[-1] * fed] * lack], device=device)
        tensors.prompt[:rows, :fed], tensors.places[:rows, :fed] = fill
        frames = [*(keeps.cross.shape[3] for keeps in kept), *[1] * lack]
        counts = torch.tensor(
            [[*(len(t) for t, _ in given), *[0] * lack], [*rooms, *[0] * lack], frames], device=device
        )
        tensors.at[:rows], tensors.limits[:rows] = counts[:2]
        column = torch.arange(self._shape.frames, device=device)
        tensors.there[:rows, 0, 0, : self._shape.frames] = column < counts[2][:, None]
        tensors.going[:rows] = counts[1] > 0
        tensors.number.zero_()
        tensors.written.begin()
        copied(tensors.history, always(self._rules.start([*prompts, *blanks])), rows)
        contents = [*(keeps.content for keeps in kept), *[1] * lack]
        tensors.stops.load(Stops([*prompts, *blanks], self._rules, contents, self._model.frame), rows)

    def begin(self, fed: int) -> None:
        """Feed the last `fed` tokens of the prompts, and write the first tokens."""
        rows = self._shape.rows
        self._model.begin()
        self._step(self._tensors.prompt[:rows, :fed], self._tensors.places[:rows, :fed])
        self._tensors.silence[:rows].copy_(self._model.silence)

    def go_on(self) -> None:
        """Feed the tokens that were written last, and write the next."""
        rows, at = self._shape.rows, self._tensors.at
        self._step(self._tensors.tokens[:rows, None], at[:rows, None])
        at[:rows] += 1

    def _step(self, ids: torch.Tensor, places: torch.Tensor) -> None:
        tensors, (rows, frames, columns) = self._tensors, self._shape
        column = torch.arange(columns + 1, device=ids.device)
        place = places.clamp(min=0)
        # Padding sees the first column, since attention to nothing is not a number; it is written to the last.
        mask = (column <= place[..., None]) & (column < columns)
        at = torch.where(places < 0, columns, places).clamp(max=columns)
        for layer in self._own:
            layer.at = at
        capture = Capture(self._model.heads, tensors.there[:rows, ..., :frames], newest=True)
        positions = place.clamp(max=self._model.positions - 1)
        logits = self._model.forward(ids, positions, mask[:, None], self._cache, capture)
        attention = capture.mean() if self._model.heads else logits.new_zeros((rows, 0))
        scores, tokens = self._rules.logprobs(logits, self._history).max(-1)
        step = tensors.number[:rows].clamp(max=tensors.written.ids.shape[1] - 1)
        going = tensors.written.judge(
            torch.arange(rows, device=ids.device),
            step,
            (scores, tokens, attention),
            tensors.going[:rows],
            tensors.limits,
            self._rules,
            tensors.stops,
        )
        tensors.going[:rows] = going
        tensors.tokens[:rows] = tokens
        copied(tensors.history, self._rules.push(self._history, tokens), rows)
        tensors.number += 1


def _cache(layers: Sequence[DynamicLayer]) -> DynamicCache:
    cache = DynamicCache()
    cache.layers = [*layers]
    return cache


def always(history: History) -> History:
    """A history whose rules are all applied, whatever the texts say: which ones is no matter of the host's."""
    asked: dict[str, Any] = {
        f.name: True for f in fields(history) if isinstance(getattr(history, f.name), bool)
    }
    return replace(history, **asked)


def copied(history: History, other: History, rows: int) -> None:
    """Copy `other` into the first rows of a history; it may hold parts of that history."""
    names = [f.name for f in fields(history) if isinstance(getattr(history, f.name), torch.Tensor)]
    for name, value in [(name, getattr(other, name).clone()) for name in names]:
        getattr(history, name)[:rows].copy_(value)
