"""What the commands that open streams share: their options, and the sessions that these describe."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from simul.cli.context import Context
from simul.cli.options import MOST_ROWS, Parser, whole
from simul.config import ModelConfig, StreamOptions
from simul.options import add_options, from_namespace

if TYPE_CHECKING:
    from simul.session.factory import SessionFactory


def add_list_options(p: Parser) -> argparse._ArgumentGroup:
    """Which rows and columns of a list of recordings, and segments of long ones."""
    lists = p.add_argument_group("what to run")
    lists.add_argument("--audio-column", metavar="NAME", help="column of audio paths")
    lists.add_argument("--reference-column", metavar="NAME", help="column of reference translations")
    lists.add_argument("--transcript-column", metavar="NAME", help="column of what is spoken")
    lists.add_argument(
        "--where", action="append", default=[], metavar="COLUMN=VALUE", help="only such rows (repeatable)"
    )
    lists.add_argument("--limit", type=whole(1, MOST_ROWS), metavar="N", help="only the first N recordings")
    lists.add_argument(
        "--segmentation", metavar="FILE", help="reference segments of long recordings (YAML, JSON, TSV)"
    )
    return lists


def add_session_options(parser: Parser) -> None:
    """Languages, policy, chunk and model."""
    add_options(parser, StreamOptions, "stream")
    add_options(parser, ModelConfig, "model")


def session_factory(given: argparse.Namespace, context: Context) -> SessionFactory:
    """The sessions that the options describe; raises for an unknown policy or parameter at once."""
    from simul.session.factory import SessionFactory

    stream, model = from_namespace(StreamOptions, given), from_namespace(ModelConfig, given)
    return SessionFactory(stream, model, context.load_backend)


def announce(factory: SessionFactory, context: Context) -> None:
    """Load the model and say on standard error which it is."""
    context.note(factory.loaded.description)
