"""`simul train causal-whisper prepare`: recordings into one pool of sound, once for all runs."""

from __future__ import annotations

from pathlib import Path

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.cli.train.place import held
from simul.cli.view.progress import progress
from simul.errors import ExitCode
from simul.units import SAMPLE_RATE


def parser() -> Parser:
    """Options of this step."""
    made = Parser(
        "train causal-whisper prepare", "Decode recordings of speech into one pool, once for all runs."
    )
    made.add_argument(
        "--audio",
        required=True,
        nargs="+",
        metavar="FOLDER",
        help="folders of recordings, each a set: small sets are heard more often than their length says",
    )
    made.add_argument("--output", required=True, metavar="FOLDER", help="folder of the run")
    return made


def run(arguments: list[str], context: Context) -> int:
    """Run this step; returns the exit code."""
    given = parser().parse(arguments, context)
    from simul.training.causal_whisper.pool import prepare

    with held(given.output) as output, progress(context, "reading") as draw:
        sets = prepare([Path(place) for place in given.audio], output, draw)
    for each in sets:
        minutes = each.samples / SAMPLE_RATE / 60
        context.stdout.write(f"{each.name}: {len(each.starts)} recordings, {minutes:.1f} min\n")
    return ExitCode.OK
