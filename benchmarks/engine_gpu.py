"""How many live streams a GPU holds: the engine, batches of whoever comes first, and a lock, in one run of minutes.

The networks have the shapes of published Whisper models and random weights, so that nothing is needed but this
checkout; random texts end late, which makes decoding dearer than speech does. First a second of causal encoding and a
step of decoding are timed by batch, computed as they come and replayed from recordings (`simul.decoding.graphs`); then
streams are served, each way first once without counting, at each size of batch, so that what is recorded is there.
Writes DIR/engine_gpu.json after each figure, so that a run which is cut off has what it measured. With
`--device cpu --shape toy` it runs anywhere; a CPU records nothing.

    python -m benchmarks.engine_gpu AUDIO... --output DIR [--device cuda] [--minutes 8] [--shape base --shape small]
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.machine import describe
from latency_metrics.quantiles import quantiles
from policies.base import StopRule
from simul.audio.files import FileSource
from simul.clock import MeteredClock
from simul.config import ModelConfig, StreamOptions
from simul.decoding.graphs import power
from simul.decoding.interface import Prompt
from simul.engine import Decided, StreamEngine
from simul.engine.cost import Costs
from simul.engine.scheduler import NOBODY, Due, Served
from simul.evaluation.capacity.queues import IN_TIME
from simul.evaluation.capacity.service import WINDOW, ServiceReport, Talk, Way, first_come, serve
from simul.models.whisper.live import FILE, TEACHER, fingerprint
from simul.models.whisper.weights import save_variables
from simul.session.factory import SessionFactory
from simul.session.stream import SessionConfig
from simul.units import SAMPLE_RATE, Samples


class Shape(NamedTuple):
    """Width, layers and heads of a Whisper network."""

    width: int
    layers: int
    heads: int


STEPS = 32
"""Tokens of a pass that is timed."""
STAGE_SECONDS = 6
SIZES = {"cuda": (1, 8, 64), "cpu": (1, 2)}
SHAPES = {"toy": Shape(64, 2, 2), "base": Shape(512, 6, 8), "small": Shape(768, 12, 12)}


def alone(due: Sequence[Due], now: float, costs: Costs, served: Served = NOBODY, most: int = 1) -> list[Due]:
    """In the order of arrival, one by one: a lock around one model."""
    return sorted(due, key=lambda each: (each.since, each.number))[:1]


WAYS: dict[str, tuple[Any, Way]] = {
    "lock": (alone, Way(skips=False)),
    "window": (first_come, Way(WINDOW, skips=False)),
    "engine": (None, Way()),
}
"""Who is decided next, and how streams gather; none: the engine's rule."""


class Occupation:
    """What nvidia-smi says of the GPU's occupation while a block runs, in per cent; nothing without it."""

    def __init__(self) -> None:
        self.seen: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        asked = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while not self._over.wait(0.5):
            try:
                said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=5).stdout
                self.seen.append(float(said.split()[0]))
            except (OSError, subprocess.SubprocessError, ValueError, IndexError):
                return

    def __enter__(self) -> Occupation:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def mean(self) -> float | None:
        """The mean, where there is one."""
        return round(float(np.mean(self.seen)), 1) if self.seen else None


def network_folder(shape: Shape, folder: Path) -> Path:
    """A Whisper network of a shape with random weights, as transformers keeps it."""
    import torch
    from transformers import PreTrainedTokenizerFast, WhisperConfig, WhisperForConditionalGeneration

    from tests.tiny_models import whisper_network, whisper_tokenizer

    torch.manual_seed(0)
    like = whisper_network()
    config = WhisperConfig(
        **{
            **like.config.to_diff_dict(),
            "d_model": shape.width,
            "encoder_layers": shape.layers,
            "decoder_layers": shape.layers,
            "encoder_attention_heads": shape.heads,
            "decoder_attention_heads": shape.heads,
            "encoder_ffn_dim": 4 * shape.width,
            "decoder_ffn_dim": 4 * shape.width,
        }
    )
    network = WhisperForConditionalGeneration(config).eval()
    network.generation_config = like.generation_config
    network.save_pretrained(folder)
    # For causal windows an encoder is needed; here it is that of the network itself, since all are random.
    weights = {
        "encoder/layer_norm/gamma": network.model.encoder.layer_norm.weight.detach().numpy(),
        "encoder/layer_norm/beta": network.model.encoder.layer_norm.bias.detach().numpy(),
    }
    mark = np.frombuffer(fingerprint(weights), np.uint8)
    save_variables(folder / FILE, {**weights, TEACHER: mark})
    PreTrainedTokenizerFast(
        tokenizer_object=whisper_tokenizer(), unk_token="<|endoftext|>", eos_token="<|endoftext|>"
    ).save_pretrained(folder)
    return folder


def most_until(
    share: Callable[[int], float], until: float, guess: int, highest: int = 2048
) -> tuple[int, bool]:
    """The most streams of which enough decisions are in time, and whether the search came to its end in time."""
    low, high = 0, max(1, guess)
    while high <= highest and time.monotonic() < until and share(high) >= IN_TIME:
        low, high = high, 2 * high
    while high - low > max(1, low // 10):
        if time.monotonic() >= until:
            return low, False
        middle = (low + high) // 2
        if share(middle) >= IN_TIME:
            low = middle
        else:
            high = middle
    return low, True


class Measurement:
    """One network on one device."""

    def __init__(self, factory: SessionFactory, talk: Talk) -> None:
        self.factory, self.talk = factory, talk
        self.backend = factory.loaded.backend
        self._recorded: set[tuple[str, int]] = set()

    def _engine(self, on_decision: Callable[[Decided], None], choose: Any) -> StreamEngine:
        more = {} if choose is None else {"choose": choose}
        return StreamEngine(self.backend, on_decision=on_decision, **more)

    def serve(self, way: str, streams: int) -> ServiceReport:
        """Let so many streams speak."""
        choose, how = WAYS[way]
        clock = MeteredClock(self.backend.meter)
        make = partial(self._engine, choose=choose)
        return serve(make, self.factory.policy, self.talk, streams, clock, how)

    def share(self, way: str, streams: int) -> float:
        """The share of decisions in time, in a run before which batches of that size have occurred."""
        if (way, power(streams)) not in self._recorded:
            self._recorded.add((way, power(streams)))
            self.serve(way, streams)
        return self.serve(way, streams).share

    def row(self, way: str, seconds: float, guess: int) -> dict[str, Any]:
        """What a way holds, and how it goes there."""
        streams, ended = most_until(lambda n: self.share(way, n), time.monotonic() + seconds, guess)
        with Occupation() as occupation:
            report = self.serve(way, max(1, streams))
        return {
            "streams": streams,
            "search_ended": ended,
            "in_time": round(report.share, 4),
            "wait_p95": round(quantiles(report.waits or [0.0], 0.95)[0], 4),
            "failed": report.failed,
            "lost_samples": report.pushed - report.heard + report.skipped,
            "device_busy_percent": occupation.mean,
        }

    def recordings(self) -> dict[str, Any]:
        """How many steps were recorded, and why not where that failed."""
        graphs = self.backend.model.graphs  # type: ignore[attr-defined]
        return {
            "recorded": sum(each.recorded for each in graphs),
            "failures": sorted({each.failure for each in graphs} - {""}),
        }


def stages(folder: Path, device: str, compute: str, sound: Samples, sizes: Sequence[int]) -> dict[str, Any]:
    """Milliseconds of a second of causal encoding and of a step of decoding, by way and batch."""
    from simul.decoding.graphs import recorder_for
    from simul.models.whisper.torch import TorchWhisper

    ways = {"as they come": lambda place: None, "replayed": recorder_for}
    found: dict[str, Any] = {}
    for name, record in ways.items():
        model = TorchWhisper(folder, device, compute, window="causal", record=record)
        found[name] = {str(size): _stage(model, device, sound, size) for size in sizes}
        found[name]["failures"] = sorted({each.failure for each in model.graphs} - {""})
    return found


def _stage(model: Any, device: str, sound: Samples, size: int) -> dict[str, float]:
    """One batch: the median of the seconds of encoding, and of passes of `STEPS` tokens."""
    head = (*model.tokens.task("en", "en"), model.tokens.no_timestamps)
    prompts = [Prompt(head, (), STEPS, StopRule(suppress_end=True))] * size
    taken: dict[str, list[float]] = {"encode": [], "step": []}
    for _ in range(2):
        kept = [model.start() for _ in range(size)]
        for second in range(1, 1 + len(sound) // SAMPLE_RATE):
            begun = time.perf_counter()
            windows = model.grow(kept, [sound[: second * SAMPLE_RATE]] * size)
            _wait(device)
            encoded = time.perf_counter()
            model.generate(windows, prompts)
            taken["encode"].append(encoded - begun)
            taken["step"].append((time.perf_counter() - encoded) / STEPS)
    # The first of the two rounds records.
    return {
        name: round(1000 * float(np.median(times[len(times) // 2 :])), 3) for name, times in taken.items()
    }


def _wait(device: str) -> None:
    """Until the device has done what it was told."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    """Measure, and write the figures."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("audio", nargs="+")
    p.add_argument("--output", type=Path, required=True)
    p.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    p.add_argument("--compute", default="auto", help="auto: bfloat16 on a GPU, float32 on a CPU")
    p.add_argument("--shape", action="append", choices=list(SHAPES))
    p.add_argument("--window", default="causal")
    p.add_argument("--chunk-ms", type=int, default=1000)
    p.add_argument("--seconds", type=float, default=8.0, help="how long each stream lasts")
    p.add_argument("--minutes", type=float, default=8.0, help="for everything")
    given = p.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    begun, shapes = time.monotonic(), given.shape or ["base", "small"]
    compute = (
        given.compute if given.compute != "auto" else ("bfloat16" if given.device == "cuda" else "float32")
    )
    recordings = [np.concatenate([*FileSource(path)]) for path in given.audio]
    talk = Talk(
        recordings, given.seconds, SessionConfig(target="en", chunk=SAMPLE_RATE * given.chunk_ms // 1000)
    )
    report: dict[str, Any] = {
        "machine": describe(("torch", "transformers")),
        "device": device_name(given.device),
        "date": datetime.date.today().isoformat(),
        "weights": "random",
        "compute": compute,
        "window": given.window,
        "chunk_ms": given.chunk_ms,
        "seconds": given.seconds,
        "shapes": {},
    }
    # 50 s of every shape are for loading, stages and the first pass, and a third of the rest for what goes over.
    each = max(2.0, (60 * given.minutes / len(shapes) - 50) * 0.66 / len(WAYS))
    for shape in shapes:
        with tempfile.TemporaryDirectory() as place:
            folder = network_folder(SHAPES[shape], Path(place))
            report["shapes"][shape] = row = {}
            sound = np.resize(recordings[0], STAGE_SECONDS * SAMPLE_RATE)
            row["stages_ms"] = stages(folder, given.device, compute, sound, SIZES[given.device])
            model = ModelConfig(
                model=str(folder),
                device=given.device,
                compute=compute,
                window=given.window,
                threads=1,
            )
            options = StreamOptions(target="en", chunk_ms=given.chunk_ms)
            measurement = Measurement(SessionFactory(options, model), talk)
            measurement.serve("engine", 1)
            guess = 1
            for way in WAYS:
                row[way] = measurement.row(way, each, guess)
                guess = max(1, row[way]["streams"])
                row["graphs"] = measurement.recordings()
                report["wall_seconds"] = round(time.monotonic() - begun, 1)
                (given.output / "engine_gpu.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
                print(shape, way, row[way], file=sys.stderr, flush=True)
    print(json.dumps(report, indent=1))


def device_name(device: str) -> str:
    """What the device is called."""
    import torch

    return torch.cuda.get_device_name() if device == "cuda" else "cpu"


if __name__ == "__main__":
    main()
