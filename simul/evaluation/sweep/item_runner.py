"""One recording of a sweep under every setting, from a trace that is read, or recorded on the way."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from policies.base import SAMPLES_PER_MS
from simul.audio.files import FileSource
from simul.audio.intake import to_samples
from simul.backends.base import Backend
from simul.backends.cascade import CascadeBackend
from simul.clock import Clock, MeteredClock, VirtualClock
from simul.errors import UsageError
from simul.evaluation.items import Item, ItemResult
from simul.evaluation.records import StreamRecord
from simul.evaluation.sweep.grid import Setting
from simul.evaluation.trace.recognizer import (
    CachedTranslator,
    RecognizerTrace,
    RecordingRecognizer,
    ReplayRecognizer,
    Translations,
)
from simul.evaluation.trace.record import RecordingBackend
from simul.evaluation.trace.replay import TraceBackend
from simul.evaluation.trace.trace import Trace, TraceError
from simul.files import make_folder, safe_name
from simul.session import Session, SessionConfig
from simul.session.drive import drive
from simul.units import Samples

T = TypeVar("T", Trace, RecognizerTrace)


@dataclass(frozen=True)
class Run:
    """One recording under one setting.

    segments: (first sample, end, text) of each. passes: decoding passes; of these, computed: those the model was
    asked for anew (of a cascade: texts translated anew), and approximated: those continued from a hypothesis that was
    recorded with another prefix. erased: characters taken back.
    """

    result: ItemResult
    segments: Sequence[tuple[int, int, str]] = ()
    passes: int = 0
    computed: int = 0
    approximated: int = 0
    erased: int = 0


@dataclass
class SweepRunner:
    """Runs one recording under all settings; can be sent to another process if `load` can.

    load: gives the model's backend, called once per process; None: recorded passes must do, without a model.
    chunk_ms: audio between two decisions, for settings that name none. traces: folder in which the evidence is
    looked for and kept. live: every setting runs the model anew, in CPU time, and nothing is recorded. model: a
    description of the model; traces of another one are refused.
    """

    load: Callable[[], Backend] | None
    settings: Sequence[Setting]
    source: str = "en"
    target: str = "de"
    chunk_ms: int = 500
    traces: str | None = None
    live: bool = False
    model: str = ""
    _backend: Backend[Any] | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_backend": None}

    @property
    def backend(self) -> Backend | None:
        """The model's backend, loaded on first use."""
        if self._backend is None and self.load is not None:
            self._backend = self.load()
        return self._backend

    def __call__(self, item: Item) -> list[Run]:
        """One run per setting, in order.

        Raises:
            SimulError: the recording or its trace cannot be read, or the trace does not serve a setting.
        """
        backend = self.backend
        if self.live:
            if backend is None:
                raise UsageError("A live sweep needs the model.")
            return [self._live(item, setting, backend) for setting in self.settings]
        if isinstance(backend, CascadeBackend):
            return self._cascade(item, backend)
        traces: dict[int, Trace] = {}
        runs = [self._passes(item, setting, backend, traces) for setting in self.settings]
        for chunk, trace in traces.items():
            if (place := self._place(item, f"{chunk}ms.trace")) is not None and backend is not None:
                trace.write(place)
        return runs

    def _chunk(self, setting: Setting) -> int:
        return setting.chunk_ms or self.chunk_ms

    def _place(self, item: Item, kind: str) -> Path | None:
        """The trace file of an item."""
        if self.traces is None:
            return None
        return make_folder(self.traces) / f"{safe_name(item.name)}.{kind}.jsonl"

    def _checked(self, trace: T, place: Path) -> T:
        """The trace, if it is of this model; without a model, any will do."""
        if self.load is not None and trace.model != self.model:
            raise TraceError(
                f"{place} was recorded with another model ({trace.model or 'not named'}); give another trace folder."
            )
        return trace

    def _live(self, item: Item, setting: Setting, backend: Backend) -> Run:
        with FileSource(item.audio, self._chunk(setting)) as source:
            run = self._run(item, setting, backend, MeteredClock(backend.meter), source)
        return replace(run, computed=run.passes)

    def _cascade(self, item: Item, backend: CascadeBackend) -> list[Run]:
        """The recogniser's trace under every setting; each text is translated once."""
        steps = [to_samples(self._chunk(setting)) for setting in self.settings]
        traces: dict[int, RecognizerTrace] = {}
        known = Translations()
        runs = []
        for setting, step in zip(self.settings, steps, strict=True):
            trace = self._recognised(item, backend, math.gcd(*steps), step, traces)
            clock = VirtualClock()
            before = known.computed
            pieces = (np.zeros(length, np.float32) for length in trace.lengths)
            run = self._run(item, setting, _replayed(backend, trace, known, clock), clock, pieces)
            runs.append(replace(run, computed=known.computed - before))
        return runs

    def _recognised(
        self,
        item: Item,
        backend: CascadeBackend,
        finest: int,
        step: int,
        traces: dict[int, RecognizerTrace],
    ) -> RecognizerTrace:
        """A trace that serves chunks of `step` samples: a fine one where pieces may be joined, or one of its own."""
        for trace in traces.values():
            if trace.any_cut:
                return trace
        if step in traces:
            return traces[step]
        for length in dict.fromkeys((finest, step)):
            place = self._place(item, f"{length // SAMPLES_PER_MS}ms.recognizer")
            if place is not None and place.is_file():
                trace = self._checked(RecognizerTrace.read(place), place)
                if trace.any_cut or length == step:
                    traces[length] = trace
                    return trace
        recognizer = RecordingRecognizer(backend.make_recognizer(), backend.meter)
        length = finest if recognizer.trace.any_cut else step
        with FileSource(item.audio, length / SAMPLES_PER_MS) as source:
            for samples in source:
                recognizer.push(samples)
        recognizer.finish()
        recognizer.trace.model = self.model
        place = self._place(item, f"{length // SAMPLES_PER_MS}ms.recognizer")
        if place is not None:
            recognizer.trace.write(place)
        traces[length] = recognizer.trace
        return recognizer.trace

    def _passes(
        self, item: Item, setting: Setting, backend: Backend[Any] | None, traces: dict[int, Trace]
    ) -> Run:
        """A run of any backend: the first one of a chunk is recorded, the others add what it does not hold."""
        chunk = self._chunk(setting)
        place = self._place(item, f"{chunk}ms.trace")
        if chunk not in traces and place is not None and place.is_file():
            traces[chunk] = self._checked(Trace.read(place), place)
        if chunk not in traces:
            if backend is None:
                raise UsageError(
                    f"{item.name} has no trace with chunks of {chunk} ms; record it with the model first."
                )
            run, traces[chunk] = self._recorded(item, setting, backend)
            return run
        clock, before = VirtualClock(), len(traces[chunk].passes)
        used = TraceBackend(traces[chunk], backend, clock)
        with contextlib.ExitStack() as stack:
            pieces: Iterable[Samples]
            if backend is None:
                pieces = [np.zeros(length, np.float32) for length in traces[chunk].steps]
            else:
                pieces = stack.enter_context(FileSource(item.audio, chunk))
            run = self._run(item, setting, used, clock, pieces)
        if used.unsure and backend is not None:
            traces[chunk].keep(before)
            return self._recorded(item, setting, backend)[0]
        guessed = sum(1 for departure in used.departures if not departure.live)
        return replace(run, computed=len(traces[chunk].passes) - before, approximated=guessed)

    def _recorded(self, item: Item, setting: Setting, backend: Backend[Any]) -> tuple[Run, Trace]:
        """A run by the model alone, and its trace."""
        clock = VirtualClock()
        used = RecordingBackend(backend, clock)
        with FileSource(item.audio, self._chunk(setting)) as source:
            run = self._run(item, setting, used, clock, source)
        used.traces[-1].model = self.model
        return replace(run, computed=run.passes), used.traces[-1]

    def _run(
        self, item: Item, setting: Setting, backend: Backend[Any], clock: Clock, pieces: Iterable[Samples]
    ) -> Run:
        config = SessionConfig(self.source, self.target, to_samples(self._chunk(setting)))
        session = Session(setting.make(), backend, clock, config)
        record = StreamRecord(self.target)
        for step in drive(pieces, session, clock):
            record.step(step)
        passes = record.end.passes if record.end is not None else 0
        return Run(ItemResult.of(item, record), record.spoken, passes, erased=record.erased)


def _replayed(
    backend: CascadeBackend, trace: RecognizerTrace, known: Translations, clock: VirtualClock
) -> CascadeBackend:
    """The cascade with its recogniser replaced by a trace, and its translator remembering what it said."""
    translator = backend.translator
    if translator is not None:
        translator = CachedTranslator(translator, known, clock, backend.meter)
    return CascadeBackend(lambda: ReplayRecognizer(trace, clock), translator, backend.limits.sources)
