"""Lists of recordings for `simul eval`: tables with a header, SimulEval's two files, reference segmentations."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from simul.errors import SimulError, UsageError
from simul.evaluation.items import Item

if TYPE_CHECKING:
    from latency_metrics.scoring.recordings import ReferenceSegment

_AUDIO_COLUMNS = ("audio", "file", "wav", "path")
_NAME_COLUMNS = ("id", "name", "index")
_REFERENCE_COLUMNS = ("reference", "translation", "tgt_text")
_TRANSCRIPT_COLUMNS = ("transcript", "text", "src_text")


@dataclass(frozen=True)
class Columns:
    """Names of the columns to read; None finds them by the names that are in use."""

    audio: str | None = None
    reference: str | None = None
    transcript: str | None = None


@dataclass(frozen=True)
class ItemList:
    """The recordings of a list, and which columns were taken for what."""

    items: list[Item]
    reference_column: str | None = None
    transcript_column: str | None = None


def read_table(path: str, columns: Columns, source: str, target: str, where: Sequence[str] = ()) -> ItemList:
    """Recordings of a tab-separated table (or .csv) with a header line.

    Audio paths are relative to the table. A column called like the target language holds references, one like
    the source language transcripts. `text` is what is spoken: the transcript, and where the target is the
    source language also the reference. `where` keeps rows that have a value in a column (COLUMN=VALUE).

    Raises:
        SimulError: the file cannot be read.
        UsageError: a column does not exist, a row names no recording, or no row is left.
    """
    header, rows = _rows(path)
    rows = _filtered(path, header, rows, where)
    audio = _find(path, header, columns.audio, _AUDIO_COLUMNS, "--audio-column")
    if audio is None:
        listed = ", ".join(header)
        raise UsageError(
            f"{path} has no column called audio or file; name it with --audio-column ({listed})."
        )
    transcript = _find(
        path, header, columns.transcript, (*_TRANSCRIPT_COLUMNS, source), "--transcript-column"
    )
    usual = (*_REFERENCE_COLUMNS, target, *(_TRANSCRIPT_COLUMNS if source == target else ()))
    reference = _find(path, header, columns.reference, usual, "--reference-column")
    name = next((column for column in _NAME_COLUMNS if column in header), None)
    folder = Path(path).parent
    if not all(row[audio].strip() for row in rows):
        raise UsageError(f"{path} has a row without a recording: its cell in the column {audio} is empty.")
    items = [
        Item(
            row[name] if name and row[name] else os.path.splitext(row[audio])[0],
            local_path(str(folder / row[audio])),
            _text(row, reference),
            _text(row, transcript),
        )
        for row in rows
    ]
    return ItemList(items, reference, transcript)


def read_two_files(source_list: str, references: str | None) -> ItemList:
    """Recordings in the manner of SimulEval: a file of audio paths, a file of references, line by line.

    Raises:
        SimulError: a file cannot be read.
        UsageError: they differ in length.
    """
    from latency_metrics.scoring.recordings import stem_of

    audio = [local_path(line.strip()) for line in _lines(source_list) if line.strip()]
    texts: list[str] | list[None] = [None] * len(audio)
    if references is not None:
        texts = _lines(references)
        if len(texts) != len(audio):
            raise UsageError(
                f"{source_list} names {len(audio)} recordings but {references} has {len(texts)} lines; "
                "give one reference for each."
            )
    stems = [stem_of(path) for path in audio]
    names = stems if len(set(stems)) == len(stems) else [f"{i}-{stem}" for i, stem in enumerate(stems)]
    items = [Item(name, path, text) for name, path, text in zip(names, audio, texts, strict=True)]
    return ItemList(items, references)


def local_path(path: str) -> str:
    """A path of a list as this system writes it: one with backslashes where there is such a file with slashes."""
    other = path.replace("\\", os.sep)
    return other if not os.path.exists(path) and os.path.exists(other) else path


def read_segments(path: str, references: str | None, items: Sequence[Item]) -> list[ReferenceSegment]:
    """Reference segments of long recordings.

    YAML or JSON of the shared tasks with the texts in `references`, or a table with the columns `wav` (not
    needed for a single recording), `offset` and `duration` or `start` and `end` in seconds, and `reference`
    or `text`.

    Raises:
        MetricsError: the segmentation is malformed or does not fit the references.
        UsageError: a column is missing.
    """
    from latency_metrics.formats.segmentation import read_segmentation, segments_from, with_references

    if not path.endswith((".tsv", ".csv")):
        segments = read_segmentation(path)
        return with_references(segments, _lines(references)) if references else segments
    header, rows = _rows(path)
    recording = _find(path, header, None, ("wav", "audio", "file", "recording"), "wav")
    text = _find(path, header, None, ("reference", "text"), "reference")
    if recording is None and len(items) != 1:
        raise UsageError(f"{path} has no column wav, which several recordings need.")
    begin = _find(path, header, None, ("offset", "start"), "offset")
    if begin is None or not {"duration", "end"} & set(header):
        raise UsageError(f"{path} needs the columns offset and duration, or start and end, in seconds.")
    entries = []
    for number, row in enumerate(rows, 2):
        start = _seconds(row[begin], begin, path, number)
        length = (
            _seconds(row["duration"], "duration", path, number)
            if "duration" in header
            else _seconds(row["end"], "end", path, number) - start
        )
        entries.append(
            {"wav": row[recording] if recording else items[0].audio, "offset": start, "duration": length}
        )
    segments = segments_from(entries, path)
    if references:
        return with_references(segments, _lines(references))
    return with_references(segments, [row[text] for row in rows]) if text else segments


def _seconds(text: str, column: str, path: str, line: int) -> float:
    from latency_metrics.formats.segmentation import seconds_of

    value = seconds_of(text)
    if value is None:
        raise UsageError(f"{path}, line {line}: {column} is {text!r}; give seconds, as 83.5 or 1:23.5.")
    return value


def with_joined_references(items: Sequence[Item], segments: Sequence[ReferenceSegment]) -> list[Item]:
    """Items whose reference is that of all their segments, for figures over whole recordings.

    Raises:
        MatchError: no item is a recording of the segments.
    """
    from latency_metrics.errors import MatchError
    from latency_metrics.scoring.recordings import RecordingHypothesis, match_recordings
    from latency_metrics.scoring.resegmentation import nothing_in_common

    recordings = [RecordingHypothesis(item.audio, ()) for item in items]
    match = match_recordings(segments, recordings)
    if not match:
        raise MatchError(nothing_in_common(segments, recordings).replace("the log", "the list"))
    joined = []
    for item in items:
        texts = [s.reference for s in segments if s.recording == match.get(item.audio) and s.reference]
        joined.append(replace(item, reference=" ".join(texts)) if texts else item)
    return joined


def _rows(path: str) -> tuple[list[str], list[dict[str, str]]]:
    lines = _lines(path)
    if path.endswith(".csv"):
        try:
            table = [row for row in csv.reader(f"{line}\n" for line in lines) if any(row)]
        except csv.Error as error:
            raise UsageError(f"{path} is not a table of comma-separated values: {error}.") from error
    else:
        table = [row for row in (line.split("\t") for line in lines) if any(row)]
    if len(table) < 2:
        raise UsageError(f"{path} needs a header line and at least one row.")
    header = table[0]
    for number, row in enumerate(table[1:], 2):
        if len(row) != len(header):
            raise UsageError(f"{path}, row {number}: {len(row)} cells, but the header has {len(header)}.")
    return header, [dict(zip(header, row, strict=True)) for row in table[1:]]


def _lines(path: str) -> list[str]:
    from latency_metrics.formats.text import split_lines

    if not path.strip():
        raise UsageError("The name of a list is empty; name a table of recordings (.tsv or .csv).")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return split_lines(file.read())
    except OSError as error:
        raise SimulError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise SimulError(f"{path} is not UTF-8 text; it should be a list of recordings.") from None


def _filtered(
    path: str, header: Sequence[str], rows: list[dict[str, str]], where: Sequence[str]
) -> list[dict[str, str]]:
    for condition in where:
        column, equals, value = condition.partition("=")
        if not equals or column not in header:
            raise UsageError(
                f"--where {condition!r}: give COLUMN=VALUE with a column of {path}: {', '.join(header)}."
            )
        rows = [row for row in rows if row[column] == value]
    if not rows:
        raise UsageError(f"{path}: no row has {' and '.join(where)}.")
    return rows


def _find(
    path: str, header: Sequence[str], asked: str | None, usual: Sequence[str], option: str
) -> str | None:
    if asked is not None:
        if asked not in header:
            raise UsageError(f"{path} has no column {asked!r} ({option}); it has {', '.join(header)}.")
        return asked
    return next((column for column in usual if column in header), None)


def _text(row: dict[str, str], column: str | None) -> str | None:
    return row[column].strip() or None if column else None
