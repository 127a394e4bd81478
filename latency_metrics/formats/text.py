"""Plain text, one line each, and the checks that all line-based readers share."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from latency_metrics.errors import LogFormatError
from latency_metrics.scoring.recordings import RecordingHypothesis, ReferenceSegment, split_text


def raw_lines(path: str | Path) -> list[str]:
    """Lines of a UTF-8 file without their line ends; a name ending in .gz is decompressed.

    Raises:
        LogFormatError: the file cannot be read or is not UTF-8.
    """
    try:
        data = Path(path).read_bytes()
        if str(path).endswith(".gz"):
            data = gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise LogFormatError(path, None, f"the file cannot be read ({error})") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise LogFormatError(path, line, "the text is not UTF-8; save the file in that encoding") from error
    return split_lines(text)


def split_lines(text: str) -> list[str]:
    """Lines without their ends, LF, CR LF or CR. Other characters that Unicode calls separators are text."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def read_lines(path: str | Path) -> list[str]:
    """Lines of a text file, each stripped of white space at both ends; blank lines count.

    Raises:
        LogFormatError: the file cannot be read or is not UTF-8.
    """
    return [line.strip() for line in raw_lines(path)]


def read_text_hypotheses(
    path: str | Path, segments: Sequence[ReferenceSegment], *, char_level: bool = False
) -> list[RecordingHypothesis]:
    """One line of text for each recording, in the order of the segmentation; no times.

    Raises:
        LogFormatError: the file cannot be read, or has not one line for each recording.
    """
    lines = read_lines(path)
    ordered = sorted(segments, key=lambda segment: segment.document)
    names = list(dict.fromkeys(segment.recording for segment in ordered))
    if ordered and not ordered[0].timed:
        names = [str(document) for document in range(ordered[-1].document + 1)]
    if len(lines) != len(names):
        raise LogFormatError(
            path, None, f"it has {len(lines)} lines but the segmentation has {len(names)} recordings"
        )
    return [
        RecordingHypothesis(name, split_text(line, char_level), line)
        for name, line in zip(names, lines, strict=True)
    ]


def json_objects(lines: Sequence[str], path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and JSON object of every line that is not blank.

    Raises:
        LogFormatError: a line is not a JSON object.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise LogFormatError(path, number, f"it is not JSON ({error})") from error
        if not isinstance(record, dict):
            raise LogFormatError(path, number, "it is JSON but not an object in braces")
        yield number, record


def number(record: dict[str, Any], key: str, path: str | Path, line: int) -> float | None:
    """A finite number, or None when the key is absent or null.

    Raises:
        LogFormatError: the value is something else.
    """
    value = record.get(key)
    if value is None:
        return None
    if not finite(value):
        raise LogFormatError(path, line, f"{key!r} must be a finite number, not {shown(value)}")
    found: float = value
    return found


def finite(value: object) -> bool:
    """Whether a value of JSON is a number that arithmetic can use."""
    try:
        return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
    except OverflowError:
        return False


def numbers(record: dict[str, Any], key: str, path: str | Path, line: int) -> list[float] | None:
    """A list of finite numbers, or None when the key is absent or null.

    Raises:
        LogFormatError: the value is something else.
    """
    values = record.get(key)
    if values is None:
        return None
    if not isinstance(values, list):
        raise LogFormatError(path, line, f"{key!r} must be a list of numbers, not {shown(values)}")
    for i, value in enumerate(values):
        if not finite(value):
            raise LogFormatError(path, line, f"{key!r}[{i}] must be a finite number, not {shown(value)}")
    return values


def string(record: dict[str, Any], key: str, path: str | Path, line: int) -> str | None:
    """A text, or None when the key is absent or null.

    Raises:
        LogFormatError: the value is something else.
    """
    value = record.get(key)
    if value is None or isinstance(value, str):
        return value
    raise LogFormatError(path, line, f"{key!r} must be a text, not {shown(value)}")


def shown(value: object) -> str:
    """A value for a message, cut where it is long; of lists and mappings the kind alone, since they can be deep."""
    if isinstance(value, (list, dict)):
        return f"a {'list' if isinstance(value, list) else 'mapping'} of {len(value)}"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 40 else text[:37] + "..."
