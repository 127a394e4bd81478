"""Recorded speech in one file, from which windows are drawn; nothing but sound is needed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simul.audio.files import FileSource
from simul.errors import AudioError, SimulError, UsageError
from simul.units import SAMPLE_RATE, Samples

SOUND, LIST = "sound.i16", "sound.json"
GAP = SAMPLE_RATE // 5
"""Samples of silence between recordings."""
AT_BEGINNING = 0.6
"""Share of the windows that begin where a recording does."""
KEPT_OUT = 0.03
"""The last share of each set, which no run hears."""
_ENDINGS = (
    *(".aac", ".aif", ".aiff", ".flac", ".m4a", ".mka", ".mkv", ".mp3", ".mp4"),
    *(".oga", ".ogg", ".opus", ".wav", ".webm", ".wma"),
)
Progress = Callable[[float, int, str], None]
"""Told how many recordings are done, of how many, and the name of the one that is read."""


@dataclass(frozen=True)
class SoundSet:
    """Recordings of one folder: samples [start, end) of the pool; starts: where each of them begins."""

    name: str
    start: int
    end: int
    starts: tuple[int, ...]

    @property
    def samples(self) -> int:
        """How long it is."""
        return self.end - self.start


def recordings(place: Path) -> list[Path]:
    """The recordings in a folder and the folders in it, or the file itself.

    Raises:
        AudioError: there are none.
    """
    if place.is_file():
        return [place]
    found = sorted(p for p in place.rglob("*") if p.suffix.lower() in _ENDINGS and p.is_file())
    if not found:
        raise AudioError(
            f"There is no audio in {place}; give folders that hold recordings ({', '.join(_ENDINGS)})."
        )
    return found


def prepare(
    places: Sequence[Path], output: Path, progress: Progress = lambda done, total, name: None
) -> list[SoundSet]:
    """Write all recordings of some folders, each a set, into the pool of `output`; equal sound gives equal files.

    Raises:
        AudioError: a folder holds none, or one cannot be read.
    """
    files = [(place, recordings(place)) for place in places]
    total, done = sum(len(found) for _, found in files), 0
    output.mkdir(parents=True, exist_ok=True)
    partial = output / (SOUND + ".partial")
    sets: list[SoundSet] = []
    with open(partial, "wb") as file:
        at = 0
        for place, found in files:
            begin, starts = at, []
            for path in found:
                progress(done, total, path.name)
                starts.append(at)
                for piece in _pieces(path):
                    file.write(piece.tobytes())
                    at += len(piece)
                done += 1
            sets.append(SoundSet(place.name, begin, at, tuple(starts)))
    partial.replace(output / SOUND)
    (output / LIST).write_text(json.dumps([asdict(each) for each in sets]) + "\n", encoding="utf-8")
    progress(total, total, "")
    return sets


def _pieces(path: Path) -> Iterator[NDArray[np.int16]]:
    """A recording in 16 bits, and the silence behind it."""
    for chunk in FileSource(path, 1000):
        yield np.rint(np.clip(chunk, -1, 1) * 32767).astype("<i2")
    yield np.zeros(GAP, "<i2")


class SoundPool:
    """What `prepare` wrote.

    Raises:
        SimulError: it is not there, or damaged.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self.sets = [
                SoundSet(each["name"], each["start"], each["end"], tuple(each["starts"]))
                for each in json.loads((folder / LIST).read_text("utf-8"))
            ]
            self._sound = np.memmap(folder / SOUND, "<i2", "r")
        except FileNotFoundError as error:
            raise SimulError(
                f"There is no {error.filename}; run `simul train causal-whisper prepare --output {folder}` first."
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SimulError(f"The sound in {folder} is damaged ({error}); prepare it again.") from error
        if not self.sets or len(self._sound) != self.sets[-1].end:
            raise SimulError(f"The sound in {folder} is damaged: {SOUND} has been cut; prepare it again.")
        # Large sets count less than their length: the root of it.
        shares = np.array([math.sqrt(each.samples) for each in self.sets])
        self._shares = shares / shares.sum()

    @property
    def seconds(self) -> dict[str, float]:
        """How long each set is."""
        return {each.name: each.samples / SAMPLE_RATE for each in self.sets}

    def check(self, length: int) -> None:
        """Raise `UsageError` if the sound is too short for windows of so many samples."""
        if len(self._sound) < length:
            raise UsageError(
                f"All recordings together last {len(self._sound) / SAMPLE_RATE:.1f} s, and windows up to "
                f"{length / SAMPLE_RATE:.1f} s are drawn from them; prepare more sound."
            )

    def draw(self, random: np.random.Generator, count: int, length: int, kept_out: bool = False) -> Samples:
        """Windows [count, length], of what is kept out of training or of the rest."""
        return np.stack([self._window(random, length, kept_out) for _ in range(count)])

    def _window(self, random: np.random.Generator, length: int, kept_out: bool) -> Samples:
        chosen = self.sets[int(random.choice(len(self.sets), p=self._shares))]
        border = chosen.end - int(KEPT_OUT * chosen.samples)
        low, high = (border, chosen.end) if kept_out else (chosen.start, border)
        if high - low <= length:
            low, high = chosen.start, chosen.end
        begin = int(random.integers(low, max(low + 1, high - length)))
        if random.random() < AT_BEGINNING:
            starts = [at for at in chosen.starts if low <= at and at + length <= high]
            begin = starts[int(random.integers(len(starts)))] if starts else low
        found = self._sound[begin : begin + length].astype(np.float32) / np.float32(32767)
        return np.pad(found, (0, length - len(found)))
