"""SimulEval's `instances.log`: text and speech output, short form and whole recordings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from latency_metrics.base import Instance, Metric
from latency_metrics.errors import LogFormatError
from latency_metrics.formats.text import json_objects, number, numbers, raw_lines, string
from latency_metrics.scoring.recordings import RecordingHypothesis, split_text
from latency_metrics.timeline import SAMPLE_RATE, play
from latency_metrics.units import split_units

_AUDIO = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".mp4", ".sph")


def read_instances(
    path: str | Path,
    *,
    references: Sequence[str] | None = None,
    cu_key: str = "delays",
    ca_key: str = "elapsed",
    source_kind: Literal["auto", "speech", "text"] = "auto",
    reference_counter: Callable[[str], int] | None = None,
) -> list[Instance]:
    """Instances of a SimulEval log (gzipped when the name ends in .gz); blank lines are skipped.

    Args:
        path: the log.
        references: one text per line of the log, in place of those in the log.
        cu_key: key of the computation-unaware times.
        ca_key: key of the computation-aware times; an empty list beside delays counts as absent.
        source_kind: whether the input was speech or text; auto decides line by line from `source`.
        reference_counter: counts references in another unit, such as pieces of SentencePiece.

    Raises:
        LogFormatError: a line is malformed, or references and lines differ in number.
    """
    instances = [
        _instance(record, path, line, cu_key, ca_key, source_kind)
        for line, record in json_objects(raw_lines(path), path)
    ]
    if references is not None:
        if len(references) != len(instances):
            raise LogFormatError(
                path, None, f"it has {len(instances)} instances but there are {len(references)} references"
            )
        instances = [
            replace(instance, reference=text.strip(), reference_length=None)
            for instance, text in zip(instances, references, strict=True)
        ]
    if reference_counter is not None:
        instances = [
            replace(instance, reference_length=reference_counter(instance.reference))
            if instance.reference is not None
            else instance
            for instance in instances
        ]
    return instances


def _instance(
    record: dict[str, Any], path: str | Path, line: int, cu_key: str, ca_key: str, source_kind: str
) -> Instance:
    delays = numbers(record, cu_key, path, line)
    elapsed = numbers(record, ca_key, path, line)
    if elapsed == [] and delays:
        elapsed = None
    for key, times in ((ca_key, elapsed), ("durations", numbers(record, "durations", path, line))):
        if delays is not None and times is not None and len(times) != len(delays):
            raise LogFormatError(path, line, f"it has {len(delays)} {cu_key!r} but {len(times)} {key!r}")
    reference = string(record, "reference", path, line)
    length = number(record, "reference_length", path, line)
    source_length = number(record, "source_length", path, line)
    return Instance(
        index=record.get("index", line - 1),
        prediction=string(record, "prediction", path, line) or "",
        reference=reference.strip() if reference is not None else None,
        delays=delays,
        elapsed=elapsed,
        source_length=source_length,
        durations=numbers(record, "durations", path, line),
        intervals=_intervals(record, path, line),
        source_kind=_source_kind(record, source_length) if source_kind == "auto" else source_kind,  # type: ignore[arg-type]
        reference_length=int(length) if length is not None and reference is None else None,
    )


def _intervals(record: dict[str, Any], path: str | Path, line: int) -> list[tuple[float, float]] | None:
    pairs = record.get("intervals")
    if pairs is None:
        return None
    if not isinstance(pairs, list):
        raise LogFormatError(path, line, "'intervals' must be a list of [start, duration] pairs")
    intervals = []
    for pair in pairs:
        values = numbers({"intervals": pair}, "intervals", path, line)
        if values is None or len(values) != 2:
            raise LogFormatError(path, line, "'intervals' must be a list of [start, duration] pairs")
        intervals.append((values[0], values[1]))
    return intervals


def _source_kind(record: dict[str, Any], source_length: float | None) -> Literal["speech", "text"]:
    """Text when `source` is a sentence of as many words as `source_length` says, and no audio file."""
    source = record.get("source")
    if not isinstance(source, str) or source.strip().lower().endswith(_AUDIO):
        return "speech"
    return "text" if source_length is not None and len(source.split()) == source_length else "speech"


def read_recordings(
    path: str | Path, *, char_level: bool = False, cu_key: str = "delays", ca_key: str = "elapsed"
) -> list[RecordingHypothesis]:
    """Whole recordings from a SimulEval log: a line each, named by `source` (or its first item).

    Units are the pieces of `prediction` between white space, or its code points; where only the pieces between plain
    spaces are as many as the times, as in French with no-break spaces, they are the units. The long-form pipeline
    names the recordings where there is not one time per unit.

    Raises:
        LogFormatError: a line is malformed or has no source.
    """
    hypotheses = []
    for line, record in json_objects(raw_lines(path), path):
        source = record.get("source")
        if isinstance(source, list) and source:
            source = source[0]
        if not isinstance(source, str) or not source:
            raise LogFormatError(path, line, "it has no 'source' that names the recording")
        prediction = string(record, "prediction", path, line)
        if prediction is None:
            raise LogFormatError(path, line, "it has no 'prediction'")
        delays, elapsed = (numbers(record, key, path, line) for key in (cu_key, ca_key))
        units = split_text(prediction, char_level)
        if not char_level:
            units = _units_of_times(units, prediction, delays or elapsed)
        hypotheses.append(RecordingHypothesis(source, units, text=prediction, delays=delays, elapsed=elapsed))
    return hypotheses


def _units_of_times(units: list[str], text: str, times: Sequence[float] | None) -> list[str]:
    """`units`, or the pieces between plain spaces, or between white space of ASCII, where they fit the times."""
    if times is None or len(times) == len(units):
        return units
    pieces = (split_units(text, "word"), re.split(r"[ \t\n\r\f\v]+", text.strip(" \t\n\r\f\v")))
    return next((found for found in pieces if len(found) == len(times)), units)


def instance_record(
    instance: Instance, source: str | Sequence[str] | None = None, *, sample_rate: int = SAMPLE_RATE
) -> dict[str, Any]:
    """The JSON object that SimulEval 1.1.4 writes for an instance.

    Args:
        instance: text or speech output.
        source: value of the key `source`.
        sample_rate: of the audio of speech output, in Hz; its length is counted in samples.
    """
    record: dict[str, Any] = {"index": instance.index, "prediction": instance.prediction}
    record["delays"] = list(instance.delays or ())
    if instance.durations is None:
        record["elapsed"] = list(instance.elapsed or ())
        record["prediction_length"] = len(instance.delays or ())
        record["reference"] = instance.reference
        record["source"] = source
        record["source_length"] = instance.source_length
        return record
    timeline = play(
        instance.delays or (),
        instance.durations,
        source_length=instance.source_length,
        sample_rate=sample_rate,
    )
    record["durations"] = list(instance.durations)
    record["prediction_offset"] = timeline.offset
    record["elapsed"] = list(instance.elapsed or ())
    record["intervals"] = [list(pair) for pair in timeline.intervals]
    record["prediction_length"] = timeline.audio_seconds
    record["source_length"] = instance.source_length
    record["reference"] = instance.reference
    record["source"] = source
    return record


def write_instances(
    path: str | Path,
    instances: Iterable[Instance],
    sources: Sequence[str | Sequence[str]] | None = None,
    *,
    sample_rate: int = SAMPLE_RATE,
) -> None:
    """Write instances as a SimulEval log.

    Args:
        path: file to write; its folder is made when missing.
        instances: text or speech output. `elapsed` of speech is written too (SimulEval leaves it empty).
        sources: value of `source` for each instance, such as the path of the audio.
        sample_rate: of the audio of speech output, in Hz.
    """
    kept = list(instances)
    given = list(sources) if sources is not None else [None] * len(kept)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8") as file:
        for instance, source in zip(kept, given, strict=True):
            record = instance_record(instance, source, sample_rate=sample_rate)
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def write_metrics_tsv(path: str | Path, instances: Sequence[Instance], metrics: Sequence[Metric]) -> None:
    """Write SimulEval's `metrics.tsv`: a row per instance, a column per metric, empty without a value."""
    names = [metric.name + ("" if metric.clock == "cu" else f"_{metric.clock.upper()}") for metric in metrics]
    rows = ["\t".join(["index", *names])]
    for instance in instances:
        values = [metric.instance(instance) for metric in metrics]
        rows.append("\t".join([str(instance.index), *("" if v is None else repr(float(v)) for v in values)]))
    Path(path).write_text("\n".join(rows) + "\n", encoding="utf-8")
