"""Noise, voices behind, rooms, telephones and loudness, each on some of the windows of a batch."""

from __future__ import annotations

import torch

from simul.units import SAMPLE_RATE

_ROOM = int(0.3 * SAMPLE_RATE)
_NOISE, _PINK, _VOICES, _ROOMS, _TELEPHONE = 0.4, 0.5, 0.15, 0.2, 0.12
"""Shares of the windows; the second is of those with noise."""
_BAND = (250, 3600)
"""Hz that a telephone lets through."""


def augment(samples: torch.Tensor, others: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Samples [windows, n] as they may sound elsewhere; `others` are the voices behind some of them."""
    samples = _noisy(samples, others, random)
    wet = _through(samples, _rooms(len(samples), samples.device, random))
    samples = torch.where(_some(samples, _ROOMS, random), wet, samples)
    spectrum = torch.fft.rfft(samples)
    hertz = torch.linspace(0, SAMPLE_RATE / 2, spectrum.shape[1], device=samples.device)
    lost = _some(samples, _TELEPHONE, random) & ((hertz < _BAND[0]) | (hertz > _BAND[1]))
    samples = torch.fft.irfft(spectrum.masked_fill(lost, 0), n=samples.shape[1])
    samples = samples * _decibels(-12 * _uniform(samples, random))
    return samples * (0.9 / samples.abs().amax(1, keepdim=True).clamp(min=0.9))


def _noisy(samples: torch.Tensor, others: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """With white or pink noise 5 to 30 dB below, and with voices 8 to 23 dB below."""
    loud = samples.pow(2).mean(1, keepdim=True).sqrt() + 1e-4
    white = torch.randn(samples.shape, device=samples.device, generator=random)
    spectrum = torch.fft.rfft(white)
    slope = torch.arange(1, spectrum.shape[1] + 1, device=samples.device).sqrt()
    pink = torch.fft.irfft(spectrum / slope, n=samples.shape[1])
    noise = torch.where(_some(samples, _PINK, random), white, pink / pink.std(1, keepdim=True))
    level = _decibels(-5 - 25 * _uniform(samples, random))
    noisy = samples + _some(samples, _NOISE, random) * noise * loud * level
    behind = others / (others.pow(2).mean(1, keepdim=True).sqrt() + 1e-4)
    level = _decibels(-8 - 15 * _uniform(samples, random))
    return noisy + _some(samples, _VOICES, random) * behind * loud * level


def _rooms(count: int, device: torch.device, random: torch.Generator) -> torch.Tensor:
    """Impulse responses [count, n]: the sound itself, and noise that dies away within 20 to 140 ms."""
    time = torch.arange(_ROOM, device=device) / SAMPLE_RATE
    length = 0.02 + 0.12 * torch.rand(count, 1, device=device, generator=random)
    found = torch.randn(count, _ROOM, device=device, generator=random) * torch.exp(-time / length) * 0.3
    found[:, 0] = 1.0
    return found / found.norm(dim=1, keepdim=True)


def _through(samples: torch.Tensor, responses: torch.Tensor) -> torch.Tensor:
    """Samples folded with a response each, cut to their length."""
    size = samples.shape[1] + responses.shape[1]
    product = torch.fft.rfft(samples, n=size) * torch.fft.rfft(responses, n=size)
    return torch.fft.irfft(product, n=size)[:, : samples.shape[1]]


def _uniform(samples: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    return torch.rand(len(samples), 1, device=samples.device, generator=random)


def _some(samples: torch.Tensor, share: float, random: torch.Generator) -> torch.Tensor:
    """Whether each window [windows, 1] is one of a share of them."""
    return _uniform(samples, random) < share


def _decibels(level: torch.Tensor) -> torch.Tensor:
    return 10 ** (level / 20)
