"""A training run: decoders of one or several languages on one encoder, frozen or learning, on a CPU or a GPU."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from simul.errors import SimulError, UsageError
from simul.training.student.batches import NOT_ASKED, PairBatch, Position, Shapes, make_batches
from simul.training.student.examples import Example, Maker, Mix
from simul.training.student.feed import BatchRecipe, Feed
from simul.training.student.loss import Candidates, SmoothedLoss
from simul.training.student.network import StudentDecoder, StudentEncoder, mask_of
from simul.training.student.start import StartingPoint, piece_rows, with_table

Progress = Callable[[float, dict[str, float]], None]
"""Told which share of the run is done, and its figures."""


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides the outcome of a run, apart from the text. It ends after `steps` or after `minutes`."""

    steps: int | None = None
    minutes: float | None = None
    """Of all sessions of the run together; the learning rate falls with the time that has passed."""
    rate: float = 5e-4
    warmup_steps: int = 100
    decay_share: float = 0.7
    """Last share of the run, over which the learning rate falls to zero."""
    smoothing: float = 0.1
    average: float = 0.003
    """Share of the newest weights in the running average, which is what a run gives."""
    frequent: int = 1500
    """Pieces that the output layer always weighs, beside a batch's own."""
    drawn: int | None = 1000
    """Pieces drawn from the rest; None: all of them."""
    clip: float = 1.0
    tune_encoder: bool = False
    bfloat16: bool = True
    """Compute in bfloat16: faster where the processor has instructions for it."""
    seed: int = 1
    pool: int = 12_000
    save_every: int = 200
    shapes: Shapes = field(default_factory=Shapes)
    mix: Mix = field(default_factory=Mix)

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise UsageError("A run ends after a number of steps or of minutes; give one of the two.")

    def learning_rate(self, step: int, done: float) -> float:
        """Linear warm-up by steps, constant, then linear decay to zero by the share that is done."""
        falling = (1 - done) / max(self.decay_share, 1e-9)
        return self.rate * min(1.0, (step + 1) / max(1, self.warmup_steps), max(0.0, falling))


def checkpoint_of(folder: Path, languages: Sequence[str]) -> Path:
    """The checkpoint of the run of these languages."""
    return folder / f"checkpoint.{'-'.join(languages)}.pt"


class Trainer:
    """One run in one folder; `run` goes on from the checkpoint there, if any.

    `folder` is what `prepare` wrote, and holds the checkpoint; `starts` has for each language the student to start
    from, all with one encoder. A decoder with the pieces of LANGUAGE.model is taken as it is, another gets a table
    for them.
    """

    def __init__(
        self,
        config: TrainingConfig,
        starts: dict[str, StartingPoint],
        folder: Path,
        device: str = "cpu",
        workers: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config, self.folder, self.device = config, folder, torch.device(device)
        self.starts, self._workers, self._clock = starts, workers, clock
        first = next(iter(starts.values()))
        self.recipe = BatchRecipe(
            folder, first.source_model, config.mix, config.shapes, config.seed, config.pool
        )
        self.makers = {language: self.recipe.maker(language) for language in starts}
        self.encoder = StudentEncoder(first.encoder, first.heads)
        self.decoders = nn.ModuleDict({n: self._decoder(s, self.makers[n]) for n, s in starts.items()})
        if not config.tune_encoder:
            self.encoder.requires_grad_(False)
            if config.bfloat16:
                self.encoder.to(torch.bfloat16)
        self.encoder.to(self.device)
        self.decoders.to(self.device)
        self._candidates = {n: self._choice(n) for n in starts}
        learning = nn.ModuleDict({"encoder": self.encoder, "decoders": self.decoders})
        self.weights = {n: p for n, p in learning.named_parameters() if p.requires_grad}
        self.averages = {n: p.detach().clone() for n, p in self.weights.items()}
        self._optimizer = torch.optim.AdamW(
            self.weights.values(), lr=config.rate, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.0, fused=True
        )
        self.step, self.seconds, self.tokens = 0, 0.0, 0
        self.positions = {language: Position() for language in starts}
        self._resume()

    def decoder(self, language: str) -> StudentDecoder:
        """The decoder of a language."""
        found = self.decoders[language]
        assert isinstance(found, StudentDecoder)
        return found

    @property
    def checkpoint(self) -> Path:
        """Where the state of the run is kept."""
        return checkpoint_of(self.folder, tuple(self.starts))

    @property
    def done(self) -> float:
        """Which share of the run is done."""
        if self.config.steps is not None:
            return min(1.0, self.step / max(1, self.config.steps))
        assert self.config.minutes is not None
        return min(1.0, self.seconds / max(1e-9, 60 * self.config.minutes))

    def _decoder(self, start: StartingPoint, maker: Maker) -> StudentDecoder:
        target = maker.target
        if target.serialized_model_proto() == start.target.serialized_model_proto():
            return StudentDecoder(start.decoder, start.heads)
        return StudentDecoder(with_table(start.decoder, piece_rows(target, start.target)), start.heads)

    def _choice(self, language: str) -> Candidates | None:
        if self.config.drawn is None:
            return None
        text, size = self.makers[language].text, len(self.decoder(language)["decoder_Wemb"])
        each = np.repeat(text.weight, np.diff(text.target.ends, prepend=0))
        counts = np.bincount(text.target.ids, each, size).astype(np.float64)
        return Candidates.of(counts, self.config.frequent, self.config.drawn)

    def _resume(self) -> None:
        if not self.checkpoint.is_file():
            return
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        sizes = {name: tuple(value.shape) for name, value in state["weights"].items()}
        if sizes != {name: tuple(value.shape) for name, value in self.weights.items()}:
            raise SimulError(
                f"{self.checkpoint} is of a run with other languages or sizes; delete it to begin anew."
            )
        for kept, into in ((state["weights"], self.weights), (state["averages"], self.averages)):
            for name, value in kept.items():
                into[name].data.copy_(value)
        self._optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.tokens = state["step"], state["seconds"], state["tokens"]
        self.positions = {language: Position(*state["positions"][language]) for language in self.starts}

    def save(self) -> None:
        """Write the checkpoint; an interrupted write leaves the former one intact."""
        state = {
            "weights": {name: value.detach() for name, value in self.weights.items()},
            "averages": self.averages,
            "optimizer": self._optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "tokens": self.tokens,
            "positions": {language: tuple(position) for language, position in self.positions.items()},
            "config": json.dumps(asdict(self.config)),
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def run(self, progress: Progress = lambda done, figures: None) -> dict[str, float]:
        """Train to the end, saving now and then; returns target pieces and seconds of the whole run, and its loss.

        `progress` is told after every step.
        """
        began, before, average = self._clock(), self.seconds, 0.0
        first_step, first_tokens = self.step, self.tokens
        with Feed(self.recipe, self.makers, self._workers) as feed:
            streams = {n: feed.batches(n, position) for n, position in self.positions.items()}
            while self.done < 1:
                loss, pieces = self._update({n: next(batches) for n, batches in streams.items()})
                self.step, self.tokens = self.step + 1, self.tokens + pieces
                self.seconds = before + self._clock() - began
                average += (loss - average) * max(0.02, 1 / (self.step - first_step))
                rate = (self.tokens - first_tokens) / max(1e-9, self.seconds - before)
                progress(self.done, {"step": self.step, "loss": average, "pieces_per_second": rate})
                if self.step % self.config.save_every == 0:
                    self.save()
        self.save()
        return {"pieces": self.tokens, "seconds": self.seconds, "loss": average}

    def _update(self, batches: dict[str, tuple[Position, PairBatch]]) -> tuple[float, int]:
        """One step with a batch of each language; mean loss of a target piece, and their number."""
        for group in self._optimizer.param_groups:
            group["lr"] = self.config.learning_rate(self.step, self.done)
        self._optimizer.zero_grad(set_to_none=True)
        total, pieces = 0.0, 0
        for index, (language, (position, batch)) in enumerate(batches.items()):
            random = np.random.default_rng((self.config.seed, self.step, index))
            loss, count = self._loss(language, batch, random)
            (loss / max(1, count)).backward()
            total, pieces = total + float(loss.detach()), pieces + count
            self.positions[language] = position
        torch.nn.utils.clip_grad_norm_(self.weights.values(), self.config.clip)
        self._optimizer.step()
        with torch.no_grad():
            share = max(self.config.average, 1 / (self.step + 1))
            torch._foreach_lerp_(list(self.averages.values()), list(self.weights.values()), share)
        return total / max(1, pieces), pieces

    def _hidden(self, language: str, batch: PairBatch) -> tuple[torch.Tensor, np.ndarray]:
        """What predicts the asked pieces [N, width], and those pieces [N]."""
        source, lengths, inputs = (
            torch.from_numpy(part).to(self.device, non_blocking=True) for part in batch[:3]
        )
        asked = np.flatnonzero(batch.labels.reshape(-1) != NOT_ASKED)
        mask = mask_of(lengths, source.shape[1])
        learns = self.config.tune_encoder and torch.is_grad_enabled()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bfloat16):
            with torch.set_grad_enabled(learns):
                memory = self.encoder(source, mask)
            hidden, _ = self.decoder(language)(inputs, memory, mask)
            chosen = hidden.flatten(0, 1)[torch.from_numpy(asked).to(self.device)]
        return chosen, batch.labels.reshape(-1)[asked]

    def _loss(self, language: str, batch: PairBatch, random: np.random.Generator) -> tuple[torch.Tensor, int]:
        hidden, labels = self._hidden(language, batch)
        decoder, choice = self.decoder(language), self._candidates[language]
        table, bias = decoder["decoder_Wemb"], decoder["decoder_ff_logit_out_b"].flatten()
        if choice is not None:
            pieces, added, labels = choice.choose(labels, random)
            rows = torch.from_numpy(pieces).to(self.device)
            table, bias = table[rows], bias[rows] + torch.from_numpy(added).to(self.device)
        if self.config.bfloat16:
            hidden = hidden.to(torch.bfloat16)
        target = torch.from_numpy(labels).to(self.device)
        piece = 4096 if self.device.type == "cuda" else 256
        loss: torch.Tensor = SmoothedLoss.apply(hidden, table, bias, target, self.config.smoothing, piece)
        return loss, len(labels)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """The running averages in the place of the weights."""
        kept = {name: value.data for name, value in self.weights.items()}
        for name, value in self.weights.items():
            value.data = self.averages[name]
        try:
            yield
        finally:
            for name, value in self.weights.items():
                value.data = kept[name]

    @torch.no_grad()
    def cross_entropy(self, language: str, examples: Sequence[Example]) -> float:
        """Mean -log p of a target piece over all pieces, with the weights as they are."""
        total, pieces = 0.0, 0
        for batch in make_batches(examples, Shapes(2000), self.makers[language].source_eos, Random(0)):
            hidden, labels = self._hidden(language, batch)
            scores = self.decoder(language).logits(hidden.float())
            total += float(F.cross_entropy(scores, torch.from_numpy(labels).to(self.device), reduction="sum"))
            pieces += len(labels)
        return total / max(1, pieces)
