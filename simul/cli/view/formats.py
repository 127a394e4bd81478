"""Formats and places of what a stream writes: the options that files and the microphone share."""

from __future__ import annotations

import argparse
import os

from simul.cli.options import Parser

SUFFIXES = {"text": "txt", "json": "jsonl", "srt": "srt", "vtt": "vtt"}
_FORMAT_OF_SUFFIX = {".json": "json", ".jsonl": "json", ".srt": "srt", ".vtt": "vtt"}


def add_output_options(p: Parser) -> None:
    """Options of what comes out, shared with the microphone."""
    group = p.add_argument_group("output")
    group.add_argument(
        "--format", choices=tuple(SUFFIXES), help="text (unless -o ends otherwise), json, srt, vtt"
    )
    group.add_argument("--bilingual", action="store_true", help="subtitles with the source text below")
    group.add_argument("-o", "--output", metavar="PLACE", help="file, or folder/ for one file per input")
    group.add_argument(
        "--speak", metavar="OUT.wav", help="also speak the translation into a WAV file (or folder/)"
    )
    group.add_argument("--play", action="store_true", help="speak the translation through the loudspeaker")
    group.add_argument("--voice", metavar="NAME", help="voice of --speak and --play")
    group.add_argument("--captions", action="store_true", help="live caption panel, on a terminal")
    group.add_argument("--stats", action="store_true", help="print a latency table at the end")


def output_format(given: argparse.Namespace) -> str:
    """The format asked for, by option or by the output's suffix."""
    if given.format:
        return str(given.format)
    return _FORMAT_OF_SUFFIX.get(os.path.splitext(given.output or "")[1].lower(), "text")
