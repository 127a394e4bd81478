"""`simul version`: what a report of a fault should name: the toolkit, its formats, the models of this machine."""

from __future__ import annotations

import json
import platform
from typing import TYPE_CHECKING, Any

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.errors import ExitCode

if TYPE_CHECKING:
    from simul.models.catalogue import Entry


def parser() -> Parser:
    """The options of the command."""
    p = Parser(
        "version", "Print the versions of the toolkit, of its formats, and of the models on this machine."
    )
    p.add_argument("--json", action="store_true", help="as JSON, the models with their hashes")
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the command."""
    given = parser().parse(arguments, context)
    found = versions(context)
    if given.json:
        context.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
        return ExitCode.OK
    rows = {
        "simul": found["simul"],
        "protocol": found["protocol"],
        "event schema": found["events"],
        "Python": found["python"],
        "models": ", ".join(found["models"]) or "none",
    }
    for name, value in rows.items():
        context.stdout.write(f"{name} {value}\n")
    return ExitCode.OK


def versions(context: Context) -> dict[str, Any]:
    """simul, protocol (`simul.v1`), events (schema), python, system; models: by name, the SHA-256 of their files."""
    from importlib.metadata import version

    from server.protocol import VERSION
    from simul.models.catalogue import Places, state_of
    from simul.models.catalogue.accepted import accepted
    from simul.models.catalogue.entries import ENTRIES
    from simul.session.events import SCHEMA_VERSION

    places = Places.of_user(context.environ, ())
    states = [state_of(entry, places) for entry in (*ENTRIES.values(), *accepted(places.store).values())]
    return {
        "simul": version("simul"),
        "protocol": VERSION,
        "events": SCHEMA_VERSION,
        "python": platform.python_version(),
        "system": platform.platform(),
        "models": {state.entry.name: hashes(state.entry) for state in states if state.source is not None},
    }


def hashes(entry: Entry) -> dict[str, str]:
    """The files of a model as the catalogue knows them."""
    return {file.name: file.sha256 for file in entry.files}
