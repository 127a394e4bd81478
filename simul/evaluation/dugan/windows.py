"""Decoded windows of utterances: each decoded once for all policies, and kept in a file for later runs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from policies.dugan import ClipSegment
from simul.errors import UsageError
from simul.evaluation.dugan.readers import Decoded, WindowReader
from simul.files import create, json_line


@dataclass
class DecodedWindows:
    """The windows of one utterance, each decoded once; policies that ask for the same window share it.

    reader: decodes what is missing; None: what was kept must do. length: seconds. passes: by beginning and end of the
    window in ms. offline: the translation of the whole utterance and its CPU seconds.
    """

    reader: WindowReader | None
    length: float
    passes: dict[tuple[int, int], Decoded] = field(default_factory=dict)
    offline: tuple[str, float] | None = None

    def window(self, begin: float, end: float) -> Decoded:
        """The decoded window, in seconds; an empty one holds nothing."""
        key = round(begin * 1000), round(end * 1000)
        if begin >= end:
            return (), (0.0,)
        if key not in self.passes:
            if self.reader is None:
                raise UsageError(
                    f"The window {begin:g} s to {end:g} s was not kept; decode it with the model."
                )
            self.passes[key] = self.reader.window(begin, end)
        return self.passes[key]

    def whole(self) -> tuple[str, float]:
        """The translation of the whole utterance."""
        if self.offline is None:
            if self.reader is None:
                raise UsageError("The whole utterance was not kept; decode it with the model.")
            self.offline = self.reader.whole()
        return self.offline

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; times in seconds."""
        offline = None if self.offline is None else dict(zip(("text", "elapsed"), self.offline, strict=True))
        passes = [
            {
                "begin": begin / 1000,
                "end": end / 1000,
                "segments": [asdict(segment) for segment in segments],
                "elapsed": list(times),
            }
            for (begin, end), (segments, times) in self.passes.items()
        ]
        return {"length": self.length, "offline": offline, "passes": passes}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> DecodedWindows:
        """Those of `to_dict`, without a reader."""
        passes = {
            (round(p["begin"] * 1000), round(p["end"] * 1000)): (
                tuple(ClipSegment(**s) for s in p["segments"]),
                tuple(p["elapsed"]),
            )
            for p in data["passes"]
        }
        whole = data["offline"]
        return cls(None, data["length"], passes, None if whole is None else (whole["text"], whole["elapsed"]))


@dataclass(frozen=True)
class DecodedUtterance:
    """One recording of the experiment."""

    name: str
    reference: str
    windows: DecodedWindows


def write_passes(path: str | os.PathLike[str], utterances: Sequence[DecodedUtterance]) -> None:
    """Keep the decoded windows, one utterance a line.

    Raises:
        SimulError: the file cannot be written.
    """
    with create(path) as file:
        for utterance in utterances:
            record = {"name": utterance.name, "reference": utterance.reference, **utterance.windows.to_dict()}
            file.write(json_line(record))


def read_passes(path: str | os.PathLike[str]) -> dict[str, DecodedWindows]:
    """The windows that `write_passes` kept, by name of the utterance.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return {data["name"]: DecodedWindows.of(data) for data in map(json.loads, file)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} holds no kept windows ({error}); run the experiment again.") from error
