"""`simul score`: scores of translation logs; finds the subcommand and runs it."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import NamedTuple

from simul.cli.context import Context
from simul.errors import ExitCode, UsageError


class Subcommand(NamedTuple):
    """A module with `run(arguments, context)`, imported only when chosen, and one line of help."""

    module: str
    help: str


SUBCOMMANDS: dict[str, Subcommand] = {
    "shortform": Subcommand("simul.cli.score.shortform", "a log of utterances: quality and latency"),
    "longform": Subcommand(
        "simul.cli.score.longform", "whole recordings, cut into reference segments and scored"
    ),
    "speech": Subcommand("simul.cli.score.speech", "speech output: playback, silences and latency"),
    "stats": Subcommand("simul.cli.score.stats", "what is in a log: words, durations, lag, oddities"),
    "compare": Subcommand("simul.cli.score.compare", "several systems: differences and their significance"),
}
"""Every subcommand by name."""


def run(arguments: list[str], context: Context) -> int:
    """Run one subcommand; the flags of `shortform` and `longform` include those of OmniSTEval."""
    if arguments and arguments[0] in SUBCOMMANDS:
        from simul.cli.score.options import spelled

        module = import_module(SUBCOMMANDS[arguments[0]].module)
        code: int = module.run(spelled(arguments[1:]), context)
        return code
    if arguments and arguments[0] in ("-h", "--help"):
        context.stdout.write(overview())
        return ExitCode.OK
    known = ", ".join(SUBCOMMANDS)
    if not arguments or arguments[0].startswith("-"):
        raise UsageError(f"Name what to score: {known}; `simul score --help` describes them.")
    near = difflib.get_close_matches(arguments[0], SUBCOMMANDS, n=1)
    hint = f"did you mean `simul score {near[0]}`?" if near else f"choose one of {known}."
    raise UsageError(f"`simul score` has no subcommand {arguments[0]!r}; {hint}")


def overview() -> str:
    """The text of `simul score --help`."""
    width = max(map(len, SUBCOMMANDS)) + 2
    lines = [
        "usage: simul score SUBCOMMAND [options]",
        "",
        "Score what simultaneous systems wrote: quality, latency, significance.",
        "",
        "subcommands:",
        *(f"  {name:<{width}}{entry.help}" for name, entry in SUBCOMMANDS.items()),
        "",
        "`shortform` and `longform` take the flags of OmniSTEval 0.1.10 and write the same scores.tsv and",
        "instances.resegmented.jsonl. `simul score SUBCOMMAND --help` describes a subcommand.",
    ]
    return "\n".join(lines) + "\n"
