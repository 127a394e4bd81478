"""The document of speech output: when it plays, its silences, and SimulEval's scores of its chunks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from latency_metrics import registry
from latency_metrics.base import Instance, Notice
from latency_metrics.clocks import with_queue
from latency_metrics.reports.document import Document, Table
from latency_metrics.reports.run.document import document as run_document
from latency_metrics.scoring.result import Report, clocks_present, merge_notices, score_all
from latency_metrics.timeline import is_speech, play, silences_of

CHUNK = (registry.YAAL, registry.AL, registry.LAAL, registry.AP, registry.DAL)
"""Lag of chunks of audio, as SimulEval scores speech output."""


def score_speech(instances: Sequence[Instance]) -> Report:
    """Score the playback of speech output.

    Args:
        instances: speech output, with `delays` and `durations` or `intervals`.

    Returns:
        Scores of the playback, then `extra`: latency of chunks, where a chunk of audio counts as one unit.
    """
    kept = [with_queue(instance) for instance in instances]
    silent = [
        Notice(f"instance {instance.index}", "it is not speech output (no durations, no intervals)")
        for instance in kept
        if not is_speech(instance)
    ]
    spoken = [instance for instance in kept if is_speech(instance)]
    clocks = clocks_present(spoken) or ["cu"]
    scores = [
        *score_all(registry.SPEECH, spoken, clocks),
        *(metric().corpus(spoken) for metric in registry.SILENCE),
        registry.PlaybackLag(clock=clocks[0]).corpus(spoken),
    ]
    extra = score_all(CHUNK, spoken, clocks)
    notices = merge_notices([silent, *(score.notices for score in (*scores, *extra))])
    settings = {"latency_unit": "word", "units": "chunks of audio"}
    return Report("speech", scores, spoken, notices, settings, extra)


def timeline_rows(instances: Sequence[Instance]) -> tuple[list[str], list[list[str]]]:
    """When every instance's speech plays: header and rows, seconds."""
    header = [
        "instance",
        "chunks",
        "first sound",
        "end",
        "after the source",
        "speech",
        "silence",
        "longest silence",
    ]
    rows = []
    for instance in instances:
        delays, durations = instance.delays or (), instance.durations or ()
        if not delays or len(delays) != len(durations):
            rows.append([str(instance.index), str(len(durations)), *[""] * 6])
            continue
        line = play(delays, durations, source_length=instance.source_length)
        silences = silences_of(instance)
        end = line.end or 0.0
        after = None if instance.source_length is None else end - instance.source_length
        figures: list[float | None] = [
            line.offset, end, after, math.fsum(durations), math.fsum(silences), max(silences, default=0.0),
        ]  # fmt: skip
        shown = ["" if value is None else f"{value / 1000:.2f}" for value in figures]
        rows.append([str(instance.index), str(len(durations)), *shown])
    return header, rows


def playback_totals(instances: Sequence[Instance]) -> dict[str, float]:
    """Seconds of speech and of silence between chunks, over all instances."""
    silences = registry.DiscontinuitySum().corpus(instances).values
    return {
        "speech": math.fsum(d for i in instances for d in i.durations or ()) / 1000,
        "silence between chunks": math.fsum(value for value in silences if value is not None) / 1000,
    }


def document(report: Report, title: str) -> Document:
    """The document of a scored playback."""
    base = run_document(report, title=title)
    totals = playback_totals(report.instances)
    shares = [[name, f"{seconds:.2f}"] for name, seconds in totals.items()]
    header, rows = timeline_rows(report.instances)
    first, *rest = base.tables
    tables = [
        replace(first, title="Playback"),
        *(replace(table, title="Latency of chunks of audio, as SimulEval counts them") for table in rest),
        Table("Sound in all", ["", "seconds"], shares),
    ]
    timeline = Table(
        "When every instance plays", header, rows, "Seconds from the start of the source.", folded=True
    )
    return replace(
        base,
        tables=tables,
        details=[timeline, *base.details],
        highlights=[],
        figures=[],
        data={**base.data, "totals": totals},
    )


def joined(title: str, words: Document, playback: Document) -> Document:
    """One document of the words of speech output, scored like text, and of its playback."""
    note = "BLEU and chrF are those of the words that a recogniser heard in the speech (ASR-BLEU)."
    first, *rest = words.tables
    return replace(
        words,
        title=title,
        tables=[replace(first, title="Words, on the playback clock", note=note), *rest, *playback.tables],
        details=[*words.details, *playback.details],
        notices=[*words.notices, *playback.notices],
        data={"words": words.data, "playback": playback.data},
        tsv=words.tsv + playback.tsv.partition("\n")[2],
    )
