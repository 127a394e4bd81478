"""What the subcommands of `simul score` read: logs of every kind, segmentations, references."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from simul.errors import UsageError

if TYPE_CHECKING:
    from latency_metrics.base import Instance
    from latency_metrics.scoring.recordings import RecordingHypothesis, ReferenceSegment

EMPTY = "it holds no {what}, so there is nothing to score"

LogKind = Literal["simuleval", "resegmented", "simulstream"]


def read_segments(given: argparse.Namespace) -> list[ReferenceSegment]:
    """The reference segments that the flags name, with their references.

    Raises:
        UsageError: a flag is missing or one too many.
        MetricsError: a file is malformed, or counts differ.
    """
    from latency_metrics.errors import LogFormatError
    from latency_metrics.formats import (
        read_lines,
        read_segmentation,
        read_text_segmentation,
        with_references,
    )

    if given.speech_segmentation and given.text_segmentation:
        raise UsageError("Give one segmentation, --speech_segmentation or --text_segmentation.")
    if not given.ref_sentences_file:
        raise UsageError("Recordings are cut by their references: add --ref_sentences_file.")
    if given.text_segmentation:
        segments = read_text_segmentation(given.text_segmentation)
    else:
        segments = read_segmentation(given.speech_segmentation)
    if not segments:
        raise LogFormatError(
            given.text_segmentation or given.speech_segmentation, None, EMPTY.format(what="segments")
        )
    return with_references(segments, read_lines(given.ref_sentences_file))


def read_hypotheses(
    path: str, segments: Sequence[ReferenceSegment], given: argparse.Namespace, char_level: bool
) -> list[RecordingHypothesis]:
    """Whole recordings in the format that the flags name.

    Raises:
        UsageError: a simulstream log without its config.
        MetricsError: the file is malformed or empty.
    """
    found = _hypotheses(path, segments, given, char_level)
    check_filled(path, found, "recordings")
    return found


def check_filled(path: str, found: Sequence[object], what: str) -> None:
    """Refuse a file that nothing was read from.

    Raises:
        MetricsError: it is empty.
    """
    from latency_metrics.errors import LogFormatError

    if not found:
        raise LogFormatError(path, None, EMPTY.format(what=what))


def _hypotheses(
    path: str, segments: Sequence[ReferenceSegment], given: argparse.Namespace, char_level: bool
) -> list[RecordingHypothesis]:
    from latency_metrics.formats import read_recordings, read_simulstream, read_text_hypotheses
    from latency_metrics.formats.detokenizers import read_config

    kind = given.hypothesis_format
    if kind == "text":
        return read_text_hypotheses(path, segments, char_level=char_level)
    if kind == "simulstream":
        if not given.simulstream_config_file:
            raise UsageError("A simulstream log needs its evaluation config: add --simulstream_config_file.")
        config = read_config(given.simulstream_config_file)
        return read_simulstream(path, config, char_level=char_level)
    return read_recordings(
        path,
        char_level=char_level,
        cu_key=given.emission_cu_key or "delays",
        ca_key=given.emission_ca_key or "elapsed",
    )


def read_utterances(path: str, given: argparse.Namespace, char_level: bool) -> list[Instance]:
    """Utterances of a SimulEval log with the references of --ref_sentences_file, or else the log's own.

    Raises:
        MetricsError: a file is malformed, or counts differ.
    """
    from latency_metrics.formats import read_instances, read_lines

    references = read_lines(given.ref_sentences_file) if given.ref_sentences_file else None
    instances = read_instances(
        path,
        references=references,
        cu_key=given.emission_cu_key or "delays",
        ca_key=given.emission_ca_key or "elapsed",
    )
    check_filled(path, instances, "utterances")
    if not char_level:
        return instances
    # A character-level reference is what can be emitted: its characters without the spaces.
    return [
        replace(instance, reference=instance.reference.replace(" ", ""))
        if instance.reference is not None
        else instance
        for instance in instances
    ]


def log_kind(path: str) -> LogKind:
    """What wrote a JSONL log, by the keys of its first object.

    Raises:
        MetricsError: the file cannot be read or is not JSONL.
    """
    from latency_metrics.formats.text import json_objects, raw_lines

    for _, record in json_objects(raw_lines(path), path):
        if {"model_loading_time", "metadata", "total_audio_processed"} & set(record):
            return "simulstream"
        if {"emission_cu", "emission_ca", "time_to_recording_end", "docid"} & set(record):
            return "resegmented"
        return "simuleval"
    return "simuleval"


def title_of(path: str) -> str:
    """What a file is called in titles: its name, with its folder when the name says little."""
    place = Path(path)
    name = place.name.removesuffix(".gz")
    plain = name in ("instances.log", "instances.resegmented.jsonl", "hypotheses.jsonl", "hypotheses.txt")
    folder = place.parent.name
    return f"{folder}/{name}" if plain and folder else name
