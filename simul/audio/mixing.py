"""Several channels become one: a broadcaster's down-mix, opposite polarity put right, or one channel chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.errors import UsageError
from simul.units import Samples

_WEIGHTS = {"FC": 1.0, "FL": 0.7, "FR": 0.7, "FLC": 0.7, "FRC": 0.7, "LFE": 0.0, "LFE2": 0.0}
_OTHERS = 0.5
"""Weights of the channels of surround sound (after ITU-R BS.775, downward mixing): centre, front, bass, all others."""

_AMBISONIC, _EVERYWHERE = "AMBI", "AMBI0"
"""Of ambisonic sound the first channel alone holds every direction; the others are differences of directions."""

LAYOUTS: dict[int, tuple[str, ...]] = {
    1: ("FC",),
    2: ("FL", "FR"),
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
"""What channels are where nothing is said, by their number, as WAV and FLAC have them."""

_SPOKEN = {"left": "FL", "right": "FR", "centre": "FC", "center": "FC", "mono": "FC"}
_MASK = (
    *("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR"),
    *("TC", "TFL", "TFC", "TFR", "TBL", "TBC", "TBR"),
)

_BLOCKS_A_SECOND = 50
_MEMORY = 0.8
_OPPOSED, _AGREED = 5.0, 3.0
_SILENCE = 1e-9
_AUDIBLE = 1e-8
_BASS_HZ = 250.0
_VOICED_BLOCKS, _LEAK = 10.0, 0.25


def channels_of_mask(mask: int, count: int) -> tuple[str, ...] | None:
    """The channels that a WAV header's mask names, in order; None where they are not `count`."""
    names = tuple(name for bit, name in enumerate(_MASK) if mask >> bit & 1)
    return names if len(names) == count and mask < 1 << len(_MASK) else None


def channel_index(channel: str, names: Sequence[str], where: str) -> int:
    """The place of a channel given by number from 1, by side (left, right, centre) or by name (FL, BR).

    Raises:
        UsageError: there is no such channel in `where`.
    """
    text = channel.strip()
    if text.isdecimal() and 1 <= int(text) <= len(names):
        return int(text) - 1
    wanted = _SPOKEN.get(text.lower(), text.upper())
    if wanted in names:
        return list(names).index(wanted)
    have = "1 channel" if len(names) == 1 else f"{len(names)} channels"
    listed = ", ".join(f"{number} ({name})" for number, name in enumerate(names, 1))
    raise UsageError(f"{where} has {have}, and {channel!r} is none of them; give one of {listed}.")


class ChannelMixer:
    """Frames of several channels to mono, the same for every way to cut the input, at most 20 ms behind it.

    Weights are 1 for the centre, 0.7 for the front, 0.5 for back and sides, 0 for the bass, scaled to a sum of 1.
    Where two channels of a pair cancel each other (their difference is 7 dB above their sum over a tenth of a
    second), the second is turned until their sum is 5 dB above their difference. Decisions are taken for blocks of
    20 ms laid out from the start of the stream. Where nothing says what the channels are and more than bass sounds in
    the one that would be the bass (six microphones of a recorder, say), all weigh the same from there on.

    Args:
        rate: frames a second.
        count: channels.
        names: what they are (FL, FR, FC, LFE, BL, BR, SL, SR ...); None: what is usual for their number.
        channel: the only one to hear, see `channel_index`; None mixes them all.
        where: the input's name, for messages.

    Raises:
        UsageError: `channel` is none of them.
    """

    def __init__(
        self,
        rate: int,
        count: int,
        names: Sequence[str] | None = None,
        channel: str | None = None,
        where: str = "The input",
    ) -> None:
        known = names if names is not None and len(names) == count else LAYOUTS.get(count)
        self.names = tuple(known) if known else tuple(f"channel {n}" for n in range(1, count + 1))
        self._only = None if channel is None else channel_index(channel, self.names, where)
        self._weights = _weights(self.names if known else None, count)
        self._pairs = [_Pair(*places) for places in _pairs(self.names if known else None, count)]
        self._block = max(1, rate // _BLOCKS_A_SECOND)
        guessed = known is not None and known is not names and "LFE" in self.names
        self._bass = _Bass(self.names.index("LFE"), rate) if guessed else None
        self._rest = np.zeros((0, count), np.float32)

    @property
    def opposed_seconds(self) -> float:
        """Seconds of sound in which a pair of channels had opposite polarity."""
        return max((pair.turned_blocks for pair in self._pairs), default=0) / _BLOCKS_A_SECOND

    @property
    def surrounding(self) -> int:
        """Channels that are mixed into the centre's; 0 where no centre is known, or one channel is heard."""
        guessed_wrong = self._bass is not None and self._bass.voiced
        return len(self.names) - 1 if self._only is None and "FC" in self.names and not guessed_wrong else 0

    def push(self, frames: Samples) -> Samples:
        """Mono samples of the blocks that `frames`, shape [n, channels], complete; of one channel, all at once."""
        if frames.shape[1] == 1:
            return frames[:, 0]
        if self._only is not None:
            return frames[:, self._only]
        data = np.concatenate([self._rest, frames]) if len(self._rest) else frames
        whole = len(data) - len(data) % self._block
        self._rest = data[whole:].copy()
        return self._mixed(data[:whole])

    def finish(self) -> Samples:
        """The last block, which may be shorter."""
        rest, self._rest = self._rest, self._rest[:0]
        return self._mixed(rest)

    def _mixed(self, frames: Samples) -> Samples:
        if not len(frames):
            return np.zeros(0, np.float32)
        weights = self._weights_at(frames)
        turned = {pair.right: pair.signs(frames, self._block) for pair in self._pairs}
        mono = np.zeros(len(frames), np.float32)
        # One after the other: a matrix product may sum in another order for another length.
        for index, weight in enumerate(weights):
            if np.any(weight):
                signs = turned.get(index)
                mono += weight * (frames[:, index] if signs is None else frames[:, index] * signs)
        return mono

    def _weights_at(self, frames: Samples) -> list[Any]:
        """The weight of each channel: one number, or one for each frame where they change."""
        if self._bass is None or self._bass.voiced:
            return self._weights
        before = self._bass.before(frames, self._block)
        if before == len(frames):
            return self._weights
        surround, self._weights = self._weights, _weights(None, len(self.names))
        later = np.arange(len(frames)) >= before
        return [np.where(later, new, old) for old, new in zip(surround, self._weights, strict=True)]


def _weights(names: Sequence[str] | None, count: int) -> list[Any]:
    found = np.array([_weight(name) for name in names] if names else [1.0] * count, np.float32)
    if not found.any():
        found = np.ones(count, np.float32)
    return list(found / found.sum())


def _weight(name: str) -> float:
    if name.startswith(_AMBISONIC):
        return float(name == _EVERYWHERE)
    return _WEIGHTS.get(name, _OTHERS)


def _pairs(names: Sequence[str] | None, count: int) -> list[tuple[int, int]]:
    """Which channels stand left and right of each other (FL and FR, SL and SR); of unknown ones each two in order."""
    if names is None:
        return [(first, first + 1) for first in range(0, count - 1, 2)]
    places = {name: place for place, name in enumerate(names) if not name.startswith("LFE")}
    found = []
    for name, place in places.items():
        mirrored = places.get(name.replace("L", "R"))
        if "L" in name and mirrored is not None:
            found.append((place, mirrored))
    return found


class _Bass:
    """Whether more than bass sounds in a channel that is taken for the bass: a voice, say, or a hiss.

    The mean square frequency of a block is that of its differences over that of its samples; a channel of bass ends at
    120 Hz. Single blocks do not tell, since a click is of every frequency.
    """

    def __init__(self, index: int, rate: int) -> None:
        self._index = index
        self._slope = (2 * np.pi * _BASS_HZ / rate) ** 2
        self._score = 0.0
        self.voiced = False

    def before(self, frames: Samples, block: int) -> int:
        """How many of the frames come before it was known; all of them while it is not."""
        signal = frames[:, self._index].astype(np.float64)
        starts = np.arange(0, len(frames), block)
        steps = np.diff(signal, prepend=signal[:1])
        steps[starts] = 0.0
        energies = _energies(signal, starts)
        rising = np.add.reduceat(steps**2, starts)
        for start, energy, rise in zip(starts.tolist(), energies.tolist(), rising.tolist(), strict=True):
            if energy > _AUDIBLE * block:
                self._score = max(0.0, self._score + (1.0 if rise > self._slope * energy else -_LEAK))
            if self._score >= _VOICED_BLOCKS:
                self.voiced = True
                return int(start)
        return len(frames)


class _Pair:
    """Two channels that carry the same room, and whether the second is turned at the moment."""

    def __init__(self, left: int, right: int) -> None:
        self.left, self.right = left, right
        self.turned_blocks = 0
        self._sum = self._difference = 0.0
        self._turned = False

    def signs(self, frames: Samples, block: int) -> Samples | None:
        """1 or -1 for each frame of the second channel; None where all are 1."""
        left, right = frames[:, self.left].astype(np.float64), frames[:, self.right].astype(np.float64)
        starts = np.arange(0, len(frames), block)
        sums, differences = _energies(left + right, starts), _energies(left - right, starts)
        signs = [self._sign(s, d, block) for s, d in zip(sums.tolist(), differences.tolist(), strict=True)]
        if min(signs) > 0:
            return None
        return np.repeat(np.array(signs, np.float32), block)[: len(frames)]

    def _sign(self, total: float, difference: float, block: int) -> int:
        self._sum = _MEMORY * self._sum + total
        self._difference = _MEMORY * self._difference + difference
        if self._turned:
            self._turned = self._sum <= _AGREED * self._difference
        else:
            loud = self._difference > _SILENCE * block
            self._turned = loud and self._difference > _OPPOSED * self._sum
        self.turned_blocks += self._turned and difference > 4 * _SILENCE * block
        return -1 if self._turned else 1


def _energies(signal: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The energy of each block without its mean: a constant offset is no sound."""
    lengths = np.diff(np.append(starts, len(signal)))
    energies = np.add.reduceat(signal**2, starts) - np.add.reduceat(signal, starts) ** 2 / lengths
    return np.maximum(energies, 0.0)
