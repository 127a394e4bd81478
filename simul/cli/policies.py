"""`simul policies`: every read/write policy with its parameters."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.errors import ExitCode


def parser() -> Parser:
    """The options of the command."""
    p = Parser("policies", "List the read/write policies, or describe some of them.")
    p.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="describe these policies in full; MODULE:CLASS for one of your own",
    )
    p.add_argument("--json", action="store_true", help="as JSON")
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the command."""
    from policies.registry import describe, describe_policy

    given = parser().parse(arguments, context)
    chosen = [describe_policy(name) for name in given.names] if given.names else describe()
    if given.json:
        context.stdout.write(json.dumps([asdict(info) for info in chosen], ensure_ascii=False) + "\n")
        return ExitCode.OK
    for info in chosen:
        description = info.text if given.names else info.summary
        context.stdout.write(f"{info.name}\n" + textwrap.indent(description, "    ") + "\n")
        if info.operands != (0, 0):
            context.stdout.write(f"    made of other policies, for example: --policy '{info.example}'\n")
        width = max((len(p.name) for p in info.parameters), default=0)
        for p in info.parameters:
            meaning = f"{p.help} " if p.help else ""
            context.stdout.write(
                f"    {p.name:<{width}}  {meaning}({p.expected()}; default {_shown(p.default)})\n"
            )
    context.note("Choose with --policy NAME, set parameters with --policy-arg NAME=VALUE.")
    return ExitCode.OK


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
