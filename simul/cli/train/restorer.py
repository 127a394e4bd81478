"""`simul train student restorer`: the tagger of case and punctuation for recognised words."""

from __future__ import annotations

import json
from pathlib import Path

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.cli.train.bounds import count
from simul.cli.train.damage import damage_named, tables
from simul.cli.train.place import full_disk_named
from simul.cli.train.student import listed, student_parser
from simul.cli.view.progress import progress
from simul.errors import ExitCode


def parser() -> Parser:
    """Options of this step."""
    made = student_parser(
        "restorer", "Train the tagger that gives recognised words their case and punctuation."
    )
    made.add_argument("--data", required=True, metavar="FOLDER", help="folder of sets of pairs")
    made.add_argument("--languages", required=True, metavar="LIST", help="whose pairs give English texts")
    made.add_argument("--output", required=True, metavar="FILE", help="tagger to write (restorer.npz)")
    made.add_argument("--texts", type=count, default=40_000, metavar="N", help="texts to learn from")
    return made


def run(arguments: list[str], context: Context) -> int:
    """Run this step; returns the exit code."""
    given = parser().parse(arguments, context)
    from simul.training.student.restorer import prose, train_restorer
    from simul.training.student.start import read_start

    with damage_named(tables(given.data)):
        texts = prose(Path(given.data), listed(given.languages), given.texts)
    with full_disk_named(Path(given.output)), progress(context, "training") as draw:
        found = train_restorer(read_start(Path(given.start)), texts, Path(given.output), progress=draw)
    context.stdout.write(json.dumps(found) + "\n")
    return ExitCode.OK
