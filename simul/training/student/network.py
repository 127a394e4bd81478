"""A Firefox student in torch, to learn with: parameters keep Marian's names, widths and depths come from the weights.

The encoder is a post-norm Transformer; the decoder has simpler simple recurrent units (SSRU; Kim et al.
2019, WNGT) with attention on the encoded source, and its table is also its output layer. The model that
translates is `simul.models.marian`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from simul.models.marian.arrays import Arrays, Matrix

HIDDEN = -1e9
"""Added to the scores of source places behind the end."""
_EPSILON = 1e-6


def as_tensor(value: Any) -> torch.Tensor:
    """A weight as float32."""
    floats = value.values.astype(np.float32) * value.scale[:, None] if isinstance(value, Matrix) else value
    return torch.from_numpy(np.array(floats, np.float32))


class StudentPart(nn.Module):
    """An encoder or decoder: its arrays as parameters, found by Marian's names."""

    positions: torch.Tensor

    def __init__(self, arrays: Arrays, heads: int) -> None:
        super().__init__()
        self.heads = heads
        for name, value in arrays.items():
            self.register_parameter(name, nn.Parameter(as_tensor(value)))
        side = next(iter(arrays)).partition("_")[0]
        self.table_name = f"{side}_Wemb"
        self.layers = sum(name.endswith("_ffn_W1") for name in arrays)
        self.width = self[self.table_name].shape[1]
        self.register_buffer("positions", sinusoids(512, self.width), persistent=False)

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.get_parameter(name)

    def embedded(self, ids: torch.Tensor, start: int = 0) -> torch.Tensor:
        """Pieces and places [rows, n, width]; an id below zero is no piece, a row of zeros."""
        table = self[self.table_name]
        rows = F.embedding(ids.clamp(min=0), table) * math.sqrt(self.width)
        places = self.positions[start : start + ids.shape[1]].to(table.dtype)
        return rows * (ids >= 0)[..., None] + places

    def affine(self, x: torch.Tensor, key: str, weight: str, bias: str) -> torch.Tensor:
        return F.linear(x, self[f"{key}_{weight}"], self[f"{key}_{bias}"])

    def norm(self, x: torch.Tensor, key: str) -> torch.Tensor:
        scale, bias = self[f"{key}_ln_scale"], self[f"{key}_ln_bias"]
        return F.layer_norm(x, (self.width,), scale, bias, _EPSILON)

    def attention(self, x: torch.Tensor, memory: torch.Tensor, mask: torch.Tensor, key: str) -> torch.Tensor:
        """Attention of `x` on `memory`; `mask` [rows, 1, 1, S] is added to the scores."""
        query, keys, values = (
            self.affine(side, key, f"W{n}", f"b{n}").unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for side, n in ((x, "q"), (memory, "k"), (memory, "v"))
        )
        if x.is_cuda:
            seen = F.scaled_dot_product_attention(query, keys, values, attn_mask=mask.to(query.dtype))
        else:
            seen = plain_attention(query, keys, values, mask)
        return self.norm(x + self.affine(seen.transpose(1, 2).flatten(-2), key, "Wo", "bo"), f"{key}_Wo")

    def feed_forward(self, x: torch.Tensor, key: str) -> torch.Tensor:
        up = F.relu(self.affine(x, key, "W1", "b1"))
        return self.norm(x + self.affine(up, key, "W2", "b2"), f"{key}_ffn")


class StudentEncoder(StudentPart):
    """Source pieces to memory [rows, S, width]."""

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.embedded(ids)
        for layer in range(1, self.layers + 1):
            x = self.attention(x, x, mask, f"encoder_l{layer}_self")
            x = self.feed_forward(x, f"encoder_l{layer}_ffn")
        return x


class StudentDecoder(StudentPart):
    """Target pieces so far and memory to what predicts the next piece."""

    def forward(
        self,
        previous: torch.Tensor,
        memory: torch.Tensor,
        mask: torch.Tensor,
        state: list[torch.Tensor] | None = None,
        start: int = 0,
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Hidden [rows, n, width] after `previous` [rows, n], and the state of each layer [rows, width].

        `previous` begins at place `start`; `state` is what an earlier call returned for the places before it.
        """
        x = self.embedded(previous, start)
        states = []
        for layer in range(1, self.layers + 1):
            x, last = self._recurrence(
                x, f"decoder_l{layer}_rnn", None if state is None else state[layer - 1]
            )
            states.append(last)
            x = self.attention(x, memory, mask, f"decoder_l{layer}_context")
            x = self.feed_forward(x, f"decoder_l{layer}_ffn")
        return x, states

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Scores of all pieces."""
        return F.linear(hidden, self[self.table_name], self["decoder_ff_logit_out_b"].flatten())

    def _recurrence(
        self, x: torch.Tensor, key: str, state: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """c_t = f_t c_{t-1} + (1 - f_t) W x_t; what goes on is norm(x + relu(c))."""
        forget = torch.sigmoid(self.affine(x, key, "Wf", "bf")).float()
        new = (1 - forget) * F.linear(x, self[f"{key}_W"]).float()
        if state is not None:
            new = torch.cat([new[:, :1] + forget[:, :1] * state[:, None], new[:, 1:]], 1)
        cells: torch.Tensor = Scan.apply(forget, new)
        return self.norm(x + F.relu(cells), f"{key}_ffn"), cells[:, -1]


class Scan(torch.autograd.Function):
    """c_t = forget_t c_{t-1} + new_t over [rows, n, width] float32; one node of the graph instead of n."""

    @staticmethod
    def forward(ctx: Any, forget: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        forget, new = (x.transpose(0, 1).contiguous() for x in (forget, new))
        cells = torch.empty_like(new)
        cells[0] = new[0]
        for t in range(1, len(forget)):
            torch.addcmul(new[t], forget[t], cells[t - 1], out=cells[t])
        ctx.save_for_backward(forget, cells)
        return cells.transpose(0, 1)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        forget, cells = ctx.saved_tensors
        grad = grads[0].transpose(0, 1).clone(memory_format=torch.contiguous_format)
        for t in range(len(forget) - 2, -1, -1):
            grad[t].addcmul_(forget[t + 1], grad[t + 1])
        of_forget = torch.zeros_like(forget)
        torch.mul(grad[1:], cells[:-1], out=of_forget[1:])
        return of_forget.transpose(0, 1), grad.transpose(0, 1)


def plain_attention(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """Attention [rows, heads, n, d] by two products.

    On a CPU torch's fused one takes four times as long, its gradient included (25 places, 8 heads of 32, bfloat16).
    """
    rows, heads = query.shape[:2]
    q, k, v = (x.flatten(0, 1) for x in (query, keys, values))
    scores = torch.bmm(q, k.transpose(1, 2)).unflatten(0, (rows, heads)) * query.shape[-1] ** -0.5 + mask
    seen = torch.bmm(scores.softmax(-1).flatten(0, 1).to(v.dtype), v)
    return seen.unflatten(0, (rows, heads))


def sinusoids(count: int, width: int) -> torch.Tensor:
    """Positions [count, width]: sines, then cosines."""
    half = width // 2
    rate = torch.exp(-torch.arange(half) * math.log(10000.0) / (half - 1))
    angles = torch.arange(count)[:, None] * rate
    return torch.cat([angles.sin(), angles.cos()], 1)


def mask_of(lengths: torch.Tensor, places: int) -> torch.Tensor:
    """[rows, 1, 1, places]: zero up to each length, `HIDDEN` behind it."""
    behind = torch.arange(places, device=lengths.device)[None] >= lengths[:, None]
    return torch.where(behind, HIDDEN, 0.0)[:, None, None]


@torch.no_grad()
def greedy(
    encoder: StudentEncoder,
    decoder: StudentDecoder,
    source: torch.Tensor,
    lengths: torch.Tensor,
    eos: int,
    factor: float = 1.5,
) -> list[list[int]]:
    """The most likely piece after each other, for sources [rows, S]; at most `factor` S + 6 pieces."""
    mask = mask_of(lengths, source.shape[1])
    memory = encoder(source, mask)
    previous = torch.full((len(source), 1), -1, device=source.device)
    state: list[torch.Tensor] | None = None
    done = torch.zeros(len(source), dtype=torch.bool, device=source.device)
    steps = []
    for t in range(int(source.shape[1] * factor) + 6):
        hidden, state = decoder(previous, memory, mask, state, t)
        previous = decoder.logits(hidden).argmax(-1)
        steps.append(torch.where(done, eos, previous[:, 0]))
        done |= previous[:, 0] == eos
        if t % 8 == 7 and bool(done.all()):
            break
    rows = torch.stack(steps, 1).tolist()
    return [row[: row.index(eos)] if eos in row else row for row in rows]
