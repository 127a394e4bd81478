"""Cues as SubRip and as WebVTT."""

from __future__ import annotations

import html
import unicodedata

from simul.captions.cues import Cue

VTT_HEADER = "WEBVTT\n\n"

_RIGHT_TO_LEFT_MARK = "\u200f"


def timestamp(seconds: float, comma: bool) -> str:
    """`hh:mm:ss,mmm`, with a point in place of the comma for WebVTT."""
    ms = round(max(0.0, seconds) * 1000)
    clock = f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}"
    return f"{clock}{',' if comma else '.'}{ms % 1000:03d}"


def srt(cue: Cue, number: int) -> str:
    """A cue as SubRip, numbered from 1, with the blank line after it."""
    times = f"{timestamp(cue.start, True)} --> {timestamp(cue.end, True)}"
    source = [f"<i>{directed(line)}</i>" for line in cue.source]
    return "\n".join([str(number), times, *map(directed, cue.lines), *source]) + "\n\n"


def vtt(cue: Cue) -> str:
    """A cue as WebVTT, with the blank line after it."""
    times = f"{timestamp(cue.start, False)} --> {timestamp(cue.end, False)}"
    lines = [html.escape(directed(line), quote=False) for line in cue.lines]
    source = [f"<i>{html.escape(directed(line), quote=False)}</i>" for line in cue.source]
    return "\n".join([times, *lines, *source]) + "\n\n"


def directed(line: str) -> str:
    """A line between right-to-left marks where most of its letters run that way.

    Players give a line the direction of its first letter, or always left to right: then a Latin name at its beginning,
    or the full stop at its end, stands on the wrong side (Unicode Bidirectional Algorithm, UAX #9, P2 and N1).
    """
    kinds = [unicodedata.bidirectional(character) for character in line]
    right = sum(kind in ("R", "AL") for kind in kinds)
    if right <= kinds.count("L"):
        return line
    return _RIGHT_TO_LEFT_MARK + line + _RIGHT_TO_LEFT_MARK
