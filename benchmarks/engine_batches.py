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


def stages(model: Any, windows: list[Any]) -> dict[str, Callable[[list[int]], Any]]:
    """Encoding, decoding and aligning of some of the windows."""
    task = model.tokens.task("en", "en")
    head = (*task, model.tokens.no_timestamps)
    encoded, samples = model.encode(windows), [len(window) for window in windows]
    texts = [h.ids for h in model.generate(encoded, [Prompt(head)] * len(windows))]
    # Prefixes of different lengths, with such a room that the whole texts may become equally long.
    prompts = [Prompt(head, ids[: 2 * (i % 4)], 40 - 2 * (i % 4)) for i, ids in enumerate(texts)]
    return {
        "encode": lambda part: model.encode([windows[i] for i in part]),
        "decode": lambda part: model.generate([encoded[i] for i in part], [prompts[i] for i in part]),
        "align": lambda part: model.align(
            [encoded[i] for i in part], task, [list(texts[i]) for i in part], [samples[i] for i in part]
        ),
    }


def rows(model: Any, windows: list[Any], repeats: int) -> dict[str, dict[str, float]]:
    """Milliseconds a stream for each stage and batch."""

    def measured(stage: Callable[[list[int]], Any], size: int) -> float:
        parts = [list(range(i, i + size)) for i in range(0, len(windows), size)]
        return round(1000 * taken(lambda: [stage(part) for part in parts], repeats) / len(windows), 1)

    return {
        name: {str(size): measured(stage, size) for size in SIZES}
        for name, stage in stages(model, windows).items()
    }


def main() -> None:
    """Print the table as JSON."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("audio", nargs="+")
    p.add_argument("--seconds", type=float, default=6.0)
    p.add_argument("--window", default="live")
    p.add_argument("--repeats", type=int, default=3)
    p.add_argument("--library", action="append", choices=LIBRARIES)
    p.add_argument("--beam", action="append", type=int)
    given = p.parse_args()
    length = round(given.seconds * 16_000)
    windows = [np.concatenate([*FileSource(path)])[:length] for path in given.audio]
    windows = [w for w in windows if len(w) == length]
    windows = windows[: len(windows) // max(SIZES) * max(SIZES)]
    found = {
        library: {
            f"beam {beam}": rows(loaded(library, given.window, beam), windows, given.repeats)
            for beam in given.beam or (5, 1)
        }
        for library in given.library or LIBRARIES
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
