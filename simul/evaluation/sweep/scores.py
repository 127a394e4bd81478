"""Scores of the settings of a sweep, against references or against what Offline wrote."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from latency_metrics.scoring.recordings import ReferenceSegment
from policies.base import SAMPLES_PER_MS
from simul.evaluation.items import Item
from simul.evaluation.scores import score_results
from simul.evaluation.sweep.grid import Setting
from simul.evaluation.sweep.item_runner import Run
from simul.evaluation.sweep.result import OFFLINE, Point


def score_sweep(
    done: Sequence[tuple[Item, Sequence[Run]]],
    settings: Sequence[Setting],
    target: str,
    segmentation: Sequence[ReferenceSegment] | None = None,
) -> tuple[list[Point], bool]:
    """The points of a grid, and whether they are scored against pseudo-references.

    Short form gives BLEU, chrF, LAAL, YAAL and the like over whole recordings; LongYAAL and LongLAAL come from the
    reference segments, and with pseudo-references from the segments of Offline, short form or long.
    """
    if not done:
        return [], False
    pseudo = segmentation is None and all(item.reference is None for item, _ in done)
    segments = list(segmentation) if segmentation is not None else None
    references = [item.reference for item, _ in done]
    if pseudo:
        ceiling = next(i for i, setting in enumerate(settings) if setting.policy == OFFLINE)
        references = [runs[ceiling].result.text for _, runs in done]
        segments = _segments([(item, runs[ceiling]) for item, runs in done])
    points = []
    for index, setting in enumerate(settings):
        results = [runs[index].result for _, runs in done]
        pairs = [
            (replace(item, reference=reference), result)
            for (item, _), reference, result in zip(done, references, results, strict=True)
        ]
        scores: dict[str, float] = {}
        reports = [score_results(pairs, target, None)]
        if segments:
            reports.append(score_results(pairs, target, segments))
        for report in reports:
            overwrite = report.mode == "shortform" or segmentation is not None
            for score in (*report.scores, *report.extra):
                if score.value == score.value and (overwrite or score.name not in scores):
                    scores[score.name] = score.value
        points.append(Point(setting, scores, _figures([runs[index] for _, runs in done])))
    return points, pseudo


def _segments(offline: Sequence[tuple[Item, Run]]) -> list[ReferenceSegment]:
    """Reference segments made of the segments of Offline: their places and texts."""
    return [
        ReferenceSegment(
            item.audio, begin / SAMPLES_PER_MS, (end - begin) / SAMPLES_PER_MS, text, document, number
        )
        for document, (item, run) in enumerate(offline)
        for number, (begin, end, text) in enumerate(run.segments)
    ]


def _figures(runs: Sequence[Run]) -> dict[str, float]:
    seconds = sum(run.result.length for run in runs) / 1000
    return {
        "recordings": len(runs),
        "audio_seconds": round(seconds, 3),
        "passes": sum(run.passes for run in runs),
        "computed": sum(run.computed for run in runs),
        "approximated": sum(run.approximated for run in runs),
        "erased": sum(run.erased for run in runs),
        "real_time_factor": sum(run.result.compute for run in runs) / seconds if seconds else math.nan,
    }
