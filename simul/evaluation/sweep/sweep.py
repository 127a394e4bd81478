"""Sweeps: recordings under a grid of policies, from traces where no policy changes the evidence, and their scores.

The evidence of a recording is recorded once and replayed under every setting. A cascade's recogniser does not
depend on the policy at all; of other models the passes are kept by the prefix that was forced, and only new ones
are computed. Replays run on a virtual clock on which computing takes the CPU time that was measured when it was
done, so that computation-aware latency is that of a live run on this machine.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from latency_metrics.recording import Segment
from simul.errors import UsageError
from simul.evaluation.evaluate import Item, ItemResult, Progress, score_results
from simul.evaluation.records import create, earlier_lines, json_line, keep_settings, make_folder, safe_name
from simul.evaluation.sweep.grid import Setting
from simul.evaluation.sweep.run import Run, SweepRunner
from simul.evaluation.workers import Outcome, attempt, run_in_processes

LIMITS = (1.0, 2.0, 3.0)
"""Latencies, in seconds, at which the best policy is named."""


@dataclass(frozen=True)
class Point:
    """One setting's scores over all recordings.

    scores: by name, such as "chrF", "LAAL (CU)" (ms), "LongYAAL (CA)". figures: recordings, passes, those passes
    that the model computed, those that approximate what it would have said, real_time_factor, erased units.
    """

    setting: Setting
    scores: Mapping[str, float]
    figures: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; scores without a value are left out."""
        return {
            "policy": self.setting.policy,
            "args": dict(self.setting.args),
            "chunk_ms": self.setting.chunk_ms,
            "curve": self.setting.curve,
            "scores": dict(self.scores),
            "figures": dict(self.figures),
        }


@dataclass(frozen=True)
class Sweep:
    """What came of a sweep.

    pseudo: references are the output of the Offline policy of the same model on the same audio. quality, latency:
    names of the scores that stand for the trade-off.
    """

    points: Sequence[Point]
    quality: str
    latency: str
    pseudo: bool
    failures: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    interrupted: bool = False

    def ceiling(self) -> Point | None:
        """The Offline policy."""
        return next((p for p in self.points if p.setting.policy == "offline"), None)

    def best(self, limit: float, latency: str | None = None, revising: bool = False) -> Point | None:
        """Of the settings whose latency is at most `limit` seconds, the one of the highest quality.

        Neither Offline nor, unless `revising`, policies that take text back, whose latency does not tell of that.
        """
        latency, quality = latency or self.latency, self.quality
        kept = [
            p
            for p in self.points
            if p.setting.policy != "offline"
            and (revising or not p.setting.make().revises)
            and p.scores.get(latency, math.inf) <= 1000 * limit
            and quality in p.scores
        ]
        return max(kept, key=lambda p: (p.scores[quality], -p.scores[latency]), default=None)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        best = {f"{limit:g}": self.best(limit) for limit in LIMITS}
        return {
            "settings": dict(self.settings),
            "quality": self.quality,
            "latency": self.latency,
            "pseudo_references": self.pseudo,
            "points": [point.to_dict() for point in self.points],
            "best": {limit: None if point is None else str(point.setting) for limit, point in best.items()},
            "failures": dict(self.failures),
        }


def sweep(
    items: Sequence[Item],
    runner: SweepRunner,
    *,
    segmentation: Sequence[Segment] | None = None,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    jobs: int = 1,
    settings: Mapping[str, Any] | None = None,
    progress: Callable[[Progress], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Sweep:
    """Run every recording under every setting of `runner` and score each setting.

    Args:
        items: recordings with distinct names; where none has a reference, the Offline policy must be among the
            settings, and its output is the reference of all (pseudo-references, of its segments too).
        runner: how a recording is run.
        segmentation: reference segments with references: recordings are then scored as long form.
        folder: where `items.jsonl` (every run) and `results.jsonl` (every setting's scores) go.
        resume: take over the recordings that `folder` holds of a sweep with the same `settings`.
        jobs: processes; each takes one recording through all settings.
        settings: what produced the sweep, kept in `folder`.
        progress: called as recordings are done.
        stopped: ends the sweep early; what is finished is kept.

    Raises:
        UsageError: no recordings, two of one name, no references and no Offline, or `folder` holds another sweep.
        SimulError: `folder` cannot be written.
    """
    _check(items, runner, segmentation)
    settings = {"grid": [str(s) for s in runner.settings], **(settings or {})}
    failures: dict[str, str] = {}
    with _Kept(folder, resume, settings, items, len(runner.settings)) as kept:
        todo = [(i, item) for i, item in enumerate(items) if i not in kept.runs]
        for outcome in _outcomes(runner, todo, jobs, stopped):
            if outcome.result is None:
                failures[items[outcome.index].name] = outcome.failure or "It failed."
            else:
                kept.take(outcome.index, outcome.result)
            if progress:
                count = len(kept.runs) + len(failures)
                progress(Progress(count, len(items), items[outcome.index].name, 0.0))
    done = [(items[i], kept.runs[i]) for i in sorted(kept.runs)]
    found = score_sweep(done, runner.settings, runner.target, segmentation) if done else ([], False)
    long_form = segmentation is not None
    latency = "LongLAAL (CU)" if long_form else "LAAL (CU)"
    result = Sweep(found[0], "chrF", latency, found[1], failures, settings, stopped())
    if folder is not None:
        with create(Path(folder) / "results.jsonl") as file:
            file.writelines(json_line(point.to_dict()) for point in result.points)
    return result


def _check(items: Sequence[Item], runner: SweepRunner, segmentation: Sequence[Segment] | None) -> None:
    if not items:
        raise UsageError("There is nothing to sweep over; the list holds no recordings.")
    names = [safe_name(item.name) for item in items]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"Two recordings are called {twice!r}; give each its own name.")
    known = segmentation is not None or any(item.reference is not None for item in items)
    if not known and all(setting.policy != "offline" for setting in runner.settings):
        raise UsageError(
            "There are no references, and without the policy offline there are no pseudo-references either; "
            "add offline to the grid."
        )


def _outcomes(
    runner: SweepRunner, todo: Sequence[tuple[int, Item]], jobs: int, stopped: Callable[[], bool]
) -> Iterator[Outcome[list[Run]]]:
    if jobs > 1 and len(todo) > 1:
        yield from run_in_processes(runner, todo, jobs, stopped)
        return
    for index, item in todo:
        if stopped():
            return
        yield attempt(runner, index, item)


class _Kept:
    """The runs so far, in memory and in the folder."""

    def __init__(
        self,
        folder: str | os.PathLike[str] | None,
        resume: bool,
        settings: Mapping[str, Any],
        items: Sequence[Item],
        count: int,
    ) -> None:
        self.runs: dict[int, list[Run]] = {}
        self._folder, self._items, self._file = folder, items, None
        if folder is None:
            if resume:
                raise UsageError("Resuming needs the folder of the earlier sweep.")
            return
        place = make_folder(folder)
        if resume:
            self._load(place, settings, count)
        keep_settings(place, settings)
        self._file = create(place / "items.jsonl")
        for index, runs in self.runs.items():
            self._write(index, runs)

    def __enter__(self) -> _Kept:
        return self

    def __exit__(self, *details: object) -> None:
        if self._file is not None:
            self._file.close()

    def _load(self, folder: Path, settings: Mapping[str, Any], count: int) -> None:
        lines = earlier_lines(folder, "items.jsonl", settings, "sweep")
        places = {(item.name, item.audio): i for i, item in enumerate(self._items)}
        for line in lines:
            # The last line may have been cut off in the middle.
            with contextlib.suppress(ValueError, TypeError, KeyError):
                record = json.loads(line)
                index = places.get((record["name"], record["audio"]))
                if index is not None and len(record["runs"]) == count:
                    self.runs[index] = [
                        Run(**{**run, "result": ItemResult(**run["result"])}) for run in record["runs"]
                    ]

    def take(self, index: int, runs: list[Run]) -> None:
        """Keep a recording's runs."""
        self.runs[index] = runs
        self._write(index, runs)

    def _write(self, index: int, runs: Sequence[Run]) -> None:
        if self._file is not None:
            item = self._items[index]
            self._file.write(
                json_line({"name": item.name, "audio": item.audio, "runs": [asdict(run) for run in runs]})
            )


def score_sweep(
    done: Sequence[tuple[Item, Sequence[Run]]],
    settings: Sequence[Setting],
    target: str,
    segmentation: Sequence[Segment] | None = None,
) -> tuple[list[Point], bool]:
    """The points of a grid, and whether they are scored against pseudo-references.

    Short form gives BLEU, chrF, LAAL, YAAL and the like over whole recordings; LongYAAL and LongLAAL come from the
    reference segments, and with pseudo-references from the segments of Offline, short form or long.
    """
    pseudo = segmentation is None and all(item.reference is None for item, _ in done)
    segments = list(segmentation) if segmentation is not None else None
    references = [item.reference for item, _ in done]
    if pseudo:
        ceiling = next(i for i, setting in enumerate(settings) if setting.policy == "offline")
        references = [runs[ceiling].result.text for _, runs in done]
        segments = _segments([(item, runs[ceiling]) for item, runs in done])
    points = []
    for index, setting in enumerate(settings):
        results = [runs[index].result for _, runs in done]
        pairs = [
            (Item(item.name, item.audio, reference, item.transcript), result)
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


def _segments(offline: Sequence[tuple[Item, Run]]) -> list[Segment]:
    """Reference segments made of the segments of Offline: their places and texts."""
    return [
        Segment(item.audio, begin / 16, (end - begin) / 16, text, document, number)
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
