"""What the subcommands of `simul score` write: the result in its formats, files, notices."""

from __future__ import annotations

import argparse
import contextlib
import textwrap
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from simul.cli.context import Context
from simul.cli.score.options import format_of
from simul.cli.view.tables import print_table
from simul.errors import SimulError

if TYPE_CHECKING:
    from latency_metrics.base import Notice
    from latency_metrics.reports.document import Document

SHOWN_NOTICES = 12
"""Notices on standard error without -v."""


def deliver(document: Document, given: argparse.Namespace, context: Context) -> None:
    """Write a result to standard output and to the files of -o; notices go to standard error.

    Raises:
        SimulError: a file cannot be written.
    """
    say_notices(document.notices, context)
    for name in given.output:
        with writing(name):
            target = Path(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(rendered(document, format_of(name), context), encoding="utf-8")
        context.note(f"Wrote {name}.")
    if given.format == "table":
        _tables(document, context.stdout, context)
    else:
        context.stdout.write(rendered(document, given.format, context))


def rendered(document: Document, kind: str, context: Context) -> str:
    """A result in one format: table, json, tsv or html."""
    if kind == "json":
        return document.json()
    if kind == "tsv":
        return document.tsv
    if kind == "html":
        from latency_metrics.reports.html import page

        return page(document)
    from latency_metrics.reports.document import plain

    text = StringIO()
    text.write(f"{document.title}\n\n")
    for name, value in document.settings.items():
        text.write(f"{name}: {plain(value)}\n")
    text.write("\n")
    _tables(document, text, context)
    if document.notices:
        text.write("\nNotices\n")
        text.write("".join(f"  {notice}\n" for notice in document.notices))
    return text.getvalue()


def _tables(document: Document, stream: TextIO, context: Context) -> None:
    for number, table in enumerate(document.tables):
        if number:
            stream.write("\n")
        print_table(context, stream, table.title, table.header, table.rows)
        if table.note:
            stream.write(textwrap.fill(table.note, 100) + "\n")


def say_notices(notices: Sequence[Notice], context: Context) -> None:
    """Print what was odd, one line per reason; -v prints all of them."""
    from latency_metrics.reports.document import grouped, listed

    groups = grouped(notices)
    shown = groups if context.verbosity > 0 else groups[:SHOWN_NOTICES]
    for reason, places in shown:
        count = f"{len(places)} × " if len(places) > 1 else ""
        context.warn(f"{count}{reason}: {listed(places)}" if count else f"{places[0]}: {reason}")
    if len(shown) < len(groups):
        left = sum(len(places) for _, places in groups[len(shown) :])
        context.warn(f"{left} more notices; -v prints them, .json and .html results hold them.")


@contextlib.contextmanager
def writing(name: str | Path) -> Iterator[None]:
    """Turn a failed write into a sentence.

    Raises:
        SimulError: the file cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise SimulError(f"{name} cannot be written: {error.strerror or error}.") from error
