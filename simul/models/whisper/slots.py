"""Growing windows of causal Whisper in slots: fixed tensors on the device that windows take, fill and give back.

In the manner of the streaming state of Moshi (Défossez et al. 2024, and its program): the tensors are there before the
streams are, one call steps windows of different lengths, lengths and masks say what counts, and nothing is allocated
while no more windows are open at once than there ever were. The states are those of `causal`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from simul.decoding.graphs import Graphs, bucket, power
from simul.models.whisper.blocks import HeardWindow, silent
from simul.models.whisper.decoder import EncodedWindow
from simul.models.whisper.features import STEP
from simul.models.whisper.interface import MAX_POSITIONS
from simul.units import Samples

SPARE = 0
"""The slot into which goes what no window wants: rows and frames that only fill a shape."""
FIRST = 4
"""Slots that there are at first; they double when all are taken."""
MOST_BLOCKS = 4
"""Blocks of a window in one call; a longer window takes several."""
MOST_ROWS = 64
"""Windows in one call; more take several."""
SEEN = (100, 250, 500, 750, 1000, 1250)
"""Sizes to which the frames that are seen are rounded up, below the most."""


class SlotTensors:
    """What windows keep, one slot each, slot `SPARE` for none of them.

    keys, values: [layers, slots, frames, width] of the encoder. cross: [layers, 2, slots, frames, width] of the
    decoder's cross-attention. own: [layers, 2, slots, heads, positions, head width] of its self-attention. before:
    [slots, width], the first convolution's last output; ahead: the same behind frames that are encoded for once.
    """

    def __init__(self, network: Any, slots: int) -> None:
        encoder, decoder = network.model.encoder, network.model.decoder
        self._device, self._dtype = network.device, network.dtype
        frames, width = encoder.embed_positions.weight.shape
        own = decoder.layers[0].self_attn
        shape = len(encoder.layers), slots, frames, width
        self.keys, self.values = self._empty(*shape), self._empty(*shape)
        self.cross = self._empty(len(decoder.layers), 2, *shape[1:])
        self.own = self._empty(len(decoder.layers), 2, slots, own.num_heads, MAX_POSITIONS, own.head_dim)
        self.before, self.ahead = self._empty(slots, width), self._empty(slots, width)

    def _empty(self, *shape: int) -> torch.Tensor:
        """Zeros; on a CPU memory is taken only where something is written."""
        if self._device.type == "cpu":
            size = torch.empty(0, dtype=self._dtype).element_size()
            raw = torch.from_numpy(np.zeros(size * int(np.prod(shape)), np.uint8))
            return raw.view(self._dtype).view(shape)
        return torch.zeros(shape, dtype=self._dtype, device=self._device)

    def each(self) -> list[torch.Tensor]:
        """All of them, slots first, what grows with a window second."""
        first = [t.movedim(-3, 0).movedim(-2, 1) for t in (self.keys, self.values, self.cross)]
        return [*first, self.own.movedim(2, 0).movedim(-2, 1), self.before, self.ahead]


class SlotPool:
    """Which slots are taken. make: gives tensors of so many slots; changed: told when the tensors are others."""

    def __init__(self, make: Callable[[int], SlotTensors], slots: int = FIRST) -> None:
        self._make = make
        self.tensors = make(1 + slots)
        self._free = list(range(slots, 0, -1))
        self._used: dict[int, int] = {}
        self.generation = 0

    @property
    def slots(self) -> int:
        """How many there are."""
        return len(self._used) + len(self._free)

    @property
    def taken(self) -> int:
        """How many are taken."""
        return len(self._used)

    def take(self) -> int:
        """A slot that is empty."""
        if not self._free:
            self._double()
        slot = self._free.pop()
        self._used[slot] = 0
        return slot

    def use(self, slot: int, frames: int) -> None:
        """Something is written into the first `frames` places of a slot."""
        self._used[slot] = max(self._used[slot], frames)

    def clear(self, slot: int) -> None:
        """Make a slot as if nothing had been written; what is masked must not be infinite either."""
        used = self._used[slot]
        for tensor in self.tensors.each():
            place = tensor[slot]
            place = place[:used] if place.ndim > 1 else place
            place.zero_()
        self._used[slot] = 0

    def give_back(self, slot: int) -> None:
        """Nobody needs a slot any more."""
        self.clear(slot)
        del self._used[slot]
        self._free.append(slot)

    def _double(self) -> None:
        """Twice as many slots; those that there are keep their numbers and what is in them."""
        count, old = self.slots, self.tensors
        self.tensors = self._make(1 + 2 * count)
        for before, after in zip(old.each(), self.tensors.each(), strict=True):
            for slot, used in self._used.items():
                length = used if before.ndim > 2 else before.shape[1]
                after[slot][:length].copy_(before[slot][:length])
        self._free = list(range(2 * count, count, -1))
        self.generation += 1


@dataclass(eq=False)
class SlotWindow:
    """A window that grows in a slot, which is given back with the last reference to the window."""

    pool: SlotPool
    heard: HeardWindow
    slot: int = field(init=False)

    def __post_init__(self) -> None:
        self.slot = self.pool.take()
        weakref.finalize(self, self.pool.give_back, self.slot).atexit = False

    def reset(self) -> None:
        """Begin anew in the same slot."""
        self.pool.clear(self.slot)
        self.heard = silent(self.heard.bands)


@dataclass
class SlotEncoded(EncodedWindow):
    """A window as it is in its slot, until it grows. room: where the decoder's own keys and values go."""

    window: SlotWindow | None = None
    room: torch.Tensor | None = None

    def remember(self, ids: tuple[int, ...], own: torch.Tensor) -> None:
        assert self.room is not None
        assert self.window is not None
        self.window.pool.use(self.window.slot, len(ids))
        self.own = self.room[:, :, :, : len(ids)].copy_(own)
        self.ids = ids


class _Row(NamedTuple):
    """What is new of a window: features of its blocks, of which `whole` stay; all are `frames` after `start`."""

    slot: int
    start: int
    blocks: list[NDArray[np.float32]]
    whole: int
    frames: int


class StepInputs(NamedTuple):
    """A call's shape and contents: int [rows] slots, starts (frames before), counts (new frames) and wholes (blocks
    that stay); features [rows, blocks, 2 block + 2, bands]."""

    slots: torch.Tensor
    starts: torch.Tensor
    counts: torch.Tensor
    wholes: torch.Tensor
    mel: torch.Tensor


class SlotEncoder:
    """Encodes growing windows of a transformers Whisper network whose encoder was trained for blocks.

    block: encoder frames (20 ms each) of a block. slots: how many there are at first. graphs: recordings of steps, each
    for so many rows, blocks and frames before; None: steps are computed as they come.
    """

    def __init__(self, network: Any, block: int, slots: int = FIRST, graphs: Graphs | None = None) -> None:
        self._network, self.block, self.graphs = network, block, graphs
        self._inputs: dict[Hashable, StepInputs] = {}
        self._generation = 0
        self._encoder, self._decoder = network.model.encoder, network.model.decoder
        self._device, self._dtype = network.device, network.dtype
        self._bands = int(network.config.num_mel_bins)
        self._heads = int(network.config.encoder_attention_heads)
        self.longest = len(self._encoder.embed_positions.weight)
        self.pool = SlotPool(lambda count: SlotTensors(network, count), slots)

    def start(self) -> SlotWindow:
        """A window of which nothing was heard."""
        return SlotWindow(self.pool, silent(self._bands))

    def grow(self, kept: Sequence[SlotWindow], windows: Sequence[Samples]) -> list[SlotEncoded]:
        """Windows whose samples, given whole, have become more.

        Whole blocks are encoded once; the rest of the audio and the silence behind it are encoded for this time only,
        where the next blocks will come to lie. After a failure the windows begin anew.
        """
        if not kept:
            return []
        try:
            heard = [self._heard(*each) for each in zip(kept, windows, strict=True)]
            rows = [self._row(window.slot, each) for window, each in zip(kept, heard, strict=True)]
            for row in rows:
                self.pool.use(row.slot, row.start + row.frames)
            self._encode(rows)
        except BaseException:
            for window in kept:
                window.reset()
            raise
        found = []
        for window, now, row, samples in zip(kept, heard, rows, windows, strict=True):
            window.heard = now
            found.append(self._view(window, row.start + row.frames, len(samples)))
        return found

    @staticmethod
    def _heard(window: SlotWindow, samples: Samples) -> HeardWindow:
        heard = replace(window.heard)
        heard.push(samples[heard.received :])
        return heard

    def _row(self, slot: int, heard: HeardWindow) -> _Row:
        """The blocks that are new; `heard` moves on to behind those that stay."""
        start, blocks = heard.frames, []
        while len(heard.energies) > 2 * self.block:
            blocks.append(heard.features(2 * self.block))
            heard.frames += self.block
        whole, end = len(blocks), replace(heard)
        end.close(self.longest)
        while len(end.energies) >= 2:
            count = min(self.block, len(end.energies) // 2)
            blocks.append(np.pad(end.features(2 * count), ((0, 2 * (self.block - count)), (0, 0))))
            end.frames += count
        return _Row(slot, start, blocks, whole, end.frames - start)

    def _view(self, window: SlotWindow, frames: int, samples: int) -> SlotEncoded:
        tensors, heads = self.pool.tensors, self._decoder.layers[0].encoder_attn.num_heads
        cross = tensors.cross[:, :, window.slot, :frames].unflatten(-1, (heads, -1)).transpose(2, 3)
        content = max(1, min(-(-samples // STEP), frames))
        return SlotEncoded(cross, content, window=window, room=tensors.own[:, :, window.slot])

    def _encode(self, rows: Sequence[_Row]) -> None:
        """Encode what is new of each window, `MOST_BLOCKS` at a time."""
        tensors = self.pool.tensors
        with torch.inference_mode():
            slots = torch.tensor([row.slot for row in rows], device=self._device)
            tensors.ahead.index_copy_(0, slots, tensors.before.index_select(0, slots))
            for first in range(0, max(len(row.blocks) for row in rows), MOST_BLOCKS):
                going = [row for row in rows if len(row.blocks) > first]
                for begin in range(0, len(going), MOST_ROWS):
                    self._call(going[begin : begin + MOST_ROWS], first)

    def _call(self, rows: Sequence[_Row], first: int) -> None:
        """Encode up to `MOST_BLOCKS` blocks of each window, from its new block number `first` on."""
        block = self.block
        counts = [min(row.frames - first * block, MOST_BLOCKS * block) for row in rows]
        starts = [row.start + first * block for row in rows]
        wholes = [max(0, min(row.whole - first, MOST_BLOCKS)) for row in rows]
        blocks = -(-max(counts) // block)
        mel = np.zeros((len(rows), blocks, 2 * block + 2, self._bands), np.float32)
        for place, row in zip(mel, rows, strict=True):
            own = row.blocks[first : first + blocks]
            place[: len(own)] = own
        numbers = torch.tensor([[row.slot for row in rows], starts, counts, wholes]).to(self._device)
        slots, begins, lengths, staying = numbers
        inputs = StepInputs(
            slots, begins, lengths, staying, torch.from_numpy(mel).to(self._device, self._dtype)
        )
        seen = max(start + count for start, count in zip(starts, counts, strict=True))
        if self.graphs is None:
            self.step(inputs, max(counts), seen)
        else:
            self._replay(self.graphs, inputs, seen)

    def _replay(self, graphs: Graphs, given: StepInputs, seen: int) -> None:
        """The same from a recording for the next larger shape."""
        if self._generation != self.pool.generation:
            graphs.clear()
            self._inputs.clear()
            self._generation = self.pool.generation
        rows, blocks = given.mel.shape[:2]
        sizes = power(rows), power(blocks), bucket(seen, (*SEEN, self.longest))
        if sizes not in self._inputs:
            self._inputs[sizes] = self._blank(*sizes[:2])
        fixed = self._inputs[sizes]
        for tensor in fixed:
            tensor.zero_()
        graphs.prepare(sizes, lambda: self.step(fixed, sizes[1] * self.block, sizes[2]))
        for tensor, new in zip(fixed, given, strict=True):
            tensor[:rows].copy_(new) if tensor.ndim == 1 else tensor[:rows, :blocks].copy_(new)
        graphs.run(sizes)

    def _blank(self, rows: int, blocks: int) -> StepInputs:
        """Inputs of a shape, all in the spare slot."""
        slots, starts, counts, wholes = torch.zeros((4, rows), dtype=torch.long, device=self._device)
        shape = rows, blocks, 2 * self.block + 2, self._bands
        mel = torch.zeros(shape, dtype=self._dtype, device=self._device)
        return StepInputs(slots, starts, counts, wholes, mel)

    def step(self, inputs: StepInputs, width: int, seen: int) -> None:
        """Encode the frames of `inputs`, at most `width` of each row, which see the first `seen` places of their slots.

        Only the slots' tensors change; nothing asks the device anything.
        """
        tensors, block = self.pool.tensors, self.block
        slots, starts, counts, wholes, mel = inputs
        hidden = self._convolved(mel, slots, counts, wholes)[:, :width]
        offset = torch.arange(hidden.shape[1], device=slots.device)
        place = (starts[:, None] + offset).clamp(max=self.longest - 1)
        hidden = hidden + self._encoder.embed_positions.weight[place]
        at = torch.where(
            offset < counts[:, None], slots[:, None] * self.longest + place, offset % self.longest
        ).flatten()
        column = torch.arange(seen, device=slots.device)
        # Rows that only fill the batch see one frame, since attention to nothing is not a number.
        there = column < (starts + counts).clamp(min=1)[:, None]
        mask = there[:, None] & (column // block <= place[..., None] // block)
        for layer, keys, values in zip(self._encoder.layers, tensors.keys, tensors.values, strict=True):
            hidden = self._layer(layer, hidden, keys, values, at, slots, mask[:, None])
        hidden = self._encoder.layer_norm(hidden)
        for layer, (keys, values) in zip(self._decoder.layers, tensors.cross, strict=True):
            _put(keys, at, layer.encoder_attn.k_proj(hidden))
            _put(values, at, layer.encoder_attn.v_proj(hidden))

    def _convolved(
        self, mel: torch.Tensor, slots: torch.Tensor, counts: torch.Tensor, wholes: torch.Tensor
    ) -> torch.Tensor:
        """The convolutions' output [rows, frames, width]; what the next blocks need of it is kept."""
        encoder, tensors = self._encoder, self.pool.tensors
        rows, blocks = mel.shape[:2]
        inner = mel.flatten(0, 1).transpose(1, 2)
        inner = F.gelu(F.conv1d(inner, encoder.conv1.weight, encoder.conv1.bias)).unflatten(0, (rows, blocks))
        tails = torch.cat([tensors.ahead[slots][:, None], inner[..., -1]], 1)
        wide = torch.cat([tails[:, :-1, :, None], inner], -1).flatten(0, 1)
        outer = F.gelu(F.conv1d(wide, encoder.conv2.weight, encoder.conv2.bias, stride=2))
        row = torch.arange(rows, device=slots.device)
        tensors.ahead.index_copy_(0, slots, tails[row, (counts + self.block - 1) // self.block])
        kept = torch.where((wholes > 0)[:, None], tails[row, wholes], tensors.before[slots])
        tensors.before.index_copy_(0, slots, kept)
        return outer.transpose(1, 2).unflatten(0, (rows, blocks)).flatten(1, 2)

    def _layer(
        self,
        layer: Any,
        hidden: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        at: torch.Tensor,
        slots: torch.Tensor,
        mask: torch.Tensor,
    ) -> torch.Tensor:
        """One layer over new frames [rows, n, width], whose keys and values go into their slots."""
        own, normed = layer.self_attn, layer.self_attn_layer_norm(hidden)
        _put(keys, at, own.k_proj(normed))
        _put(values, at, own.v_proj(normed))
        seen = mask.shape[-1]
        query, key, value = (
            part.unflatten(-1, (self._heads, -1)).transpose(1, 2)
            for part in (
                own.q_proj(normed),
                keys[:, :seen].index_select(0, slots),
                values[:, :seen].index_select(0, slots),
            )
        )
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        hidden = hidden + own.out_proj(found.transpose(1, 2).flatten(2))
        inner = layer.activation_fn(layer.fc1(layer.final_layer_norm(hidden)))
        return hidden + layer.fc2(inner)


def _put(tensor: torch.Tensor, at: torch.Tensor, values: torch.Tensor) -> None:
    """Write values [rows, n, width] to the places `at` [rows n] of [slots, frames, width]."""
    tensor.view(-1, tensor.shape[-1]).index_copy_(0, at, values.flatten(0, 1))
