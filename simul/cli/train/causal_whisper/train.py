"""`simul train causal-whisper train`: the encoder learns from its teacher, from a checkpoint on."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from simul.cli.context import Context
from simul.cli.options import LARGEST_SEED, MOST_ROWS, Parser, decimal, whole
from simul.cli.train.bounds import learning_rate, minutes
from simul.cli.train.place import held
from simul.cli.view.progress import Step, progress
from simul.config import MOST_THREADS
from simul.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from simul.training.causal_whisper.trainer import DistillationConfig


def parser() -> Parser:
    """Options of this step."""
    made = Parser(
        "train causal-whisper train", "Train the encoder; goes on from the checkpoint in --output, if any."
    )
    made.add_argument(
        "--teacher",
        default="whisper-base",
        metavar="NAME|FOLDER",
        help="Whisper model whose encoder is distilled: a folder (CTranslate2 or transformers) or a name in the list "
        "of `simul models` (default: %(default)s)",
    )
    made.add_argument("--output", required=True, metavar="FOLDER", help="folder that `prepare` wrote")
    made.add_argument("--minutes", type=minutes, metavar="N", help="length of the run, all sessions together")
    made.add_argument(
        "--steps", type=whole(1, MOST_ROWS), metavar="N", help="length of the run in optimiser steps, instead"
    )
    made.add_argument("--rate", type=learning_rate, metavar="RATE", help="highest learning rate")
    made.add_argument(
        "--audio", type=decimal(1, 100_000), metavar="SECONDS", help="sound of a step (default: 60, GPU: 900)"
    )
    made.add_argument(
        "--longest", type=decimal(1, 30), metavar="SECONDS", help="longest window (default: 28.48)"
    )
    made.add_argument(
        "--seed", type=whole(0, LARGEST_SEED), default=7, metavar="N", help="seed of everything random"
    )
    made.add_argument("--device", default="cpu", metavar="DEVICE", help="cpu, cuda or cuda:N")
    made.add_argument(
        "--threads", type=whole(1, MOST_THREADS), default=1, metavar="N", help="CPU cores to compute on"
    )
    made.add_argument(
        "--precision", choices=("bfloat16", "float32"), default="bfloat16", help="of the computation on a GPU"
    )
    return made


def run(arguments: list[str], context: Context) -> int:
    """Run this step; returns the exit code."""
    given = parser().parse(arguments, context)
    import torch

    from simul.training.causal_whisper.teacher import read_teacher, teacher_folder
    from simul.training.causal_whisper.trainer import Distiller

    gpu = given.device != "cpu"
    if gpu and not torch.cuda.is_available():
        raise UsageError(f"--device is {given.device}, but no CUDA device is here; train with --device cpu.")
    torch.set_num_threads(given.threads)
    if gpu:
        torch.set_float32_matmul_precision("high")
    teacher = read_teacher(teacher_folder(given.teacher))
    with held(given.output) as output:
        distiller = Distiller(_config(given, gpu), teacher, output, given.device)
        if distiller.step:
            context.note(f"Going on from step {distiller.step} of {distiller.checkpoint}.")
        with progress(context, "training") as draw:
            total = distiller.run(_report(context, draw))
    context.stdout.write(
        f"{total['steps']:.0f} steps, {total['heard'] / 3600:.2f} h of sound heard in {total['seconds']:.0f} s\n"
    )
    return ExitCode.OK


def _config(given: argparse.Namespace, gpu: bool) -> DistillationConfig:
    from simul.models.whisper.features import STEP
    from simul.training.causal_whisper.trainer import DistillationConfig
    from simul.units import SAMPLE_RATE

    longest = DistillationConfig.longest
    if given.longest is not None:
        longest = max(1, int(given.longest * SAMPLE_RATE / STEP))
    return DistillationConfig(
        steps=given.steps,
        minutes=given.minutes if given.minutes is not None or given.steps is not None else 8.0,
        rate=given.rate or DistillationConfig.rate,
        audio=given.audio or (DistillationConfig.audio if gpu else 60.0),
        shortest=min(DistillationConfig.shortest, longest),
        longest=longest,
        bfloat16=given.precision == "bfloat16",
        seed=given.seed,
    )


def _report(context: Context, draw: Step) -> Callable[[float, dict[str, float]], None]:
    """What draws a bar on a terminal, and elsewhere writes a line now and then."""

    def report(done: float, figures: dict[str, float]) -> None:
        step = int(figures["step"])
        text = f"step {step}  distance {figures['loss']:.4f}  {figures['heard'] / 3600:.2f} h heard"
        if context.is_terminal(context.stderr):
            draw(100 * done, 100, text)
        elif step % 50 == 0:
            context.note(f"{100 * done:.1f} %, {text}")

    return report
