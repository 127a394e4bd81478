"""Sweeps: recordings under a grid of policies, from traces where no policy changes the evidence, and their scores.

The evidence of a recording is recorded once and replayed under every setting. A cascade's recogniser does not
depend on the policy at all; of other models the passes are kept by the prefix that was forced, and only new ones
are computed. Replays run on a virtual clock on which computing takes the CPU time that was measured when it was
done, so that computation-aware latency is that of a live run on this machine.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from latency_metrics.scoring.recordings import ReferenceSegment
from simul.errors import UsageError
from simul.evaluation.claim import locked
from simul.evaluation.items import Item, ItemResult
from simul.evaluation.runner import Progress, ResultFormat, ResumableRun
from simul.evaluation.sweep.item_runner import Run, SweepRunner
from simul.evaluation.sweep.result import OFFLINE, SweepResult
from simul.evaluation.sweep.scores import score_sweep
from simul.files import create, json_line, make_folder


def _runs(record: dict[str, Any]) -> list[Run]:
    return [Run(**{**run, "result": ItemResult(**run["result"])}) for run in record["runs"]]


FORMAT = ResultFormat[list[Run]](
    "sweep", "items.jsonl", lambda runs: {"runs": [asdict(run) for run in runs]}, _runs
)
"""A line holds the runs of a recording under all settings."""


def sweep(
    items: Sequence[Item],
    runner: SweepRunner,
    *,
    segmentation: Sequence[ReferenceSegment] | None = None,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    jobs: int = 1,
    settings: Mapping[str, Any] | None = None,
    progress: Callable[[Progress], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> SweepResult:
    """Run every recording under every setting of `runner` and score each setting.

    Args:
        items: recordings with distinct names; where none has a reference, the Offline policy must be among the
            settings, and its output is the reference of all (pseudo-references, of its segments too).
        runner: how a recording is run.
        segmentation: reference segments with references: recordings are then scored as long form.
        folder: where `items.jsonl` (every run) and `results.jsonl` (every setting's scores) go.
        resume: take over the recordings that `folder` holds of a sweep with the same `settings`.
        overwrite: replace what `folder` holds of another run, which is refused otherwise.
        jobs: processes; each takes one recording through all settings.
        settings: what produced the sweep, kept in `folder`.
        progress: called as recordings are done.
        stopped: ends the sweep early; what is finished is kept.

    Raises:
        UsageError: no recordings, two of one name, no references and no Offline, or `folder` holds another run.
        SimulError: `folder` cannot be written.
    """
    _check(items, runner, segmentation)
    settings = {"grid": [str(s) for s in runner.settings], **(settings or {})}
    with contextlib.nullcontext() if folder is None else locked(make_folder(folder)):
        run = ResumableRun(items, FORMAT, folder, resume, settings, overwrite)
        run.run(runner, jobs, progress, stopped)
        points, pseudo = score_sweep(run.done, runner.settings, runner.target, segmentation)
        latency = "LAAL (CU)" if segmentation is None else "LongLAAL (CU)"
        result = SweepResult(points, "chrF", latency, pseudo, run.failures, settings, stopped())
        if folder is not None:
            with create(Path(folder) / "results.jsonl") as file:
                file.writelines(json_line(point.to_dict()) for point in result.points)
        return result


def _check(
    items: Sequence[Item], runner: SweepRunner, segmentation: Sequence[ReferenceSegment] | None
) -> None:
    known = segmentation is not None or any(item.reference is not None for item in items)
    if items and not known and all(setting.policy != OFFLINE for setting in runner.settings):
        raise UsageError(
            "There are no references, and without the policy offline there are no pseudo-references either; "
            "add offline to the grid."
        )
