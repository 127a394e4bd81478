"""Whisper's encoder in torch: full attention, or blocks whose frames see their block and all before it.

The states are those that `simul.models.whisper.causal` computes block by block, and `simul.models.whisper.onnxruntime`
over whole windows; names and layout of the weights are theirs too.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from simul.models.whisper.features import FFT, HOP, SPAN, mel_filters
from simul.models.whisper.onnxruntime.layers import EPSILON
from simul.models.whisper.weights import Weights, as_float

HALF = FFT // 2
HEADS, POSITIONS = "encoder/num_heads", "encoder/position_encodings/encodings"


class BlockEncoder(nn.Module):
    """An encoder with the given weights, names as in `simul.models.whisper.weights`; positions do not learn."""

    filters: torch.Tensor
    hann: torch.Tensor
    positions: torch.Tensor

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.heads = int(weights[HEADS])
        for name in sorted(weights):
            if name.endswith(("/weight", "/bias", "/gamma", "/beta")) and name.startswith("encoder/"):
                self.register_parameter(name, nn.Parameter(torch.from_numpy(as_float(weights, name))))
        self.layers = sum(name.endswith("/ffn/linear_0/weight") for name, _ in self.named_parameters())
        bands = self["encoder/conv1/weight"].shape[1]
        self.register_buffer("filters", torch.from_numpy(mel_filters(bands)))
        self.register_buffer("hann", torch.hann_window(FFT))
        self.register_buffer("positions", torch.from_numpy(as_float(weights, POSITIONS)))

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.get_parameter(name)

    @property
    def longest(self) -> int:
        """How many frames a window may have."""
        return len(self.positions)

    def forward(
        self, samples: torch.Tensor, frames: int, block: int | None = None, keep: Sequence[int] = ()
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """States [windows, frames, width] of samples [windows, n] and the silence behind them.

        block: frames of a block; None: all frames see all. keep: layers whose output is returned too.
        """
        x = F.gelu(self._taps(self._features(samples, frames, block), "encoder/conv1"))
        wide = F.pad(x, (1, 0))
        taps = torch.cat([wide[..., :-1:2], x[..., ::2], x[..., 1::2]], 1)
        x = F.gelu(self._taps(taps, "encoder/conv2")).transpose(1, 2) + self.positions[:frames]
        mask = None
        if block is not None:
            place = torch.arange(frames, device=x.device) // block
            mask = place[None] <= place[:, None]
        kept = []
        for layer in range(self.layers):
            name = f"encoder/layer_{layer}/"
            x = x + self._attention(x, name + "self_attention/", mask)
            h = F.gelu(self._linear(self._norm(x, name + "ffn/layer_norm"), name + "ffn/linear_0"))
            x = x + self._linear(h, name + "ffn/linear_1")
            if layer in keep:
                kept.append(x)
        return self._norm(x, "encoder/layer_norm"), kept

    def _features(self, samples: torch.Tensor, frames: int, block: int | None) -> torch.Tensor:
        """[windows, 3 bands, 2 frames]: of each mel frame the one before it, itself and the one behind it.

        What lies behind a block's end is seen with the block's own loudest frame, which is all that is known then.
        """
        count = 2 * frames
        with torch.autocast(samples.device.type, enabled=False):
            padded = F.pad(samples.float(), (HALF, 0), mode="reflect")
            padded = F.pad(padded, (0, max(0, count * HOP + FFT - padded.shape[1])))
            spectrum = torch.stft(padded, FFT, HOP, window=self.hann, center=False, return_complex=True)
            power = spectrum[..., :count].abs() ** 2
            energies = (self.filters.T @ power).clamp(min=1e-10).log10()
            floor = self._loudest(energies.amax(1), 2 * (block or frames)) - SPAN
            own = (torch.maximum(energies, floor) + 4) / 4
            ahead = (torch.maximum(energies[..., 1:], floor[..., :-1]) + 4) / 4
        return torch.cat([F.pad(own, (1, 0))[..., :-1], own, F.pad(ahead, (0, 1))], 1)

    @staticmethod
    def _loudest(peaks: torch.Tensor, block: int) -> torch.Tensor:
        """[windows, 1, n]: the largest of peaks [windows, n] up to the end of each one's block."""
        count = peaks.shape[1]
        padded = F.pad(peaks, (0, -count % block), value=-torch.inf)
        tops = padded.unflatten(1, (-1, block)).amax(2).cummax(1).values
        return tops.repeat_interleave(block, 1)[:, None, :count]

    def _taps(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """A convolution of three taps over x [windows, 3 channels, n], in which the taps stand one after the other."""
        weight = self[name + "/weight"]
        flat = weight.permute(0, 2, 1).reshape(len(weight), -1, 1)
        return F.conv1d(x, flat, self[name + "/bias"])

    def _attention(self, x: torch.Tensor, name: str, mask: torch.Tensor | None) -> torch.Tensor:
        joined = self._linear(self._norm(x, name + "layer_norm"), name + "linear_0")
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in joined.chunk(3, -1)
        )
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self._linear(found.transpose(1, 2).flatten(-2), name + "linear_1")

    def _linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return F.linear(x, self[name + "/weight"], self[name + "/bias"])

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, x.shape[-1:], self[name + "/gamma"], self[name + "/beta"], EPSILON)
