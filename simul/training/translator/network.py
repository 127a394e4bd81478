"""Pre-norm encoder-decoder transformer of the text translator (torch), sized to train on two CPU cores."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from simul.training.translator.corpus import PAD


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the network; `source_size` and `target_size` count vocabulary entries."""

    source_size: int
    target_size: int
    width: int = 256
    heads: int = 4
    hidden: int = 1024
    encoder_layers: int = 5
    decoder_layers: int = 2
    max_length: int = 256


def sinusoids(length: int, width: int) -> Tensor:
    """Sinusoidal positions [length, width], sines in the first half (Vaswani et al. 2017, section 3.5)."""
    rates = torch.exp(-math.log(10000.0) * torch.arange(width // 2) / (width // 2 - 1))
    angles = torch.arange(length)[:, None] * rates[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Attention(nn.Module):
    """Multi-head attention with biased projections; keys and values share one fused projection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, memory: Tensor, causal: bool = False) -> Tensor:
        """x [batch, m, width] attends to memory [batch, n, width]."""

        def split(t: Tensor) -> Tensor:
            return t.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        key, value = self.key_value(memory).chunk(2, dim=-1)
        q, k, v = split(self.query(x)), split(key), split(value)
        if q.device.type == "cpu":
            # In half precision the backward pass of fused attention takes half of a training step on a CPU.
            with torch.autocast("cpu", enabled=False):
                mixed = F.scaled_dot_product_attention(q.float(), k.float(), v.float(), is_causal=causal)
        else:
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(-2))
        return out


class FeedForward(nn.Module):
    """Two linear maps with a ReLU between."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down(F.relu(self.up(x)))
        return out


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each normalised before and added after."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(config.width)
        self.attention = Attention(config.width, config.heads)
        self.norm_feed = nn.LayerNorm(config.width)
        self.feed = FeedForward(config.width, config.hidden)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm_attention(x)
        x = x + self.attention(h, h)
        out: Tensor = x + self.feed(self.norm_feed(x))
        return out


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the source, feed-forward."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.norm_self = nn.LayerNorm(config.width)
        self.self_attention = Attention(config.width, config.heads)
        self.norm_source = nn.LayerNorm(config.width)
        self.source_attention = Attention(config.width, config.heads)
        self.norm_feed = nn.LayerNorm(config.width)
        self.feed = FeedForward(config.width, config.hidden)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        h = self.norm_self(x)
        x = x + self.self_attention(h, h, causal=True)
        x = x + self.source_attention(self.norm_source(x), memory)
        out: Tensor = x + self.feed(self.norm_feed(x))
        return out


class Translator(nn.Module):
    """The network; the output projection shares the target embedding."""

    positions: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.source_embedding = nn.Embedding(config.source_size, config.width, padding_idx=PAD)
        self.target_embedding = nn.Embedding(config.target_size, config.width, padding_idx=PAD)
        self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.encoder_norm = nn.LayerNorm(config.width)
        self.decoder_norm = nn.LayerNorm(config.width)
        self.output_bias = nn.Parameter(torch.zeros(config.target_size))
        self.register_buffer("positions", sinusoids(config.max_length, config.width), persistent=False)
        for embedding in (self.source_embedding, self.target_embedding):
            nn.init.normal_(embedding.weight, std=config.width**-0.5)
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1 and "embedding" not in name:
                nn.init.xavier_uniform_(parameter)

    def _embed(self, table: nn.Embedding, ids: Tensor) -> Tensor:
        return table(ids) * math.sqrt(self.config.width) + self.positions[: ids.shape[1]]

    def hidden(self, source: Tensor, decoder_input: Tensor) -> Tensor:
        """Decoder states [batch, target length, width] for ids source [batch, n] and decoder_input [batch, m]."""
        memory = self._embed(self.source_embedding, source)
        for layer in self.encoder:
            memory = layer(memory)
        memory = self.encoder_norm(memory)
        x = self._embed(self.target_embedding, decoder_input)
        for layer in self.decoder:
            x = layer(x, memory)
        out: Tensor = self.decoder_norm(x)
        return out

    def loss(self, source: Tensor, decoder_input: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        """Sum of the label-smoothed cross-entropy over the positions whose label is not `PAD`."""
        keep = labels != PAD
        states = self.hidden(source, decoder_input)[keep]
        logits = F.linear(states, self.target_embedding.weight, self.output_bias)
        return F.cross_entropy(logits.float(), labels[keep], label_smoothing=smoothing, reduction="sum")
