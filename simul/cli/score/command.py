"""`simul score`: scores of translation logs; finds the subcommand and runs it."""

from __future__ import annotations

from simul.cli.commands import SCORES, find, listing
from simul.cli.context import Context
from simul.errors import ExitCode, UsageError


def run(arguments: list[str], context: Context) -> int:
    """Run one subcommand; the flags of `shortform` and `longform` include those of OmniSTEval."""
    if arguments and arguments[0] in ("-h", "--help"):
        context.stdout.write(overview())
        return ExitCode.OK
    if not arguments or arguments[0].startswith("-"):
        raise UsageError(f"Name what to score: {', '.join(SCORES)}; `simul score --help` describes them.")
    from simul.cli.score.options import spelled

    return find(arguments[0], SCORES, "simul score").run(spelled(arguments[1:]), context)


def overview() -> str:
    """The text of `simul score --help`."""
    lines = [
        "usage: simul score SUBCOMMAND [options]",
        "",
        "Score what simultaneous systems wrote: quality, latency, significance.",
        "",
        "subcommands:",
        *listing(SCORES),
        "",
        "`shortform` and `longform` take the flags of OmniSTEval 0.1.10 and write the same scores.tsv and",
        "instances.resegmented.jsonl. `simul score SUBCOMMAND --help` describes a subcommand.",
    ]
    return "\n".join(lines) + "\n"
