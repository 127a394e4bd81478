"""A decoder whose next token is looked up by everything that was given and written before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache

from simul.decoding.attention import Capture
from simul.decoding.batch import KeyValues
from simul.decoding.rules import Rules

SIZE = 8
END, TIME = 7, 6
"""Tokens 0 to 5 are text; odd ones make a word before them longer."""
WIDTH = 10
FRAME = 100
SHARP = 30.0

Script = Callable[[int, tuple[int, ...]], tuple[Sequence[float], int]]
"""For the number of a text and its tokens so far the logits [SIZE] of the next, and the frame that it rests on."""


class ScriptedDecoder:
    """Writes tokens and positions into the caches and reads them back, so that a mistake in caches, masks, positions
    or rows is seen as a wrong text.

    fed: for each call, how many tokens of how many rows.
    """

    device, frame = torch.device("cpu"), FRAME

    def __init__(self, script: Script, positions: int = 64, crosses: bool = True) -> None:
        self._script, self.positions, self._crosses = script, positions, crosses
        self.heads: Mapping[int, torch.Tensor] = {0: torch.tensor([0])} if crosses else {}
        self.fed: list[tuple[int, int]] = []

    def empty_cache(self) -> DynamicCache:
        return DynamicCache()

    def forward(
        self, ids: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, cache: Cache, capture: Capture
    ) -> torch.Tensor:
        with torch.device("cpu"):
            return self._forward(ids, positions, mask, cache, capture)

    def _forward(
        self, ids: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, cache: Cache, capture: Capture
    ) -> torch.Tensor:
        assert capture.newest, "the attention of earlier queries is of no use"
        assert 0 <= positions.min() <= positions.max() < self.positions
        rows, count = ids.shape
        self.fed.append((rows, count))
        keys = torch.zeros((rows, 1, count, WIDTH))
        keys[:, 0, :, 0], keys[:, 0, :, 1] = ids.float(), positions.float()
        own: Any = cache.self_attention_cache if self._crosses else cache  # type: ignore[attr-defined]
        known, _ = own.update(keys, -keys, 0)
        columns = known.shape[2]
        assert mask.shape == (rows, 1, count, columns)
        logits, query = torch.empty((rows, SIZE)), torch.zeros((rows, 1, count, WIDTH))
        for row in range(rows):
            seen = self._seen(mask[row, 0], known[row, 0])
            number = 0
            if self._crosses:
                number = int(cache.cross_attention_cache.layers[0].keys[row, 0, 0, -1])  # type: ignore[attr-defined]
            scores, frame = self._script(number, seen)
            logits[row] = torch.tensor(scores)
            query[row, 0, -1, frame] = SHARP
        if self._crosses:
            capture.read(0, query, cache.cross_attention_cache.layers[0].keys, 1.0)  # type: ignore[attr-defined]
        return logits

    def _seen(self, mask: torch.Tensor, keys: torch.Tensor) -> tuple[int, ...]:
        """The tokens that the last query attends to; each query before it attends to one less, or to itself alone."""
        text = mask[-1].nonzero()[:, 0].tolist()
        columns = mask.shape[1]
        assert text == list(range(text[0], columns)), "padding stands only before a text"
        for back, row in enumerate(mask.flip(0)):
            column = columns - 1 - back
            expected = [c for c in text if c <= column] or [column]
            assert row.nonzero()[:, 0].tolist() == expected
        numbers = [min(place, self.positions - 1) for place in range(len(text))]
        assert keys[text, 1].tolist() == numbers
        return tuple(int(token) for token in keys[text, 0])


@contextmanager
def elsewhere() -> Iterator[None]:
    """Within, a tensor that is made without saying where is on a device whose tensors hold nothing."""
    with torch.device("meta"):
        yield


def kept(number: int, frames: int = 5, content: int | None = None) -> KeyValues:
    """Encoder frames of text `number`: the scores that a query gives are its first dimensions."""
    cross = torch.zeros((1, 2, 1, frames, WIDTH))
    cross[0, :, 0, range(frames), range(frames)] = 1
    cross[..., -1] = number
    return KeyValues(cross, frames if content is None else content)


def rules(begin: Sequence[int] = (), never: Sequence[int] = ()) -> Rules:
    """Token 7 ends a text, 6 is a time, odd text tokens make a word longer."""

    def listed(tokens: Sequence[int]) -> torch.Tensor:
        return torch.tensor([token in tokens for token in range(SIZE)])

    return Rules(listed([END]), listed(never), listed([1, 3, 5]), listed(begin), listed(range(TIME)))


def spelled(*texts: Sequence[int]) -> Script:
    """Each text is written as it stands here, after whatever is a beginning of it, and nothing else is likely.

    A token rests on the frame of its place in the text.
    """

    def script(number: int, seen: tuple[int, ...]) -> tuple[list[float], int]:
        text = texts[number]
        place = len(seen)
        token = text[place] if seen == tuple(text[:place]) and place < len(text) else 0
        return [9.0 if i == token else 0.1 * i for i in range(SIZE)], min(place, WIDTH - 2)

    return script
