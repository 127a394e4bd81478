"""Evaluation: a list of recordings through the same session as live, with logs, quality and latency scores.

Every recording runs under a metered clock: its pieces arrive when they would live, nothing waits, and computing
takes the process's own CPU time. Computation-unaware delays are positions in the stream; computation-aware
times come from the clock.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from simul.audio.files import FileSource
from simul.clock import Clock, MeteredClock
from simul.errors import UsageError
from simul.evaluation.records import (
    LogFolder,
    StreamRecord,
    create,
    earlier_lines,
    json_line,
    keep_settings,
    latency_unit,
    make_folder,
    percentile,
    safe_name,
)
from simul.evaluation.word_errors import WordErrors, word_errors
from simul.evaluation.workers import Outcome, attempt, run_in_processes
from simul.memory import Housekeeping
from simul.session import Session
from simul.session.drive import drive
from simul.units import SAMPLE_RATE

if TYPE_CHECKING:
    from latency_metrics.base import Instance
    from latency_metrics.recording import Segment
    from latency_metrics.report import Report

SessionFactory = Callable[[Clock], Session]


@dataclass(frozen=True)
class Item:
    """One recording: `reference` in the target language, `transcript` in the source language, where known."""

    name: str
    audio: str
    reference: str | None = None
    transcript: str | None = None


@dataclass(frozen=True)
class ItemResult:
    """What came of one recording.

    delays, elapsed: ms, one per unit of `text` (word, or character in languages without spaces). length: ms of
    audio. compute: seconds. behind: seconds from each piece's arrival until its events were out. word_lags:
    seconds from the end of the source a text rests on until it settled, where the backend knows.
    """

    name: str
    audio: str
    text: str
    source_text: str
    delays: list[float]
    elapsed: list[float]
    length: float
    segments: int
    compute: float
    behind: list[float]
    word_lags: list[float]
    bad_samples: int = 0

    def instance(self, index: int | str, reference: str | None) -> Instance:
        """As `latency_metrics` reads it."""
        from latency_metrics.base import Instance

        return Instance(
            index=index,
            prediction=self.text,
            reference=reference,
            delays=self.delays,
            elapsed=self.elapsed,
            queued=self.elapsed,
            source_length=self.length,
        )


@dataclass(frozen=True)
class Progress:
    """How far an evaluation is: recordings done (the running one in parts), in all, and seconds of audio heard."""

    done: float
    total: int
    name: str
    audio_seconds: float


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
        return {
            "recordings": len(done),
            "missing": len(self.items) - len(done),
            "audio_seconds": round(seconds, 3),
            "units": sum(len(result.delays) for result in done),
            "empty": sum(1 for result in done if not result.text),
            "wer": _rate(self.errors),
            "source_wer": _rate(self.source_errors),
            "real_time_factor": sum(result.compute for result in done) / seconds if seconds else None,
            "behind_p50_s": percentile(behind, 0.5),
            "behind_p95_s": percentile(behind, 0.95),
            "behind_max_s": max(behind, default=None),
            "word_lag_p50_s": percentile(lags, 0.5),
            "word_lag_p95_s": percentile(lags, 0.95),
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


def _rate(errors: WordErrors | None) -> float | None:
    return errors.rate if errors is not None and errors.words else None


@dataclass(frozen=True)
class ItemRunner:
    """Runs one recording; can be sent to another process if the session factory can."""

    session_factory: SessionFactory
    target: str
    events: str | None = None
    chunk_ms: float = 500
    watch: Callable[[float], None] | None = None
    stopped: Callable[[], bool] | None = None

    def __call__(self, item: Item) -> ItemResult:
        """The result of `item`.

        Raises:
            SimulError: the recording cannot be read to its end.
        """
        clock = MeteredClock()
        session = self.session_factory(clock)
        clock.measure_by(session.backend.meter)
        record = StreamRecord(self.target)
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(FileSource(item.audio, self.chunk_ms))
            log: TextIO | None = None
            if self.events is not None:
                log = stack.enter_context(create(Path(self.events) / f"{safe_name(item.name)}.jsonl"))
            keeping = Housekeeping()
            for step in drive(source, session, clock, stopped=self.stopped or _never):
                keeping.heard(step.arrived)
                record.step(step)
                if log:
                    log.writelines(event.to_json() + "\n" for event in step.events)
                if self.watch:
                    self.watch(step.arrived / max(source.duration_samples or 1, step.arrived))
            return item_result(item, record, source.bad_samples)


def _never() -> bool:
    return False


def item_result(item: Item, record: StreamRecord, bad: int = 0) -> ItemResult:
    """The result of a stream that has ended; `bad`: samples that the source mended."""
    return ItemResult(
        name=item.name,
        audio=item.audio,
        text=record.text,
        source_text=record.source_text,
        delays=[round(value, 4) for value in record.delays()],
        elapsed=[round(value, 4) for value in record.elapsed()],
        length=record.heard * 1000 / SAMPLE_RATE,
        segments=record.segments,
        compute=record.compute,
        behind=[round(value, 6) for value in record.behind],
        word_lags=[round(value, 6) for value in record.word_lags],
        bad_samples=bad + (record.end.bad_samples if record.end else 0),
    )


def evaluate(
    items: Sequence[Item],
    session_factory: SessionFactory,
    *,
    source: str = "en",
    target: str = "de",
    segmentation: Sequence[Segment] | None = None,
    log: str | os.PathLike[str] | None = None,
    resume: bool = False,
    jobs: int = 1,
    chunk_ms: float = 500,
    settings: Mapping[str, Any] | None = None,
    progress: Callable[[Progress], None] | None = None,
    stopped: Callable[[], bool] = _never,
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
        jobs: processes.
        chunk_ms: length of the pieces that files are read in; at most the session's chunk.
        settings: what produced the run, kept in `log` and in the result.
        progress: called as the run goes on.
        stopped: ends the run early; what is finished is kept, and the result says `interrupted`.

    A recording that fails is named in `failures`; the others go on.

    Raises:
        UsageError: no items, two of one name, or `log` holds a run with other settings.
        SimulError: `log` cannot be written.
    """
    _check(items)
    runs = _Runs(items, log, resume, dict(settings or {}))
    with runs:
        runner = ItemRunner(session_factory, target, runs.events, chunk_ms)
        todo = [(i, item) for i, item in enumerate(items) if runs.results[i] is None]
        for outcome in _outcomes(runner, todo, jobs, runs, progress, stopped):
            if stopped() and jobs == 1:
                break
            runs.take(outcome)
            if progress:
                progress(runs.progress(items[outcome.index].name))
    result = _scored(items, runs, source, target, segmentation, stopped())
    runs.write(result)
    return result


def _check(items: Sequence[Item]) -> None:
    if not items:
        raise UsageError("There is nothing to evaluate; the list holds no recordings.")
    names: set[str] = set()
    for item in items:
        name = safe_name(item.name)
        if name in names:
            raise UsageError(f"Two recordings are called {name!r}; give each its own name.")
        names.add(name)


def _outcomes(
    runner: ItemRunner,
    todo: Sequence[tuple[int, Item]],
    jobs: int,
    runs: _Runs,
    progress: Callable[[Progress], None] | None,
    stopped: Callable[[], bool],
) -> Iterator[Outcome[ItemResult]]:
    if jobs > 1 and len(todo) > 1:
        yield from run_in_processes(runner, todo, jobs, stopped)
        return
    for index, item in todo:
        if stopped():
            return

        def watch(share: float, name: str = item.name) -> None:
            if progress:
                progress(runs.progress(name, min(share, 1.0)))

        own = ItemRunner(
            runner.session_factory, runner.target, runner.events, runner.chunk_ms, watch, stopped
        )
        yield attempt(own, index, item)


class _Runs:
    """The results so far, in memory and in the log folder."""

    def __init__(
        self,
        items: Sequence[Item],
        log: str | os.PathLike[str] | None,
        resume: bool,
        settings: dict[str, Any],
    ) -> None:
        self.items, self.settings = items, settings
        self.results: list[ItemResult | None] = [None] * len(items)
        self.failures: dict[str, str] = {}
        self._folder = make_folder(log) if log is not None else None
        self._file: Any = None
        self.events: str | None = None
        if resume and self._folder is None:
            raise UsageError("Resuming needs the folder of the earlier run; give --log DIR.")
        if self._folder is not None:
            self.events = str(make_folder(self._folder / "events"))
            if resume:
                self._load(self._folder)
            keep_settings(self._folder, self.settings)
            self._file = create(self._folder / "results.jsonl")
            for result in self.results:
                if result is not None:
                    self._file.write(json_line(asdict(result)))

    def __enter__(self) -> _Runs:
        return self

    def __exit__(self, *details: object) -> None:
        if self._file is not None:
            self._file.close()

    def _load(self, folder: Path) -> None:
        """What the folder holds of an earlier run with the same settings."""
        lines = earlier_lines(folder, "results.jsonl", self.settings, "run")
        places = {(item.name, item.audio): i for i, item in enumerate(self.items)}
        for line in lines:
            # The last line may have been cut off in the middle.
            with contextlib.suppress(ValueError, TypeError):
                result = ItemResult(**json.loads(line))
                place = places.get((result.name, result.audio))
                if place is not None:
                    self.results[place] = result

    def take(self, outcome: Outcome[ItemResult]) -> None:
        """Keep an outcome."""
        if outcome.result is None:
            self.failures[self.items[outcome.index].name] = outcome.failure or "It failed."
            return
        self.results[outcome.index] = outcome.result
        if self._file is not None:
            self._file.write(json_line(asdict(outcome.result)))

    def progress(self, name: str, share: float = 0.0) -> Progress:
        """How far the run is, `share` of the recording `name` being done."""
        done = [result for result in self.results if result is not None]
        seconds = sum(result.length for result in done) / 1000
        return Progress(len(done) + len(self.failures) + share, len(self.items), name, seconds)

    def write(self, result: EvaluationResult) -> None:
        """`instances.log` and `scores.json`."""
        if self._folder is None:
            return
        with LogFolder(self._folder) as log:
            for index, (item, found) in enumerate(zip(self.items, self.results, strict=True)):
                if found is not None:
                    log.instance(found.instance(index, item.reference), item.audio)
        with create(self._folder / "scores.json") as file:
            file.write(json.dumps(result.to_dict(), ensure_ascii=False, indent=1) + "\n")


def _scored(
    items: Sequence[Item],
    runs: _Runs,
    source: str,
    target: str,
    segmentation: Sequence[Segment] | None,
    interrupted: bool,
) -> EvaluationResult:
    pairs = [(item, result) for item, result in zip(items, runs.results, strict=True) if result is not None]
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
        items, runs.results, runs.failures, report, errors, source_errors, interrupted, runs.settings
    )


def score_results(
    pairs: Sequence[tuple[Item, ItemResult]], target: str, segmentation: Sequence[Segment] | None
) -> Report:
    """Scores of results: as utterances, or as recordings that `segmentation` cuts into reference segments."""
    from latency_metrics.longform import score_longform
    from latency_metrics.recording import Hypothesis, split_text
    from latency_metrics.shortform import score_shortform

    unit = latency_unit(target)
    tokenizer = {"zh": "zh", "ja": "char", "ko": "char"}.get(target, "char" if unit == "char" else "13a")
    if segmentation is None:
        instances = [result.instance(item.name, item.reference) for item, result in pairs]
        scored = any(item.reference is not None for item, _ in pairs)
        return score_shortform(instances, latency_unit=unit, bleu_tokenizer=tokenizer, quality=scored)  # type: ignore[arg-type]
    characters = unit == "char"
    hypotheses = [
        Hypothesis(
            recording=item.audio,
            units=split_text(result.text, characters),
            text=result.text,
            delays=result.delays,
            elapsed=result.elapsed,
            queued=result.elapsed,
            elapsed_kind="per_chunk",
        )
        for item, result in pairs
    ]
    return score_longform(
        segmentation, hypotheses, lang=target, char_level=characters, bleu_tokenizer=tokenizer
    )
