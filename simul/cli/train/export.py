"""`simul train student export`: the averaged weights of a run as parts to translate with."""

from __future__ import annotations

from pathlib import Path

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.cli.train.damage import damage_named
from simul.cli.train.place import full_disk_named
from simul.cli.train.student import listed, student_parser
from simul.errors import ExitCode
from simul.files import make_folder


def parser() -> Parser:
    """Options of this step."""
    made = student_parser("export", "Write a run's averaged weights as int8 parts, ready to translate with.")
    made.add_argument("--run", required=True, metavar="FOLDER", help="folder of the run")
    made.add_argument("--languages", required=True, metavar="LIST", help="languages of the run")
    made.add_argument("--output", required=True, metavar="FOLDER", help="folder of parts to write")
    made.add_argument("--own", metavar="LANGUAGE", help="write the start's own decoder too, as this language")
    return made


def run(arguments: list[str], context: Context) -> int:
    """Run this step; returns the exit code."""
    given = parser().parse(arguments, context)
    from simul.training.student.export import export
    from simul.training.student.start import read_start
    from simul.training.student.turned import reading

    languages, start = listed(given.languages), reading(read_start(Path(given.start)), Path(given.run))
    output = make_folder(given.output)
    with full_disk_named(output), damage_named(Path(given.run).glob("checkpoint*.pt")):
        size = export(Path(given.run), languages, start, output, given.own)
    context.stdout.write(f"{output}: {size / 1e6:.1f} MB\n")
    return ExitCode.OK
