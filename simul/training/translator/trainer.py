"""Training recipe of the text translator: `simul train translator` runs this on a CPU or a GPU, resumably."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from simul.errors import SimulError, UsageError
from simul.models.embedded.translator import language_tag
from simul.training.translator.corpus import (
    PAD,
    TARGETS,
    EpochBuilder,
    MixConfig,
    Pair,
    PairBatch,
    make_batches,
    read_pairs,
    source_word_counts,
    train_vocabulary,
)
from simul.training.translator.network import NetworkConfig, Translator
from simul.training.translator.noise import NoiseConfig, load_noise

Progress = Callable[[int, int, dict[str, float]], None]


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides the outcome of a training run, apart from the data."""

    languages: tuple[str, ...] = TARGETS
    steps: int = 4800
    batch_tokens: int = 4096
    peak_rate: float = 1.5e-3
    warmup_steps: int = 400
    decay_share: float = 0.3
    """Last part of the steps over which the learning rate falls to zero; before it the rate is constant,
    so a run may be resumed with another number of steps."""
    smoothing: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    source_vocabulary: int = 4000
    target_vocabulary: int = 6000
    width: int = 256
    hidden: int = 1024
    heads: int = 4
    encoder_layers: int = 4
    decoder_layers: int = 2
    limit: int | None = None
    """Read at most this many pairs a language (for trials)."""
    seed: int = 1
    save_every: int = 250
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    mix: MixConfig = field(default_factory=MixConfig)


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Linear warm-up, constant, then linear decay to zero at `config.steps`."""
    decay_start = config.steps * (1.0 - config.decay_share)
    falling = (config.steps - step) / max(1.0, config.steps - decay_start)
    return config.peak_rate * min(1.0, (step + 1) / config.warmup_steps, falling)


def prepare_vocabularies(folder: Path, pairs: list[Pair], config: TrainingConfig) -> None:
    """Write source.model and target.model (SentencePiece) to `folder` unless they are there."""
    source, target = folder / "source.model", folder / "target.model"
    if not source.is_file():
        spoken = (" ".join(p.source) for p in pairs)
        tags = [language_tag(code) for code in config.languages]
        source.write_bytes(train_vocabulary(spoken, config.source_vocabulary, tags, config.seed))
    if not target.is_file():
        written = (p.target for p in pairs)
        target.write_bytes(train_vocabulary(written, config.target_vocabulary, [], config.seed))


def load_vocabularies(folder: Path) -> tuple[Any, Any]:
    """The two SentencePiece processors of a training or model folder."""
    import sentencepiece as spm

    return (
        spm.SentencePieceProcessor(model_file=str(folder / "source.model")),
        spm.SentencePieceProcessor(model_file=str(folder / "target.model")),
    )


class Trainer:
    """One training run in one folder; `run` continues from the checkpoint there, if any."""

    def __init__(
        self, config: TrainingConfig, data: Path, folder: Path, device: str = "cpu", workers: int = 2
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.config, self.folder, self.device = config, folder, torch.device(device)
        self.workers = workers if self.device.type == "cpu" else 1
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise UsageError("No CUDA device here; train with --device cpu.")
        torch.manual_seed(config.seed)
        pairs = read_pairs(data, config.languages, config.limit)
        prepare_vocabularies(folder, pairs, config)
        source, target = load_vocabularies(folder)
        noise = load_noise(data, source_word_counts(pairs), config.noise)
        self._builder = EpochBuilder(pairs, source, target, noise, config.mix, config.seed)
        self.network = Translator(
            NetworkConfig(
                source_size=source.get_piece_size(),
                target_size=target.get_piece_size(),
                width=config.width,
                heads=config.heads,
                hidden=config.hidden,
                encoder_layers=config.encoder_layers,
                decoder_layers=config.decoder_layers,
            )
        ).to(self.device)
        self._parameters = tuple(self.network.parameters())
        self._pool = ThreadPoolExecutor(self.workers, initializer=torch.set_num_threads, initargs=(1,))
        self._optimizer = torch.optim.AdamW(
            self._parameters,
            lr=config.peak_rate,
            betas=(0.9, 0.98),
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.step, self.epoch, self._index = 0, 0, 0
        self._resume()

    @property
    def checkpoint(self) -> Path:
        """Where the state of the run is kept."""
        return self.folder / "checkpoint.pt"

    def _resume(self) -> None:
        if not self.checkpoint.is_file():
            return
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        try:
            self.network.load_state_dict(state["network"])
        except RuntimeError as error:
            raise SimulError(
                f"{self.checkpoint} holds a network of other sizes; use another --output folder or delete it."
            ) from error
        self._optimizer.load_state_dict(state["optimizer"])
        self.step, self.epoch, self._index = state["step"], state["epoch"], state["index"]

    def save(self) -> None:
        """Write the checkpoint; an interrupted write leaves the former one intact."""
        state = {
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "step": self.step,
            "epoch": self.epoch,
            "index": self._index,
            "config": json.dumps(asdict(self.config)),
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def _batches(self) -> Iterator[PairBatch]:
        """Batches from the current position on, epoch after epoch."""
        while True:
            examples = self._builder.epoch(self.epoch)
            shuffle = random.Random(f"{self.config.seed}-{self.epoch}")
            batches = make_batches(examples, self.config.batch_tokens, shuffle)
            while self._index < len(batches):
                yield batches[self._index]
                self._index += 1
            self.epoch, self._index = self.epoch + 1, 0

    def _gradient(self, batch: PairBatch, rows: slice, count: int) -> tuple[float, tuple[torch.Tensor, ...]]:
        """Summed loss of some rows, and the gradient of their share of the mean loss over `count` tokens."""
        source, inputs, labels = (
            torch.from_numpy(part[rows]).to(self.device)
            for part in (batch.source, batch.decoder_input, batch.labels)
        )
        with torch.autocast(self.device.type, torch.bfloat16):
            loss = self.network.loss(source, inputs, labels, self.config.smoothing)
        return float(loss.detach()), torch.autograd.grad(loss / count, self._parameters)

    def _update(self, batch: PairBatch) -> tuple[float, int]:
        """One optimiser step; the summed loss and the number of target tokens.

        Each worker thread computes the gradient of every n-th row with one core to itself: on small matrices
        that is faster than two cores working on the same product.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.step)
        count = int((batch.labels != PAD).sum())
        parts = [slice(i, None, self.workers) for i in range(min(self.workers, len(batch.labels)))]
        results = list(self._pool.map(lambda rows: self._gradient(batch, rows, count), parts))
        for parameter, *gradients in zip(self._parameters, *(r[1] for r in results), strict=True):
            parameter.grad = sum(gradients[1:], start=gradients[0])
        torch.nn.utils.clip_grad_norm_(self._parameters, self.config.clip)
        self._optimizer.step()
        return sum(r[0] for r in results), count

    def run(self, progress: Progress | None = None) -> dict[str, float]:
        """Train up to `config.steps`; returns mean loss per target token, tokens and seconds of this call.

        `progress` gets (step, steps, figures) after every step.
        """
        self.network.train()
        began = time.monotonic()
        loss, tokens, average = 0.0, 0, float("nan")
        batches = self._batches()
        while self.step < self.config.steps:
            batch_loss, count = self._update(next(batches))
            self.step += 1
            loss, tokens = loss + batch_loss, tokens + count
            mean = batch_loss / count
            average = mean if average != average else 0.98 * average + 0.02 * mean
            if progress is not None:
                rate = tokens / max(1e-9, time.monotonic() - began)
                progress(self.step, self.config.steps, {"loss": average, "tokens_per_second": rate})
            if self.step % self.config.save_every == 0:
                self._index += 1
                self.save()
                self._index -= 1
        self._index += 1
        self.save()
        seconds = time.monotonic() - began
        return {"loss": loss / max(1, tokens), "tokens": float(tokens), "seconds": seconds}
