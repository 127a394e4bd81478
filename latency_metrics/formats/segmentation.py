"""Reference segmentations: YAML, JSON and TSV lists of timed segments, and `docid=,segid=` lines of text."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from latency_metrics.errors import LogFormatError, MatchError
from latency_metrics.formats.text import raw_lines, shown
from latency_metrics.scoring.recordings import ReferenceSegment

_TEXT_LINE = re.compile(r"\s*docid\s*=\s*(\d+)\s*,\s*segid\s*=\s*(\d+)\s*")


def read_segmentation(path: str | Path) -> list[ReferenceSegment]:
    """Segments of a .yaml, .yml, .json or .tsv file, in file order, without references.

    YAML and JSON hold a list of {wav, offset, duration} in seconds, other keys are ignored; a TSV file has a
    header line that names these columns.

    Raises:
        LogFormatError: the file cannot be read, is of another kind, or an entry is malformed.
    """
    name = str(path).removesuffix(".gz")
    text = "\n".join(raw_lines(path))
    if name.endswith((".yaml", ".yml")):
        entries, lines = _yaml_entries(path, text)
    elif name.endswith(".json"):
        entries, lines = _json_entries(path, text)
    elif name.endswith(".tsv"):
        entries, lines = _tsv_entries(path, text)
    else:
        raise LogFormatError(path, None, "a segmentation must be a .yaml, .yml, .json or .tsv file")
    return segments_from(entries, path, lines)


def segments_from(
    entries: Sequence[dict[str, Any]], path: str | Path = "<segmentation>", lines: Sequence[int] | None = None
) -> list[ReferenceSegment]:
    """Segments from {wav, offset, duration} entries in seconds.

    Args:
        entries: one per segment, in order.
        path: what errors call the source.
        lines: line of each entry in the file, for errors.

    Raises:
        LogFormatError: an entry is malformed.
    """
    documents: dict[str, int] = {}
    counts: dict[str, int] = {}
    segments = []
    for i, entry in enumerate(entries):
        line = lines[i] if lines is not None and i < len(lines) else None
        where = "the entry" if line is not None else f"entry {i + 1}"
        if not isinstance(entry, dict):
            raise LogFormatError(path, line, f"{where} must have the keys wav, offset and duration")
        wav = entry.get("wav")
        if not isinstance(wav, str) or not wav:
            raise LogFormatError(path, line, f"{where} has no 'wav' that names the recording")
        times = []
        for key in ("offset", "duration"):
            value = seconds_of(entry.get(key))
            if value is None:
                raise LogFormatError(
                    path, line, f"{where} needs a number of seconds as {key!r}, not {shown(entry.get(key))}"
                )
            times.append(value * 1000)
        document = documents.setdefault(wav, len(documents))
        number = counts.get(wav, 0)
        counts[wav] = number + 1
        segments.append(ReferenceSegment(wav, times[0], times[1], document=document, number=number))
    return segments


_CLOCK = re.compile(r"([-+]?)(?:(\d+):)?(\d+):([0-5]?\d(?:\.\d*)?)")
_BASED = re.compile(r"[-+]?0(?:x[0-9a-f_]+|o[0-7_]+|b[01_]+)", re.IGNORECASE)


def seconds_of(value: Any) -> int | float | None:
    """A finite number of seconds: a number, its text in any form (`1e-05`, `1_000.5`, `0x1F`), or `[h:]mm:ss`.

    None for what is none.
    """
    if isinstance(value, str):
        value = _number(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:
        return None


def _number(text: str) -> int | float | None:
    if len(text) > 400:  # No number of seconds, and a long time to read.
        return None
    if re.fullmatch(r"[-+]?\d[\d_]*", text):
        return int(text.replace("_", ""))
    if _BASED.fullmatch(text):
        return int(text.replace("_", ""), 0)
    if (match := _CLOCK.fullmatch(text)) is not None:
        sign, hours, minutes, rest = match.groups()
        total = int(hours or 0) * 3600 + int(minutes) * 60 + float(rest)
        return -total if sign == "-" else total
    try:
        return float(text.replace("_", ""))
    except ValueError:
        return None


def _yaml_loader() -> Any:
    """A safe loader that leaves numbers, dates and yes/no as they are written: names of recordings may look so, and
    YAML 1.1, which PyYAML reads, knows neither `1e-05` nor `010` as other programs write them."""
    import yaml

    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader = type("SegmentationLoader", (base,), {})
    kept = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")
    loader.yaml_implicit_resolvers = {  # type: ignore[attr-defined]
        first: [rule for rule in rules if rule[0] in kept]
        for first, rules in base.yaml_implicit_resolvers.items()
    }
    return loader


def _yaml_entries(path: str | Path, text: str) -> tuple[list[Any], list[int]]:
    import yaml

    loader = _yaml_loader()
    try:
        entries = yaml.load(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = min(mark.line, text.count("\n")) + 1 if mark is not None else None
        raise LogFormatError(path, line, f"it is not YAML ({error.problem})") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise LogFormatError(path, None, f"it is not YAML ({error})") from error
    if not isinstance(entries, list):
        raise LogFormatError(path, None, "it must hold a list of segments")
    node = yaml.compose(text, Loader=loader) if _any_malformed(entries) else None
    return entries, [child.start_mark.line + 1 for child in node.value] if node is not None else []


def _any_malformed(entries: Sequence[Any]) -> bool:
    """Whether some entry will be refused, so that its line is worth finding."""
    try:
        segments_from(entries)
    except LogFormatError:
        return True
    return False


def _json_entries(path: str | Path, text: str) -> tuple[list[Any], list[int]]:
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LogFormatError(path, getattr(error, "lineno", None), f"it is not JSON ({error})") from error
    if not isinstance(entries, list):
        raise LogFormatError(path, None, "it must hold a list of segments")
    return entries, []


def _tsv_entries(path: str | Path, text: str) -> tuple[list[Any], list[int]]:
    rows = text.split("\n")
    header = rows[0].split("\t")
    missing = [key for key in ("wav", "offset", "duration") if key not in header]
    if missing:
        raise LogFormatError(path, 1, f"the header has no column {', '.join(missing)}")
    entries: list[Any] = []
    lines = []
    for number, row in enumerate(rows[1:], 2):
        if not row.strip():
            continue
        cells = row.split("\t")
        if len(cells) != len(header):
            raise LogFormatError(
                path, number, f"it has {len(cells)} columns but the header has {len(header)}"
            )
        entry: dict[str, Any] = dict(zip(header, cells, strict=True))
        for key in ("offset", "duration"):
            if seconds_of(entry[key]) is None:
                raise LogFormatError(path, number, f"{key!r} is not a number: {entry[key]!r}")
            if ":" not in entry[key]:
                entry[key] = float(seconds_of(entry[key]) or 0)
        entries.append(entry)
        lines.append(number)
    return entries, lines


def read_text_segmentation(path: str | Path) -> list[ReferenceSegment]:
    """Segments of a text segmentation: lines `docid=D,segid=S`, both from 0; recordings are named by D.

    Raises:
        LogFormatError: a line is malformed, blank ones included.
    """
    return text_segments(raw_lines(path), path)


def text_segments(lines: Sequence[str], path: str | Path = "<segmentation>") -> list[ReferenceSegment]:
    """Segments from the lines of a text segmentation.

    Raises:
        LogFormatError: a line is malformed, blank ones included.
    """
    segments = []
    for number, line in enumerate(lines, 1):
        match = _TEXT_LINE.fullmatch(line)
        if match is None:
            shown = line.strip() or "a blank line"
            raise LogFormatError(path, number, f"it must read docid=NUMBER,segid=NUMBER, not {shown}")
        document, segment = int(match[1]), int(match[2])
        segments.append(
            ReferenceSegment(str(document), 0.0, 0.0, document=document, number=segment, timed=False)
        )
    return segments


def with_references(
    segments: Sequence[ReferenceSegment], references: Sequence[str]
) -> list[ReferenceSegment]:
    """Segments with their reference texts, stripped.

    Raises:
        MatchError: there is not one reference for each segment.
    """
    if len(segments) != len(references):
        raise MatchError(
            f"There are {len(segments)} segments but {len(references)} reference lines: one each is needed."
        )
    return [
        replace(segment, reference=text.strip()) for segment, text in zip(segments, references, strict=True)
    ]
