"""`simul schema`: the documents of the server's protocol."""

from __future__ import annotations

import json

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.errors import ExitCode


def parser() -> Parser:
    """The options of the command."""
    p = Parser("schema", "Print the documents of the live-translation protocol.")
    p.add_argument(
        "--format", choices=("schema", "asyncapi", "markdown"), default="schema", help="which document"
    )
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the command."""
    given = parser().parse(arguments, context)
    if given.format == "markdown":
        from server.reference import markdown

        context.stdout.write(markdown())
        return ExitCode.OK
    from server.schema import asyncapi, json_schema

    document = json_schema() if given.format == "schema" else asyncapi()
    context.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return ExitCode.OK
