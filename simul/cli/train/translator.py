"""`simul train translator`: train the small text translator from sentence pairs, and export it for use."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.errors import ExitCode, ModelMissingError, SimulError, UsageError
from simul.install import install_hint

if TYPE_CHECKING:
    from simul.training.translator.trainer import Trainer

EPILOG = """The recipe is deterministic for one seed and number of workers, and goes on from the checkpoint in
--output when there is one. --data is a folder with tatoeba/, cmudict/ and librispeech-hyps/."""


def parser() -> Parser:
    """The options of the command."""
    p = Parser("train", "Train a model that the toolkit ships.", epilog=EPILOG)
    p.add_argument("what", choices=("translator",), help="the model to train")
    p.add_argument("--data", required=True, metavar="FOLDER", help="folder with the training data")
    p.add_argument(
        "--output", required=True, metavar="FOLDER", help="folder of the run: checkpoint and vocabularies"
    )
    p.add_argument(
        "--export", metavar="FOLDER", help="write the finished int8 model here (default: OUTPUT/model)"
    )
    p.add_argument("--languages", default="de,es,fr", metavar="LIST", help="target languages")
    p.add_argument(
        "--steps", type=int, metavar="N", help="optimiser steps (default: those of the shipped model)"
    )
    p.add_argument("--limit", type=int, metavar="N", help="read only the first N pairs of each language")
    p.add_argument("--seed", type=int, default=1, metavar="N", help="seed of everything random")
    p.add_argument("--workers", type=int, default=2, metavar="N", help="CPU cores to train on")
    p.add_argument("--device", default="cpu", metavar="DEVICE", help="cpu, cuda or cuda:N")
    return p


def run(arguments: list[str], context: Context) -> int:
    """Train, export, and say where the model is."""
    if arguments[:1] == ["student"]:
        from simul.cli.train_student import run as train_student

        return train_student(arguments[1:], context)
    given = parser().parse(arguments, context)
    try:
        from simul.training.translator.export import export
        from simul.training.translator.trainer import Trainer, TrainingConfig
    except ImportError as error:
        raise ModelMissingError(
            f"Training needs the package {error.name}, which is not installed; run: {install_hint('train')}"
        ) from error
    config = TrainingConfig(languages=_languages(given), seed=given.seed, limit=given.limit)
    if given.steps is not None:
        if given.steps < 1:
            raise UsageError(f"--steps is {given.steps}; give at least 1.")
        config = dataclasses.replace(config, steps=given.steps)
    if given.workers < 1:
        raise UsageError(f"--workers is {given.workers}; give at least 1.")
    output = Path(given.output)
    context.note(f"Reading {given.data}.")
    trainer = Trainer(config, Path(given.data), output, given.device, given.workers)
    if trainer.step:
        context.note(f"Going on from step {trainer.step} of {output}.")
    figures = _train(trainer, config.steps, context)
    target = export(output, Path(given.export) if given.export else output / "model")
    context.note(
        f"Trained to step {trainer.step}: {figures['tokens']:.0f} target tokens in {figures['seconds']:.0f} s."
    )
    context.stdout.write(f"{target}\n")
    return ExitCode.OK


def _languages(given: argparse.Namespace) -> tuple[str, ...]:
    from simul.training.translator.corpus import TARGETS

    chosen = tuple(code.strip() for code in given.languages.split(",") if code.strip())
    unknown = [code for code in chosen if code not in TARGETS]
    if unknown or not chosen:
        raise UsageError(f"--languages is {given.languages!r}; choose from {', '.join(TARGETS)}.")
    return chosen


def _train(trainer: Trainer, steps: int, context: Context) -> dict[str, float]:
    """Run with a progress bar on a terminal, and with a line now and then elsewhere."""
    if trainer.step >= steps:
        raise SimulError(f"The run has already reached step {trainer.step}; give more with --steps.")
    if context.verbosity < 0 or not context.is_terminal(sys.stderr):

        def report(step: int, total: int, figures: dict[str, float]) -> None:
            if step % 100 == 0:
                rate = figures["tokens_per_second"]
                context.note(f"step {step} of {total}, loss {figures['loss']:.3f}, {rate:.0f} tokens/s")

        return trainer.run(report)
    from simul.cli.view.progress import progress

    with progress(context, "training") as step:

        def draw(done: int, total: int, figures: dict[str, float]) -> None:
            step(done, total, f"loss {figures['loss']:.3f}  {figures['tokens_per_second']:.0f} tokens/s")

        return trainer.run(draw)
