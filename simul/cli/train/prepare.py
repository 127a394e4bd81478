"""`simul train student prepare`: sentence pairs into pieces, once for all runs."""

from __future__ import annotations

from pathlib import Path

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.cli.train.bounds import count, pieces
from simul.cli.train.damage import damage_named, tables
from simul.cli.train.place import held
from simul.cli.train.student import listed, student_parser
from simul.cli.view.progress import progress
from simul.errors import ExitCode


def parser() -> Parser:
    """Options of this step."""
    made = student_parser("prepare", "Turn sentence pairs into pieces, once for all runs.")
    made.add_argument("--data", required=True, metavar="FOLDER", help="folder of sets of pairs")
    made.add_argument("--languages", required=True, metavar="LIST", help="target languages")
    made.add_argument("--output", required=True, metavar="FOLDER", help="folder of the runs")
    made.add_argument(
        "--more",
        nargs="*",
        default=[],
        metavar="FILE",
        help="further tables (.tsv.gz, columns en and LANGUAGE)",
    )
    made.add_argument("--vocabulary", type=pieces, default=10_000, metavar="N", help="target pieces")
    made.add_argument("--limit", type=count, metavar="N", help="at most so many pairs of each set")
    return made


def run(arguments: list[str], context: Context) -> int:
    """Run this step; returns the exit code."""
    given = parser().parse(arguments, context)
    from simul.training.student.prepared import prepare
    from simul.training.student.start import read_start
    from simul.training.student.text import read_pairs

    source = read_start(Path(given.start)).source
    for language in listed(given.languages):
        with damage_named(tables(given.data, given.more)):
            pairs = read_pairs(Path(given.data), language, [Path(file) for file in given.more], given.limit)
        with held(given.output) as output, progress(context, f"preparing {language}") as draw:
            made = prepare(output, language, pairs, source, given.vocabulary, draw)
        context.stdout.write(
            f"{language}: {len(made)} pairs, {len(made.target.ids)} target pieces, {len(made.held_out)} kept out\n"
        )
    return ExitCode.OK
