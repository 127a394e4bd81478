"""OmniSTEval's `instances.resegmented.jsonl`: segments with their share of the output, read and written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from latency_metrics.base import Instance
from latency_metrics.errors import LogFormatError
from latency_metrics.formats.text import json_objects, number, numbers, raw_lines, string

_CU_KEYS = ("emission_cu", "delays")
_CA_KEYS = ("emission_ca", "elapsed")


def segment_record(instance: Instance) -> dict[str, Any]:
    """The JSON object that OmniSTEval 0.1.10 writes for a segment, keys in its order."""
    record: dict[str, Any] = {
        "index": instance.index,
        "docid": instance.document,
        "segid": instance.segment,
        "prediction": instance.prediction,
        "reference": instance.reference or "",
    }
    if instance.source_length is not None and instance.source_length > 0:
        record["source_length"] = instance.source_length
    if instance.delays:
        record["emission_cu"] = list(instance.delays)
    if instance.elapsed:
        record["emission_ca"] = list(instance.elapsed)
    if (instance.delays or instance.elapsed) and instance.time_to_recording_end is not None:
        record["time_to_recording_end"] = instance.time_to_recording_end
    return record


def write_resegmented(path: str | Path, instances: Iterable[Instance]) -> None:
    """Write segments as OmniSTEval does; the folder is made when missing."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8") as file:
        for instance in instances:
            file.write(json.dumps(segment_record(instance), ensure_ascii=False) + "\n")


def read_resegmented(
    path: str | Path, *, cu_key: str | None = None, ca_key: str | None = None
) -> list[Instance]:
    """Segments of a resegmented file, with the time to the end of their recording where it is stated.

    Args:
        path: the file.
        cu_key: key of the computation-unaware times; `emission_cu`, then `delays`, unless given.
        ca_key: key of the computation-aware times; `emission_ca`, then `elapsed`, unless given.

    Raises:
        LogFormatError: a line is malformed.
    """
    instances = []
    for line, record in json_objects(raw_lines(path), path):
        delays = _first(record, (cu_key,) if cu_key else _CU_KEYS, path, line)
        elapsed = _first(record, (ca_key,) if ca_key else _CA_KEYS, path, line)
        if delays is not None and elapsed is not None and len(delays) != len(elapsed):
            raise LogFormatError(
                path,
                line,
                f"it has {len(delays)} computation-unaware but {len(elapsed)} computation-aware times",
            )
        document = number(record, "docid", path, line)
        segment = number(record, "segid", path, line)
        prediction = string(record, "prediction", path, line) or ""
        instances.append(
            Instance(
                index=record.get("index", line - 1),
                prediction=prediction,
                reference=string(record, "reference", path, line),
                delays=[] if delays is None and not prediction else delays,
                elapsed=[] if elapsed is None and not prediction else elapsed,
                source_length=number(record, "source_length", path, line),
                time_to_recording_end=number(record, "time_to_recording_end", path, line),
                recording=None if document is None else str(int(document)),
                segment=None if segment is None else int(segment),
                document=None if document is None else int(document),
            )
        )
    return _with_offsets(instances)


def _first(record: dict[str, Any], keys: Iterable[str], path: str | Path, line: int) -> list[float] | None:
    return next((found for key in keys if (found := numbers(record, key, path, line)) is not None), None)


def _with_offsets(instances: list[Instance]) -> list[Instance]:
    """Segment starts, counted from the earliest segment of the recording that states its recording's end."""
    furthest: dict[str | None, float] = {}
    for instance in instances:
        if instance.time_to_recording_end is not None:
            known = furthest.get(instance.recording, instance.time_to_recording_end)
            furthest[instance.recording] = max(known, instance.time_to_recording_end)
    return [
        instance
        if instance.time_to_recording_end is None
        else replace(instance, offset=furthest[instance.recording] - instance.time_to_recording_end)
        for instance in instances
    ]
