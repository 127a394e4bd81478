"""`simul train student`: new target languages for a Firefox student; step by step."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.cli.view.progress import progress
from simul.errors import ExitCode, ModelMissingError, UsageError

if TYPE_CHECKING:
    from simul.training.student.start import Start
    from simul.training.student.trainer import TrainingConfig

_START = (
    "folder of a Firefox student (model*.bin, vocab*.spm) or of parts (encoder.npz, source.spm, LANGUAGE.npz)"
)
_EPILOG = """Steps: teach (a student's own translations as text), prepare (text into pieces), train, export, score,
restorer (case and punctuation of recognised words).
`simul train student STEP --help` describes a step; docs/train-student.md shows them in order."""


def run(arguments: list[str], context: Context) -> int:
    """Run one step."""
    if not arguments or arguments[0] not in _STEPS:
        given = arguments[0] if arguments else ""
        if given in ("-h", "--help"):
            Parser("train student", "Give a Firefox student new target languages.", epilog=_EPILOG).parse(
                arguments, context
            )
        raise UsageError(
            f"There is no step {given!r} of `simul train student`; choose from {', '.join(_STEPS)}."
        )
    try:
        return _STEPS[arguments[0]](arguments[1:], context)
    except ImportError as error:
        raise ModelMissingError(
            f'Training needs the package {error.name}; install it with: pip install -c constraints.txt "simul[train]".'
        ) from error


def _parser(step: str, description: str) -> Parser:
    parser = Parser(f"train student {step}", description)
    if step != "score":
        parser.add_argument("--start", required=True, metavar="FOLDER", help=_START)
    return parser


def _teach(arguments: list[str], context: Context) -> int:
    parser = _parser("teach", "Translate the English side of the training text with the student itself.")
    parser.add_argument("--data", required=True, metavar="FOLDER", help="folder of sets of pairs")
    parser.add_argument(
        "--of", required=True, metavar="LANGUAGE", help="whose pairs give the English sentences"
    )
    parser.add_argument(
        "--language", required=True, metavar="LANGUAGE", help="what the student translates into"
    )
    parser.add_argument("--output", required=True, metavar="FILE", help="table to write (.tsv.gz)")
    parser.add_argument("--limit", type=int, metavar="N", help="at most so many pairs of each set")
    parser.add_argument("--device", default="cpu", metavar="DEVICE", help="cpu, cuda or cuda:N")
    given = parser.parse(arguments, context)
    from simul.training.student.start import read_start
    from simul.training.student.teach import teach
    from simul.training.student.text import read_pairs

    texts = [pair.english for pair in read_pairs(Path(given.data), given.of, limit=given.limit)]
    with progress(context, "translating") as draw:
        rows = teach(
            read_start(Path(given.start)),
            texts,
            given.language,
            Path(given.output),
            given.device,
            progress=draw,
        )
    context.stdout.write(f"{given.output}: {rows} pairs\n")
    return ExitCode.OK


def _prepare(arguments: list[str], context: Context) -> int:
    parser = _parser("prepare", "Turn sentence pairs into pieces, once for all runs.")
    parser.add_argument("--data", required=True, metavar="FOLDER", help="folder of sets of pairs")
    parser.add_argument("--languages", required=True, metavar="LIST", help="target languages")
    parser.add_argument("--output", required=True, metavar="FOLDER", help="folder of the runs")
    parser.add_argument(
        "--more",
        nargs="*",
        default=[],
        metavar="FILE",
        help="further tables (.tsv.gz, columns en and LANGUAGE)",
    )
    parser.add_argument("--vocabulary", type=int, default=10_000, metavar="N", help="target pieces")
    parser.add_argument("--limit", type=int, metavar="N", help="at most so many pairs of each set")
    given = parser.parse(arguments, context)
    from simul.training.student.prepared import prepare
    from simul.training.student.start import read_start
    from simul.training.student.text import read_pairs

    source = read_start(Path(given.start)).source
    for language in _listed(given.languages):
        pairs = read_pairs(Path(given.data), language, [Path(file) for file in given.more], given.limit)
        with progress(context, f"preparing {language}") as draw:
            made = prepare(Path(given.output), language, pairs, source, given.vocabulary, draw)
        context.stdout.write(
            f"{language}: {len(made)} pairs, {len(made.target.ids)} target pieces, {len(made.held_out)} kept out\n"
        )
    return ExitCode.OK


def _train(arguments: list[str], context: Context) -> int:
    parser = _parser("train", "Train decoders; goes on from the checkpoint in --output, if any.")
    parser.add_argument("--languages", required=True, metavar="LIST", help="languages of this run")
    parser.add_argument("--output", required=True, metavar="FOLDER", help="folder that `prepare` wrote")
    parser.add_argument("--minutes", type=float, metavar="N", help="length of the run, all sessions together")
    parser.add_argument(
        "--steps", type=int, metavar="N", help="length of the run in optimiser steps, instead"
    )
    parser.add_argument("--rate", type=float, metavar="RATE", help="highest learning rate")
    parser.add_argument("--tokens", type=int, metavar="N", help="target pieces of a batch")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of everything random")
    parser.add_argument("--tune-encoder", action="store_true", help="the encoder learns too")
    parser.add_argument("--device", default="cpu", metavar="DEVICE", help="cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU cores to compute on")
    parser.add_argument(
        "--feeders", type=int, metavar="N", help="processes that make batches (default: 0, GPU: 6)"
    )
    parser.add_argument(
        "--precision", choices=("bfloat16", "float32"), default="bfloat16", help="of the computation"
    )
    given = parser.parse(arguments, context)
    import torch

    from simul.training.student.trainer import Trainer

    if given.threads < 1:
        raise UsageError(f"--threads is {given.threads}; give at least 1.")
    gpu = given.device != "cpu"
    if gpu and not torch.cuda.is_available():
        raise UsageError(f"--device is {given.device}, but no CUDA device is here; train with --device cpu.")
    torch.set_num_threads(given.threads)
    feeders = given.feeders if given.feeders is not None else 6 * gpu
    starts = _starts(Path(given.start), _listed(given.languages))
    trainer = Trainer(_config(given, gpu), starts, Path(given.output), given.device, feeders)
    if trainer.step:
        context.note(f"Going on from step {trainer.step} of {trainer.checkpoint}.")
    total = trainer.run(_drawn(context, trainer.config))
    context.note(f"{trainer.step} steps, {total['pieces']:.0f} target pieces in {total['seconds']:.0f} s.")
    with trainer.averaged():
        for language, maker in trainer.makers.items():
            found = trainer.cross_entropy(language, maker.held_out())
            context.stdout.write(f"{language}: {found:.4f} nats a piece on the pairs kept out\n")
    return ExitCode.OK


def _config(given: argparse.Namespace, gpu: bool) -> TrainingConfig:
    from simul.training.student.batches import Shapes
    from simul.training.student.trainer import TrainingConfig

    shapes = Shapes(given.tokens or 16_000, step=8, fixed=True) if gpu else Shapes(given.tokens or 4000)
    return TrainingConfig(
        steps=given.steps,
        minutes=given.minutes if given.minutes is not None or given.steps is not None else 120.0,
        rate=given.rate or 5e-4,
        drawn=None if gpu else 1000,
        tune_encoder=given.tune_encoder,
        bfloat16=given.precision == "bfloat16",
        seed=given.seed,
        shapes=shapes,
    )


def _drawn(context: Context, config: TrainingConfig) -> Callable[[float, dict[str, float]], None]:
    """A bar on a terminal, elsewhere a line now and then."""
    bar = progress(context, "training")
    draw = bar.__enter__()

    def report(done: float, figures: dict[str, float]) -> None:
        step, rate = int(figures["step"]), figures["pieces_per_second"]
        text = f"step {step}  loss {figures['loss']:.3f}  {rate:.0f} pieces/s"
        if context.is_terminal(context.stderr):
            draw(100 * done, 100, text)
        elif step % 100 == 0:
            context.note(f"{100 * done:.1f} %, {text}")
        if done >= 1:
            bar.__exit__(None, None, None)

    return report


def _export(arguments: list[str], context: Context) -> int:
    parser = _parser("export", "Write a run's averaged weights as int8 parts, ready to translate with.")
    parser.add_argument("--run", required=True, metavar="FOLDER", help="folder of the run")
    parser.add_argument("--languages", required=True, metavar="LIST", help="languages of the run")
    parser.add_argument("--output", required=True, metavar="FOLDER", help="folder of parts to write")
    parser.add_argument(
        "--own", metavar="LANGUAGE", help="write the start's own decoder too, as this language"
    )
    given = parser.parse(arguments, context)
    from simul.training.student.export import export
    from simul.training.student.start import read_start

    output = Path(given.output)
    size = export(Path(given.run), _listed(given.languages), read_start(Path(given.start)), output, given.own)
    context.stdout.write(f"{output}: {size / 1e6:.1f} MB\n")
    return ExitCode.OK


def _score(arguments: list[str], context: Context) -> int:
    parser = _parser(
        "score", "BLEU and chrF on the pairs that were kept out and on a development set, as JSON."
    )
    parser.add_argument(
        "--model", required=True, metavar="FOLDER", help="folder of parts that `export` wrote"
    )
    parser.add_argument("--run", required=True, metavar="FOLDER", help="folder that `prepare` wrote")
    parser.add_argument("--languages", required=True, metavar="LIST", help="target languages")
    parser.add_argument("--data", metavar="FOLDER", help="folder with tatoeba/dev.tsv")
    parser.add_argument("--beam", type=int, default=4, metavar="N", help="beam size")
    parser.add_argument("--limit", type=int, metavar="N", help="at most so many sentences of each set")
    given = parser.parse(arguments, context)
    from simul.training.student.score import score

    with progress(context, "translating") as draw:
        found = score(
            Path(given.model),
            Path(given.run),
            _listed(given.languages),
            Path(given.data) if given.data else None,
            given.beam,
            given.limit,
            draw,
        )
    context.stdout.write(json.dumps(found, indent=1) + "\n")
    return ExitCode.OK


def _restorer(arguments: list[str], context: Context) -> int:
    parser = _parser("restorer", "Train the tagger that gives recognised words their case and punctuation.")
    parser.add_argument("--data", required=True, metavar="FOLDER", help="folder of sets of pairs")
    parser.add_argument("--languages", required=True, metavar="LIST", help="whose pairs give English texts")
    parser.add_argument("--output", required=True, metavar="FILE", help="tagger to write (restorer.npz)")
    parser.add_argument("--texts", type=int, default=40_000, metavar="N", help="texts to learn from")
    given = parser.parse(arguments, context)
    from simul.training.student.restorer import prose, train_restorer
    from simul.training.student.start import read_start

    texts = prose(Path(given.data), _listed(given.languages), given.texts)
    with progress(context, "training") as draw:
        found = train_restorer(read_start(Path(given.start)), texts, Path(given.output), progress=draw)
    context.stdout.write(json.dumps(found) + "\n")
    return ExitCode.OK


_STEPS: dict[str, Callable[[list[str], Context], int]] = {
    "teach": _teach,
    "prepare": _prepare,
    "train": _train,
    "export": _export,
    "score": _score,
    "restorer": _restorer,
}


def _listed(text: str) -> tuple[str, ...]:
    found = tuple(code.strip() for code in text.split(",") if code.strip())
    if not found:
        raise UsageError("--languages is empty; give target languages, such as de,es.")
    return found


def _starts(folder: Path, languages: tuple[str, ...]) -> dict[str, Start]:
    """Where each language starts: its own decoder if the folder has one, otherwise the student's."""
    from simul.training.student.start import read_start

    return {
        language: read_start(folder, language if (folder / f"{language}.npz").is_file() else None)
        for language in languages
    }
