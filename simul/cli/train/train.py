"""`simul train student train`: decoders, or encoder and decoders, from a checkpoint on."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from simul.cli.context import Context
from simul.cli.options import LARGEST_SEED, MOST_JOBS, MOST_ROWS, Parser, whole
from simul.cli.train.bounds import learning_rate, minutes, pieces
from simul.cli.train.damage import damage_named, prepared_files
from simul.cli.train.place import held
from simul.cli.train.student import listed, student_parser
from simul.cli.view.progress import Step, progress
from simul.config import MOST_THREADS
from simul.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from simul.training.student.trainer import TrainingConfig


def parser() -> Parser:
    """Options of this step."""
    made = student_parser("train", "Train decoders; goes on from the checkpoint in --output, if any.")
    made.add_argument("--languages", required=True, metavar="LIST", help="languages of this run")
    made.add_argument("--output", required=True, metavar="FOLDER", help="folder that `prepare` wrote")
    made.add_argument("--minutes", type=minutes, metavar="N", help="length of the run, all sessions together")
    made.add_argument(
        "--steps", type=whole(1, MOST_ROWS), metavar="N", help="length of the run in optimiser steps, instead"
    )
    made.add_argument("--rate", type=learning_rate, metavar="RATE", help="highest learning rate")
    made.add_argument("--tokens", type=pieces, metavar="N", help="target pieces of a batch")
    made.add_argument(
        "--seed", type=whole(0, LARGEST_SEED), default=1, metavar="N", help="seed of everything random"
    )
    made.add_argument("--tune-encoder", action="store_true", help="the encoder learns too")
    made.add_argument("--device", default="cpu", metavar="DEVICE", help="cpu, cuda or cuda:N")
    made.add_argument(
        "--threads", type=whole(1, MOST_THREADS), default=1, metavar="N", help="CPU cores to compute on"
    )
    made.add_argument(
        "--feeders",
        type=whole(0, MOST_JOBS),
        metavar="N",
        help="processes that make batches (default: 0, GPU: 6)",
    )
    made.add_argument(
        "--precision", choices=("bfloat16", "float32"), default="bfloat16", help="of the computation"
    )
    return made


def run(arguments: list[str], context: Context) -> int:
    """Run this step; returns the exit code."""
    given = parser().parse(arguments, context)
    import torch

    from simul.training.student.start import read_starts
    from simul.training.student.trainer import Trainer
    from simul.training.student.turned import reading

    gpu = given.device != "cpu"
    if gpu and not torch.cuda.is_available():
        raise UsageError(f"--device is {given.device}, but no CUDA device is here; train with --device cpu.")
    torch.set_num_threads(given.threads)
    feeders = given.feeders if given.feeders is not None else 6 * gpu
    languages = listed(given.languages)
    starts = {
        language: reading(start, Path(given.output))
        for language, start in read_starts(Path(given.start), languages).items()
    }
    files = prepared_files(given.output, languages)
    with held(given.output) as output:
        with damage_named(files):
            trainer = Trainer(_config(given, gpu), starts, output, given.device, feeders)
        if trainer.step:
            context.note(f"Going on from step {trainer.step} of {trainer.checkpoint}.")
        with progress(context, "training") as draw:
            total = trainer.run(_report(context, draw))
    context.note(f"{trainer.step} steps, {total['pieces']:.0f} target pieces in {total['seconds']:.0f} s.")
    with trainer.averaged():
        for language, maker in trainer.makers.items():
            found = trainer.cross_entropy(language, maker.held_out())
            context.stdout.write(f"{language}: {found:.4f} nats a piece on the pairs kept out\n")
    return ExitCode.OK


def _config(given: argparse.Namespace, gpu: bool) -> TrainingConfig:
    from simul.training.student.batches import Shapes
    from simul.training.student.examples import Mix
    from simul.training.student.trainer import TrainingConfig
    from simul.training.student.turned import TURNED, sources_of

    turned = bool(sources_of(Path(given.output)))
    shapes = Shapes(given.tokens or 1 << 14, step=8, fixed=True) if gpu else Shapes(given.tokens or 4000)
    return TrainingConfig(
        steps=given.steps,
        minutes=given.minutes if given.minutes is not None or given.steps is not None else 120.0,
        rate=given.rate or 5e-4,
        drawn=None if gpu else 1000,
        tune_encoder=given.tune_encoder or turned,
        bfloat16=given.precision == "bfloat16",
        seed=given.seed,
        shapes=shapes,
        mix=TURNED if turned else Mix(),
    )


def _report(context: Context, draw: Step) -> Callable[[float, dict[str, float]], None]:
    """What draws a bar on a terminal, and elsewhere writes a line now and then."""

    def report(done: float, figures: dict[str, float]) -> None:
        step, rate = int(figures["step"]), figures["pieces_per_second"]
        text = f"step {step}  loss {figures['loss']:.3f}  {rate:.0f} pieces/s"
        if context.is_terminal(context.stderr):
            draw(100 * done, 100, text)
        elif step % 100 == 0:
            context.note(f"{100 * done:.1f} %, {text}")

    return report
