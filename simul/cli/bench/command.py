"""`simul bench`: finds what is to be measured and measures it."""

from __future__ import annotations

from simul.cli.commands import BENCHES, find, listing
from simul.cli.context import Context
from simul.errors import ExitCode, UsageError


def run(arguments: list[str], context: Context) -> int:
    """Run one measurement."""
    name, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if name in ("-h", "--help"):
        context.stdout.write(overview())
        return ExitCode.OK
    if not name or name.startswith("-"):
        raise UsageError(f"Name what to measure: {', '.join(BENCHES)}; `simul bench --help` describes it.")
    return find(name, BENCHES, "simul bench").run(rest, context)


def overview() -> str:
    """The text of `simul bench --help`."""
    lines = [
        "usage: simul bench WHAT [options]",
        "",
        "Measure what this machine can do.",
        "",
        "what:",
        *listing(BENCHES),
        "",
        "`simul bench WHAT --help` describes it.",
    ]
    return "\n".join(lines) + "\n"
