"""Evaluation: a list of recordings through the same session as live, with logs, quality and latency scores.

Every recording runs under a metered clock: its pieces arrive when they would live, nothing waits, and computing
takes the process's own CPU time. Computation-unaware delays are positions in the stream; computation-aware
times come from the clock.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simul.evaluation.claim import locked
from simul.evaluation.item_runner import ItemRunner, SessionFactory
from simul.evaluation.items import Item, ItemResult
from simul.evaluation.records import LogFolder
from simul.evaluation.runner import Progress, ResultFormat, ResumableRun
from simul.evaluation.scores import score_results
from simul.evaluation.word_errors import WordErrors, word_errors
from simul.files import create, make_folder

if TYPE_CHECKING:
    from latency_metrics.scoring.recordings import ReferenceSegment
    from latency_metrics.scoring.result import Report

FORMAT = ResultFormat[ItemResult]("run", "results.jsonl", asdict, lambda record: ItemResult(**record))


@dataclass(frozen=True)
class EvaluationResult:
    """Results in the order of the items (None where one is missing), and the scores over them.

    errors: word errors against the references, when the target is the source language. source_errors: word
    errors of the recogniser, when transcripts and the backend's source text are known.
    """

    items: Sequence[Item]
    results: Sequence[ItemResult | None]
    failures: Mapping[str, str]
    report: Report | None
    errors: WordErrors | None = None
    source_errors: WordErrors | None = None
    interrupted: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> list[ItemResult]:
        """The results there are."""
        return [result for result in self.results if result is not None]

    def figures(self) -> dict[str, float | int | None]:
        """Figures beside the scores: amounts, computing per second of audio, lag of computing and of words."""
        done = self.done
        seconds = sum(result.length for result in done) / 1000
        behind = [value for result in done for value in result.behind]
        lags = [value for result in done for value in result.word_lags]
        behind_p50, behind_p95, behind_max = _quantiles(behind, 0.5, 0.95, 1.0)
        lag_p50, lag_p95 = _quantiles(lags, 0.5, 0.95)
        return {
            "recordings": len(done),
            "missing": len(self.items) - len(done),
            "audio_seconds": round(seconds, 3),
            "units": sum(len(result.delays) for result in done),
            "empty": sum(1 for result in done if not result.text),
            "wer": _rate(self.errors),
            "source_wer": _rate(self.source_errors),
            "real_time_factor": sum(result.compute for result in done) / seconds if seconds else None,
            "behind_p50_s": behind_p50,
            "behind_p95_s": behind_p95,
            "behind_max_s": behind_max,
            "word_lag_p50_s": lag_p50,
            "word_lag_p95_s": lag_p95,
        }

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values; scores that have no value are None."""
        scores = [] if self.report is None else [*self.report.scores, *self.report.extra]
        return {
            "settings": dict(self.settings),
            "figures": self.figures(),
            "scores": {
                score.name: {
                    "value": None if score.value != score.value else score.value,
                    "unit": score.unit,
                    "counted": score.counted if score.values else None,
                    "signature": score.signature,
                }
                for score in scores
            },
            "notices": [] if self.report is None else [str(notice) for notice in self.report.notices],
            "failures": dict(self.failures),
        }


def _quantiles(values: Sequence[float], *shares: float) -> Sequence[float | None]:
    from latency_metrics.quantiles import quantiles

    return quantiles(values, *shares) if values else [None] * len(shares)


def _rate(errors: WordErrors | None) -> float | None:
    return errors.rate if errors is not None and errors.words else None


def evaluate(
    items: Sequence[Item],
    session_factory: SessionFactory,
    *,
    source: str = "en",
    target: str = "de",
    segmentation: Sequence[ReferenceSegment] | None = None,
    log: str | os.PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    jobs: int = 1,
    chunk_ms: float = 500,
    settings: Mapping[str, Any] | None = None,
    progress: Callable[[Progress], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> EvaluationResult:
    """Run `items` through sessions and score them.

    Args:
        items: recordings with distinct names.
        session_factory: makes a session on a clock; with `jobs` above 1 it must be picklable, as every process
            makes its own.
        source: language spoken.
        target: language written.
        segmentation: reference segments of the recordings, with references; they are then scored as long form
            (resegmented with SoftSegmenter) in place of one reference per item.
        log: folder for `instances.log` (SimulEval), `results.jsonl`, `events/NAME.jsonl` and `scores.json`.
        resume: take over what `log` holds of an earlier run with the same `settings`.
        overwrite: replace what `log` holds of another run, which is refused otherwise.
        jobs: processes.
        chunk_ms: length of the pieces that files are read in; at most the session's chunk.
        settings: what produced the run, kept in `log` and in the result.
        progress: called as the run goes on.
        stopped: ends the run early; what is finished is kept, and the result says `interrupted`.

    A recording that fails is named in `failures`; the others go on.

    Raises:
        UsageError: no items, two of one name, or `log` holds another run or is in use by one.
        SimulError: `log` cannot be written.
    """
    with contextlib.nullcontext() if log is None else locked(make_folder(log)):
        run = ResumableRun(items, FORMAT, log, resume, settings, overwrite)
        events = None if log is None else str(make_folder(Path(log) / "events"))

        def watch(name: str, share: float) -> None:
            if progress:
                progress(run.progress(name, share))

        work = ItemRunner(session_factory, target, events, chunk_ms, watch, stopped)
        run.run(work, jobs, progress, stopped)
        result = _scored(run, source, target, segmentation, stopped())
        if log is not None:
            _write(result, Path(log))
        return result


def _scored(
    run: ResumableRun[ItemResult],
    source: str,
    target: str,
    segmentation: Sequence[ReferenceSegment] | None,
    interrupted: bool,
) -> EvaluationResult:
    pairs = run.done
    report = score_results(pairs, target, segmentation) if pairs else None
    errors = source_errors = None
    if source == target:
        spoken = [(item.reference or item.transcript, result.text) for item, result in pairs]
        errors = word_errors([(said, text) for said, text in spoken if said], source)
    heard = [(item.transcript, result.source_text) for item, result in pairs]
    known = [(said, text) for said, text in heard if said]
    if known and any(text for _, text in known):
        source_errors = word_errors(known, source)
    return EvaluationResult(
        run.items, run.results, run.failures, report, errors, source_errors, interrupted, run.settings
    )


def _write(result: EvaluationResult, folder: Path) -> None:
    """`instances.log` and `scores.json`."""
    with LogFolder(folder) as log:
        for index, (item, found) in enumerate(zip(result.items, result.results, strict=True)):
            if found is not None:
                log.instance(found.instance(index, item.reference), item.audio)
    with create(folder / "scores.json") as file:
        file.write(json.dumps(result.to_dict(), ensure_ascii=False, indent=1) + "\n")
