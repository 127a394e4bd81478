"""`simul train student teach`: the student translates the English side of the training text itself."""

from __future__ import annotations

from pathlib import Path

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.cli.train.bounds import count
from simul.cli.train.damage import damage_named, tables
from simul.cli.train.place import full_disk_named
from simul.cli.train.student import student_parser
from simul.cli.view.progress import progress
from simul.errors import ExitCode


def parser() -> Parser:
    """Options of this step."""
    made = student_parser("teach", "Translate the English side of the training text with the student itself.")
    made.add_argument("--data", required=True, metavar="FOLDER", help="folder of sets of pairs")
    made.add_argument(
        "--of", required=True, metavar="LANGUAGE", help="whose pairs give the English sentences"
    )
    made.add_argument(
        "--language", required=True, metavar="LANGUAGE", help="what the student translates into"
    )
    made.add_argument("--output", required=True, metavar="FILE", help="table to write (.tsv.gz)")
    made.add_argument("--limit", type=count, metavar="N", help="at most so many pairs of each set")
    made.add_argument("--device", default="cpu", metavar="DEVICE", help="cpu, cuda or cuda:N")
    return made


def run(arguments: list[str], context: Context) -> int:
    """Run this step; returns the exit code."""
    given = parser().parse(arguments, context)
    from simul.training.student.start import read_start
    from simul.training.student.teach import teach
    from simul.training.student.text import read_pairs

    with damage_named(tables(given.data)):
        texts = [pair.source for pair in read_pairs(Path(given.data), given.of, limit=given.limit)]
    with full_disk_named(Path(given.output)), progress(context, "translating") as draw:
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
