"""`simul models`: which models there are, where they are on this machine, and how they come, go and are checked."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.errors import ExitCode, ModelMissingError, SimulError, UsageError

if TYPE_CHECKING:
    from simul.models.catalogue import Entry, Places, State

EPILOG = """list: every model of the catalogue. pull NAME: fetch it. verify [NAME]: read all files anew and compare
them with the catalogue. where NAME: print its folder. rm NAME: delete what pull or a join put into the toolkit's
cache. Nothing is fetched by any other command unless --download is given."""


def parser() -> Parser:
    """The options of the command."""
    p = Parser("models", "List, fetch, check, find and remove models.", epilog=EPILOG)
    p.add_argument("action", nargs="?", default="list", choices=tuple(_ACTIONS), help="what to do (list)")
    p.add_argument("names", nargs="*", metavar="NAME", help="models, by their names in the list")
    p.add_argument(
        "--models", action="append", default=[], metavar="FOLDER", help="also look for models there"
    )
    p.add_argument("--format", choices=("text", "json"), default="text", help="how to print")
    p.add_argument(
        "--accept",
        metavar="SHA256",
        help="take a model of Mozilla's that the catalogue does not list, whose weights have this hash",
    )
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the command."""
    from simul.models.catalogue import Places

    given = parser().parse(arguments, context)
    if given.action in ("pull", "where", "rm") and not given.names:
        raise UsageError(f"Name a model: simul models {given.action} NAME; `simul models` lists them.")
    if given.accept is not None and (given.action != "pull" or len(given.names) != 1):
        raise UsageError("--accept goes with one model to fetch: simul models pull NAME --accept SHA256.")
    return _ACTIONS[given.action](given, context, Places.of_user(context.environ, given.models))


def _entries(names: Sequence[str], places: Places) -> list[Entry]:
    """The entries of `names`, of all models without names."""
    from simul.models.catalogue import entry_of
    from simul.models.catalogue.accepted import accepted
    from simul.models.catalogue.entries import ENTRIES

    if names:
        return [entry_of(name, places.store) for name in names]
    return [*ENTRIES.values(), *accepted(places.store).values()]


def _list(given: argparse.Namespace, context: Context, places: Places) -> int:
    from simul.cli.view.tables import print_table
    from simul.models.catalogue import how_to_get, state_of

    states = [state_of(entry, places) for entry in _entries(given.names, places)]
    if given.format == "json":
        _print_json(context, [_described(state) for state in states])
        return ExitCode.OK
    rows = [
        [
            state.entry.name,
            state.entry.task,
            _languages(state.entry),
            f"{state.entry.size / 1e6:.0f} MB",
            state.entry.licence,
            _place(state),
            "" if state.source else how_to_get(state.entry),
        ]
        for state in states
    ]
    header = ["model", "task", "languages", "size", "licence", "on this machine", "get it with"]
    print_table(context, context.stdout, "", header, rows)
    for state in states:
        for sentence in state.wrong:
            context.warn(sentence)
    return ExitCode.OK


def _languages(entry: Entry) -> str:
    if entry.task == "translation":
        return "→".join(entry.languages)
    return ", ".join(entry.languages) if len(entry.languages) < 6 else str(len(entry.languages))


def _place(state: State) -> str:
    if state.source is None:
        return "no"
    if state.source == "package":
        return state.at + (" (joined on first use)" if state.path is None else "")
    return {"hub cache": "hub cache", "cache": "the toolkit's cache"}.get(state.source, state.at)


def _described(state: State) -> dict[str, Any]:
    """A model as JSON."""
    from simul.models.catalogue import how_to_get

    entry = state.entry
    return {
        "name": entry.name,
        "task": entry.task,
        "languages": list(entry.languages),
        "bytes": entry.size,
        "licence": entry.licence,
        "origin": entry.origin,
        "about": entry.about,
        "installed": state.source is not None,
        "source": state.source,
        "path": None if state.path is None else str(state.path),
        "get": how_to_get(entry),
        "wrong": list(state.wrong),
        "files": [asdict(file) for file in entry.files],
    }


def _pull(given: argparse.Namespace, context: Context, places: Places) -> int:
    from simul.cli.view.progress import byte_progress
    from simul.models.catalogue import known, pull
    from simul.models.catalogue.accepted import pair_of

    for name in given.names:
        entry = known(name, places.store)
        if entry is None and pair_of(name) is not None:
            entry = _unlisted(name, given.accept, context, places)
        elif entry is None or given.accept is not None:
            entry = _entries([name], places)[0]
        with byte_progress(context, entry.name, entry.size) as heard:
            found = pull(entry, places, heard)
        context.stdout.write(f"{found.path}\n")
        context.note(f"{entry.name}: {entry.about} Licence {entry.licence}; {entry.origin}.")
    return ExitCode.OK


def _unlisted(name: str, word: str | None, context: Context, places: Places) -> Entry:
    """What Mozilla offers under a name that the catalogue lacks, once the user has said which hash to accept."""
    from simul.models.catalogue import mozilla
    from simul.models.catalogue.accepted import accept, pair_of, weights_of

    pair = pair_of(name)
    assert pair is not None
    entry = mozilla.offered(*pair)
    sha256 = weights_of(entry).sha256
    if word is None:
        for file in entry.files:
            context.warn(f"{file.name}, {file.size} bytes, SHA-256 {file.sha256}")
        raise UsageError(
            f"The catalogue does not list {name}: nobody has checked these files of Mozilla's ({entry.about}) To take "
            f"them as they are: simul models pull {name} --accept {sha256}"
        )
    if word.lower() != sha256:
        raise UsageError(f"Mozilla offers weights with the SHA-256 {sha256} for {name}, not {word}.")
    accept(entry, places.store)
    return entry


def _verify(given: argparse.Namespace, context: Context, places: Places) -> int:
    from simul.cli.view.progress import byte_progress
    from simul.models.catalogue import how_to_get, verify
    from simul.models.catalogue.lookup import candidates

    results = []
    for entry in _entries(given.names, places):
        total = entry.size * sum(1 for _ in candidates(entry, places))
        with byte_progress(context, entry.name, total) as heard:
            found = verify(entry, places, heard)
        if given.names and not found:
            raise ModelMissingError(
                f"The model {entry.name} is not on this machine; get it with: {how_to_get(entry)}"
            )
        results += found
    if given.format == "json":
        _print_json(
            context,
            [{"name": r.entry.name, "source": r.source, "at": r.at, "wrong": list(r.wrong)} for r in results],
        )
    else:
        for result in results:
            context.stdout.write(f"{'✗' if result.wrong else '✓'} {result.entry.name}  {result.at}\n")
        for result in results:
            for sentence in result.wrong:
                context.warn(sentence)
        if not results:
            context.note("No model of the catalogue is on this machine; `simul models` says how to get them.")
    return ExitCode.FAILED if any(result.wrong for result in results) else ExitCode.OK


def _where(given: argparse.Namespace, context: Context, places: Places) -> int:
    from simul.cli.view.progress import byte_progress
    from simul.models.catalogue import find

    located = []
    for entry in _entries(given.names, places):
        with byte_progress(context, entry.name, entry.size) as heard:
            located.append(find(entry, places, heard))
    if given.format == "json":
        _print_json(
            context, [{"name": f.entry.name, "path": str(f.path), "source": f.source} for f in located]
        )
        return ExitCode.OK
    for found in located:
        context.stdout.write(f"{found.path}\n")
        context.detail(f"{found.entry.name}: {found.at}")
        for sentence in found.passed_over:
            context.warn(sentence)
    return ExitCode.OK


def _remove(given: argparse.Namespace, context: Context, places: Places) -> int:
    from simul.models.catalogue.accepted import forget

    for entry in _entries(given.names, places):
        size = places.store.remove(entry)
        forgotten = forget(entry.name, places.store)
        if not size and not forgotten:
            raise SimulError(f"{entry.name} is not in {places.store.root}{_elsewhere(entry, places)}.")
        context.note(f"{entry.name}: {size / 1e6:.0f} MB removed from {places.store.root}.")
    return ExitCode.OK


def _elsewhere(entry: Entry, places: Places) -> str:
    """Where else the model is, and how it would go."""
    from simul.models.catalogue import state_of

    state = state_of(entry, places)
    if state.source == "package" and entry.package is not None:
        # Packages that are nothing but boxes of a model are pinned; others have a use of their own.
        pinned = (requirement.split("==") for requirement in entry.package.requirements)
        owners = " ".join(parts[0] for parts in pinned if len(parts) == 2)
        return f"; it is in {state.at}: pip uninstall {owners}" if owners else f"; it is part of {state.at}"
    if state.source == "hub cache" and entry.hub is not None:
        return f"; it is in the hub cache, which other programs use too: hf cache rm model/{entry.hub.repository}"
    return f"; it is in {state.at}" if state.source else ""


def _print_json(context: Context, value: object) -> None:
    context.stdout.write(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


_ACTIONS = {"list": _list, "pull": _pull, "verify": _verify, "where": _where, "rm": _remove}
