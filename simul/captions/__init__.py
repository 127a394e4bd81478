"""Subtitles: settled text with its source times becomes cues that can be read, as SubRip or WebVTT.

Cues are written here in 30 lines: `srt` 3.5 cuts times to whole milliseconds (2.4996 s becomes 2,499) and `webvtt-py`
0.6 writes `<` and `&` as they are, which a player takes for markup; neither breaks lines or times cues.
"""

from simul.captions.cues import Cue, CueMaker
from simul.captions.formats import VTT_HEADER, srt, timestamp, vtt
from simul.captions.lines import CueRules

__all__ = ["VTT_HEADER", "Cue", "CueMaker", "CueRules", "srt", "timestamp", "vtt"]
