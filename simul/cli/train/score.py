"""`simul train student score`: BLEU and chrF on text that no run learns from."""

from __future__ import annotations

import json
from pathlib import Path

from simul.cli.context import Context
from simul.cli.options import Parser, whole
from simul.cli.train.bounds import count
from simul.cli.train.student import listed, student_parser
from simul.cli.view.progress import progress
from simul.config import MOST_BEAM
from simul.errors import ExitCode


def parser() -> Parser:
    """Options of this step."""
    made = student_parser(
        "score", "BLEU and chrF on the pairs that were kept out and on a development set, as JSON."
    )
    made.add_argument("--model", required=True, metavar="FOLDER", help="folder of parts that `export` wrote")
    made.add_argument("--run", required=True, metavar="FOLDER", help="folder that `prepare` wrote")
    made.add_argument("--languages", required=True, metavar="LIST", help="target languages")
    made.add_argument("--data", metavar="FOLDER", help="folder with tatoeba/dev.tsv")
    made.add_argument("--beam", type=whole(1, MOST_BEAM), default=4, metavar="N", help="beam size")
    made.add_argument("--limit", type=count, metavar="N", help="at most so many sentences of each set")
    return made


def run(arguments: list[str], context: Context) -> int:
    """Run this step; returns the exit code."""
    given = parser().parse(arguments, context)
    from simul.training.student.score import score

    with progress(context, "translating") as draw:
        found = score(
            Path(given.model),
            Path(given.run),
            listed(given.languages),
            Path(given.data) if given.data else None,
            given.beam,
            given.limit,
            draw,
        )
    context.stdout.write(json.dumps(found, indent=1) + "\n")
    return ExitCode.OK
