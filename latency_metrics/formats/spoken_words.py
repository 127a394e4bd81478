"""Words of speech output with their times, from any recogniser or aligner, put on the playback clock.

A line is a JSON object with `source` (the recording) and `words`, a list of [word, start, end] in ms of the
audio that was written. `start` says when that audio begins to play (0 unless given); or `spans`, a list of
[place in the audio, time it plays], says it for every stretch of an audio that was joined from pieces.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from latency_metrics.errors import LogFormatError
from latency_metrics.formats.text import json_objects, number, numbers, raw_lines, string
from latency_metrics.scoring.recordings import RecordingHypothesis, spoken_hypothesis


def read_spoken_words(path: str | Path) -> list[RecordingHypothesis]:
    """Recordings whose units are words and whose times are the moments they have been heard to the end.

    Raises:
        LogFormatError: a line is malformed.
    """
    found = []
    for line, record in json_objects(raw_lines(path), path):
        source = string(record, "source", path, line)
        if not source:
            raise LogFormatError(path, line, "it has no 'source' that names the recording")
        words = record.get("words")
        if not isinstance(words, list):
            raise LogFormatError(path, line, "'words' must be a list of [word, start, end]")
        spans = _spans(record, path, line)
        placed = []
        for entry in words:
            word, start, end = _word(entry, path, line)
            placed.append((word, _played(start, spans), _played(end, spans)))
        found.append(spoken_hypothesis(source, placed))
    return found


def _word(entry: Any, path: str | Path, line: int) -> tuple[str, float, float]:
    if isinstance(entry, list) and len(entry) == 3 and isinstance(entry[0], str):
        times = numbers({"words": entry[1:]}, "words", path, line) or []
        if times[1] < times[0]:
            raise LogFormatError(path, line, f"the word {entry[0]!r} ends before it starts")
        return entry[0], times[0], times[1]
    raise LogFormatError(path, line, f"'words' must hold [word, start, end], not {entry!r}")


def _spans(record: dict[str, Any], path: str | Path, line: int) -> list[tuple[float, float]]:
    """(place in the audio, time it plays) in order of the audio."""
    given = record.get("spans")
    if given is None:
        return [(0.0, number(record, "start", path, line) or 0.0)]
    spans = []
    for entry in given if isinstance(given, list) else [None]:
        pair = numbers({"spans": entry}, "spans", path, line)
        if pair is None or len(pair) != 2:
            raise LogFormatError(path, line, "'spans' must be a list of [place in the audio, time it plays]")
        spans.append((pair[0], pair[1]))
    if not spans:
        raise LogFormatError(path, line, "'spans' is empty; leave it out or give [0, time]")
    return sorted(spans)


def _played(time: float, spans: Sequence[tuple[float, float]]) -> float:
    place, plays = spans[max(0, bisect_right(spans, (time, float("inf"))) - 1)]
    return plays + time - place
