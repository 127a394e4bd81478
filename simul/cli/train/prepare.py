"""`simul train student prepare`: sentence pairs into pieces, once for all runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.cli.train.bounds import count, pieces
from simul.cli.train.damage import damage_named, tables
from simul.cli.train.place import held
from simul.cli.train.student import listed, student_parser
from simul.cli.view.progress import progress
from simul.errors import ExitCode

if TYPE_CHECKING:
    from simul.training.student.start import StartingPoint
    from simul.training.student.text import Pair


def parser() -> Parser:
    """Options of this step."""
    made = student_parser("prepare", "Turn sentence pairs into pieces, once for all runs.")
    made.add_argument("--data", required=True, metavar="FOLDER", help="folder of sets of pairs")
    made.add_argument(
        "--languages",
        required=True,
        metavar="LIST",
        help="target languages; with --into-english those to read",
    )
    made.add_argument(
        "--into-english",
        action="store_true",
        help="turn the pairs round: one encoder that learns to read all --languages, and a decoder of English",
    )
    made.add_argument("--output", required=True, metavar="FOLDER", help="folder of the runs")
    made.add_argument(
        "--more",
        nargs="*",
        default=[],
        metavar="FILE",
        help="further tables (.tsv.gz, columns en and LANGUAGE)",
    )
    made.add_argument("--vocabulary", type=pieces, default=10_000, metavar="N", help="pieces to learn")
    made.add_argument("--limit", type=count, metavar="N", help="at most so many pairs of each set")
    return made


def run(arguments: list[str], context: Context) -> int:
    """Run this step; returns the exit code."""
    given = parser().parse(arguments, context)
    from simul.training.student.start import read_start
    from simul.training.student.text import read_pairs

    start, languages, more = (
        read_start(Path(given.start)),
        listed(given.languages),
        [Path(file) for file in given.more],
    )
    if given.into_english:
        return _turned(given, context, start, languages, more)
    for language in languages:
        with damage_named(tables(given.data, given.more)):
            pairs = read_pairs(Path(given.data), language, more, given.limit)
        _prepare(given, context, language, pairs, start.source)
    return ExitCode.OK


def _turned(
    given: argparse.Namespace,
    context: Context,
    start: StartingPoint,
    languages: tuple[str, ...],
    more: list[Path],
) -> int:
    from simul.training.student.start import SOURCE, processor
    from simul.training.student.turned import INTO, read_turned, write_vocabularies

    with damage_named(tables(given.data, given.more)):
        pairs = read_turned(Path(given.data), languages, more, given.limit)
    context.note(f"Learning the pieces of {len(pairs)} pairs.")
    with held(given.output) as output:
        write_vocabularies(output, pairs, start, languages, given.vocabulary)
    _prepare(given, context, INTO, pairs, processor(output / SOURCE))
    return ExitCode.OK


def _prepare(
    given: argparse.Namespace, context: Context, language: str, pairs: list[Pair], source: Any
) -> None:
    from simul.training.student.prepared import prepare

    with held(given.output) as output, progress(context, f"preparing {language}") as draw:
        made = prepare(output, language, pairs, source, given.vocabulary, draw)
    context.stdout.write(
        f"{language}: {len(made)} pairs, {len(made.target.ids)} target pieces, {len(made.held_out)} kept out\n"
    )
