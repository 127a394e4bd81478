"""A run: the encoder learns to give on short windows and in blocks what the teacher gives on padded ones."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from simul.errors import SimulError, UsageError
from simul.models.whisper.features import STEP
from simul.models.whisper.live import fingerprint
from simul.models.whisper.weights import Weights
from simul.training.causal_whisper.augment import augment
from simul.training.causal_whisper.loss import WHOLE, SoundBatch, distances
from simul.training.causal_whisper.network import BlockEncoder
from simul.training.causal_whisper.pool import SoundPool
from simul.units import SAMPLE_RATE

CHECKPOINT = "checkpoint.pt"
Progress = Callable[[float, dict[str, float]], None]
"""Told which share of the run is done, and its figures."""


@dataclass(frozen=True)
class DistillationConfig:
    """Everything that decides the outcome of a run, apart from the sound. It ends after `steps` or after `minutes`."""

    steps: int | None = None
    minutes: float | None = None
    """Of all sessions of the run together; the learning rate falls with the time that has passed."""
    rate: float = 1.5e-4
    warmup_steps: int = 100
    last_rate: float = 0.02
    """Share of the rate at the end of its fall along a cosine."""
    weight_decay: float = 0.01
    clip: float = 1.0
    audio: float = 900.0
    """Seconds of sound a step."""
    most_windows: int = 64
    shortest: int = 100
    longest: int = 1424
    """Frames (20 ms) of a window, before its silence."""
    tails: tuple[int, ...] = (0, 0, 10, 25)
    """Frames of silence behind a window, drawn for each step."""
    blocks: tuple[tuple[int, float], ...] = ((WHOLE, 0.25), (96, 0.3), (50, 0.25), (32, 0.1), (25, 0.1))
    """Frames of a block (0: none), and the share of the steps that learn with it."""
    layers: tuple[int, ...] = (1, 3)
    """Layers whose output is compared too, with `layer_share` of the weight of the last one."""
    layer_share: float = 0.1
    cosine: float = 0.5
    """Weight of 1 - cosine beside the square error."""
    stretched: float = 0.3
    """Share of the steps whose sound is played up to a tenth faster or slower."""
    bfloat16: bool = True
    seed: int = 7
    save_every: int = 100

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise UsageError("A run ends after a number of steps or of minutes; give one of the two.")
        if not 0 < self.shortest <= self.longest:
            raise UsageError(
                f"Windows of {self.shortest} to {self.longest} frames cannot be drawn; the shortest comes first."
            )

    def learning_rate(self, step: int, done: float) -> float:
        """Linear warm-up by steps, then along a cosine by the share that is done."""
        falling = max(self.last_rate, (1 + math.cos(math.pi * min(1.0, done))) / 2)
        return self.rate * min(1.0, (step + 1) / max(1, self.warmup_steps)) * falling


class Distiller:
    """One run in one folder, which `prepare` wrote; `run` goes on from the checkpoint there, if any.

    All that is random follows from the seed and the number of the step.
    """

    def __init__(
        self,
        config: DistillationConfig,
        teacher: Weights,
        folder: Path,
        device: str = "cpu",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config, self.folder, self.device = config, folder, torch.device(device)
        self._clock, self._teacher_mark = clock, fingerprint(teacher).hex()
        self.pool = SoundPool(folder)
        self.student = BlockEncoder(teacher).to(self.device)
        self.teacher = BlockEncoder(teacher).to(self.device).eval().requires_grad_(False)
        self.longest = min(config.longest, self.teacher.longest)
        self.shortest = min(config.shortest, self.longest)
        self.pool.check(self.longest * STEP)
        self._optimizer = torch.optim.AdamW(
            self.student.parameters(), lr=config.rate, betas=(0.9, 0.98), weight_decay=config.weight_decay
        )
        self.step, self.seconds, self.heard = 0, 0.0, 0.0
        self._resume()

    @property
    def checkpoint(self) -> Path:
        """Where the state of the run is kept."""
        return self.folder / CHECKPOINT

    @property
    def done(self) -> float:
        """Which share of the run is done."""
        if self.config.steps is not None:
            return min(1.0, self.step / max(1, self.config.steps))
        assert self.config.minutes is not None
        return min(1.0, self.seconds / max(1e-9, 60 * self.config.minutes))

    def _resume(self) -> None:
        if not self.checkpoint.is_file():
            return
        state = read_checkpoint(self.folder, self.device)
        if state["teacher"] != self._teacher_mark:
            raise SimulError(f"{self.checkpoint} is of a run with another teacher; delete it to begin anew.")
        self.student.load_state_dict(state["weights"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.heard = state["step"], state["seconds"], state["heard"]

    def save(self) -> None:
        """Write the checkpoint; an interrupted write leaves the former one intact."""
        state = {
            "weights": self.student.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "teacher": self._teacher_mark,
            "step": self.step,
            "seconds": self.seconds,
            "heard": self.heard,
            "config": json.dumps(asdict(self.config)),
            "sets": json.dumps(self.pool.seconds),
            "device": _name(self.device),
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def run(self, progress: Progress = lambda done, figures: None) -> dict[str, float]:
        """Train to the end, saving now and then; returns steps, seconds of sound heard, and of the run.

        `progress` is told after every step; the loss is that of the last states only, a running mean over all blocks.
        """
        began, before, first, average = self._clock(), self.seconds, self.step, 0.0
        while self.done < 1:
            batch = self.batch(self.step)
            loss = self._update(batch)
            if not math.isfinite(loss):
                raise SimulError(
                    f"The loss is {loss} at step {self.step}; go on from {self.checkpoint} with a lower --rate."
                )
            self.step, self.heard = self.step + 1, self.heard + batch.samples.numel() / SAMPLE_RATE
            self.seconds = before + self._clock() - began
            average += (loss - average) * max(0.02, 1 / (self.step - first))
            progress(self.done, {"step": self.step, "loss": average, "heard": self.heard})
            if self.step % self.config.save_every == 0:
                self.save()
        self.save()
        return {"steps": self.step, "heard": self.heard, "seconds": self.seconds}

    def batch(self, step: int) -> SoundBatch:
        """What is learnt from at a step."""
        config, random = self.config, np.random.default_rng((self.config.seed, step))
        generator = torch.Generator(self.device)
        generator.manual_seed(int(random.integers(2**62)))
        blocks, shares = zip(*config.blocks, strict=True)
        block = int(random.choice(blocks, p=np.array(shares) / sum(shares)))
        frames = int(random.integers(self.shortest, self.longest + 1))
        count = max(2, min(config.most_windows, int(config.audio * SAMPLE_RATE / (frames * STEP))))
        samples, others = (
            torch.from_numpy(self.pool.draw(random, count, frames * STEP)).to(self.device) for _ in range(2)
        )
        samples = augment(samples, others, generator)
        if random.random() < config.stretched:
            samples = self._stretched(samples, float(random.uniform(0.9, 1.1)))
        tail = int(random.choice(config.tails))
        return SoundBatch(samples, min(tail, self.teacher.longest - samples.shape[1] // STEP), block)

    def _stretched(self, samples: torch.Tensor, factor: float) -> torch.Tensor:
        """Samples that take `factor` times as long, cut to whole frames."""
        longer = F.interpolate(samples[:, None], scale_factor=factor, mode="linear")[:, 0]
        return longer[:, : min(self.teacher.longest, longer.shape[1] // STEP) * STEP]

    def _update(self, batch: SoundBatch) -> float:
        """One step; the distance of the last states."""
        for group in self._optimizer.param_groups:
            group["lr"] = self.config.learning_rate(self.step, self.done)
        self._optimizer.zero_grad(set_to_none=True)
        mixed = self.config.bfloat16 and self.device.type == "cuda"
        last, *inner = distances(
            self.student, self.teacher, batch, self.config.layers, self.config.cosine, mixed
        )
        total = last + self.config.layer_share * sum(inner)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), self.config.clip)
        self._optimizer.step()
        return float(last.detach())


def read_checkpoint(folder: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The state of the run in a folder.

    Raises:
        SimulError: there is none, or it is damaged.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        raise SimulError(
            f"There is no {path}; run `simul train causal-whisper train --output {folder}` first."
        )
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        # torch raises errors of many kinds for a damaged file.
        raise SimulError(f"{path} is damaged ({error}); delete it to begin anew.") from error
    return state


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
