"""Formats and places of what a stream writes: the options that files and the microphone share."""

from __future__ import annotations

import argparse
import os

from simul.cli.options import Parser
from simul.cli.places import check_folder
from simul.errors import UsageError

SUFFIXES = {"text": "txt", "json": "jsonl", "srt": "srt", "vtt": "vtt"}
_FORMAT_OF_SUFFIX = {".json": "json", ".jsonl": "json", ".srt": "srt", ".vtt": "vtt"}


def add_output_options(p: Parser) -> None:
    """Options of what comes out, shared with the microphone."""
    group = p.add_argument_group("output")
    group.add_argument(
        "--format", choices=tuple(SUFFIXES), help="text (unless -o ends otherwise), json, srt, vtt"
    )
    group.add_argument("--bilingual", action="store_true", help="subtitles with the source text below")
    group.add_argument(
        "-o",
        "--output",
        metavar="PLACE",
        help="file, folder/ for one file per input, or - for standard output",
    )
    group.add_argument(
        "--speak",
        metavar="OUT.wav",
        help="also speak the translation into a WAV file, a folder/, or - for standard output",
    )
    group.add_argument("--play", action="store_true", help="speak the translation through the loudspeaker")
    group.add_argument(
        "--play-device",
        metavar="NAME",
        help="with --play, the output: number or part of its name; virtual: a microphone for other programs",
    )
    group.add_argument("--voice", metavar="NAME", help="voice of --speak and --play")
    group.add_argument("--captions", action="store_true", help="live caption panel, on a terminal")
    group.add_argument("--stats", action="store_true", help="print a latency table at the end")


OTHER_SOUND = frozenset(
    {".aac", ".aif", ".aiff", ".au", ".caf", ".flac", ".m4a", ".mka", ".mp3", ".mp4", ".oga", ".ogg", ".opus"}
    | {".webm", ".wma"}
)
"""Suffixes of sound files that are no WAV."""


def check_outputs(given: argparse.Namespace) -> None:
    """Refuse places that cannot take what their options write.

    Raises:
        UsageError: one of them.
    """
    for option, name in (("--speak", given.speak), ("--save-audio", getattr(given, "save_audio", None))):
        suffix = os.path.splitext(name or "")[1].lower()
        if suffix in OTHER_SOUND:
            raise UsageError(f"{option} writes WAV, not {suffix}; name a file ending in .wav.")
    if given.play_device and not given.play:
        raise UsageError("--play-device says where --play speaks; give --play too.")
    if given.log is not None:
        check_folder("--log", given.log)


def output_format(given: argparse.Namespace) -> str:
    """The format asked for, by option or by the output's suffix."""
    if given.format:
        return str(given.format)
    return _FORMAT_OF_SUFFIX.get(os.path.splitext(given.output or "")[1].lower(), "text")
