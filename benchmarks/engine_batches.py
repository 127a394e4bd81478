"""What a batch of streams saves on one core: processor time of encoding, decoding and aligning whisper-base, by batch.

Windows are the first seconds of different recordings; forced prefixes have different lengths. Prints JSON.

    OMP_NUM_THREADS=1 python -m benchmarks.engine_batches AUDIO AUDIO AUDIO AUDIO [--seconds 6] [--window live]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.machine import describe
from simul.audio.files import FileSource
from simul.backends.families import load_backend
from simul.clock import cpu_seconds
from simul.config import ModelConfig
from simul.decoding.interface import Prompt

SIZES = (1, 2, 4)
LIBRARIES = ("onnxruntime", "ctranslate2")


def taken(work: Callable[[], Any], repeats: int) -> float:
    """Seconds of processor time of the fastest of some runs."""
    found = []
    for _ in range(repeats):
        begun = cpu_seconds()
        work()
        found.append(cpu_seconds() - begun)
    return min(found)


def loaded(library: str, window: str, beam: int) -> Any:
    """The network of whisper-base in one of two libraries."""
    made: Any = load_backend(
        ModelConfig(model="whisper-base", threads=1, window=window, beam=beam), "en", "en"
    )
    model = made.backend.model
    if library == "onnxruntime":
        return model
    from simul.models.whisper.ctranslate2 import WhisperModel

    return WhisperModel(model.folder, "cpu", "int8", 1, beam, "bucket")


def rows(model: Any, windows: list[Any], repeats: int) -> dict[str, dict[str, float]]:
    """Milliseconds a stream for each stage and batch."""
    head = (*model.tokens.task("en", "en"), model.tokens.no_timestamps)
    whole = model.generate(model.encode(windows), [Prompt(head)] * len(windows))
    found: dict[str, dict[str, float]] = {"encode": {}, "decode": {}, "align": {}}
    for size in SIZES:
        # As many windows for every size, so that lengths of texts and prefixes are the same on average.
        parts = [list(range(i, i + size)) for i in range(0, len(windows), size)]
        encoded = model.encode(windows)
        # Prefixes of different lengths; the room is such that the whole text may become equally long.
        prompts = [Prompt(head, h.ids[: 2 * (i % 4)], 40 - 2 * (i % 4)) for i, h in enumerate(whole)]
        texts = [list(h.ids) for h in whole]
        samples = [len(w) for w in windows]

        def encode(parts: list[list[int]] = parts) -> None:
            for part in parts:
                model.encode([windows[i] for i in part])

        def decode(parts: list[list[int]] = parts) -> None:
            for part in parts:
                model.generate([encoded[i] for i in part], [prompts[i] for i in part])

        def align(parts: list[list[int]] = parts) -> None:
            for part in parts:
                model.align(
                    [encoded[i] for i in part], head[:3], [texts[i] for i in part], [samples[i] for i in part]
                )

        for name, work in (("encode", encode), ("decode", decode), ("align", align)):
            found[name][str(size)] = round(1000 * taken(work, repeats) / len(windows), 1)
    return found


def main() -> None:
    """Print the table as JSON."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("audio", nargs="+")
    p.add_argument("--seconds", type=float, default=6.0)
    p.add_argument("--window", default="live")
    p.add_argument("--repeats", type=int, default=3)
    given = p.parse_args()
    length = round(given.seconds * 16_000)
    windows = [np.concatenate([*FileSource(path)])[:length] for path in given.audio]
    windows = [w for w in windows if len(w) == length]
    windows = windows[: len(windows) // max(SIZES) * max(SIZES)]
    found = {
        library: {
            f"beam {beam}": rows(loaded(library, given.window, beam), windows, given.repeats)
            for beam in (5, 1)
        }
        for library in LIBRARIES
    }
    report = {
        "machine": describe(("onnxruntime", "ctranslate2")),
        "window": given.window,
        "seconds": given.seconds,
        "streams": len(windows),
        "milliseconds_of_processor_a_stream_by_batch": found,
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
