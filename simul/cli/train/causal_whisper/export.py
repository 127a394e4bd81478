"""`simul train causal-whisper export`: the encoder of a run into the folder of its model."""

from __future__ import annotations

from pathlib import Path

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.errors import ExitCode


def parser() -> Parser:
    """Options of this step."""
    made = Parser(
        "train causal-whisper export",
        "Write a run's encoder in int8 into the folder of its model, for --window live and --window causal.",
    )
    made.add_argument("--run", required=True, metavar="FOLDER", help="folder of the run")
    made.add_argument(
        "--output", required=True, metavar="FOLDER", help="folder of the Whisper model (CTranslate2)"
    )
    return made


def run(arguments: list[str], context: Context) -> int:
    """Run this step; returns the exit code."""
    given = parser().parse(arguments, context)
    from simul.training.causal_whisper.export import export

    path = export(Path(given.run), Path(given.output))
    context.stdout.write(f"{path}: {path.stat().st_size / 1e6:.1f} MB\n")
    return ExitCode.OK
