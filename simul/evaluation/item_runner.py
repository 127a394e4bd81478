"""Running one recording through a session under a metered clock: the only place of an evaluation that drives one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from simul.audio.container import Listening
from simul.audio.files import FileSource
from simul.clock import Clock, MeteredClock
from simul.evaluation.items import Item, ItemResult
from simul.evaluation.records import StreamRecord
from simul.files import create, safe_name
from simul.memory import Housekeeping
from simul.session import Session
from simul.session.drive import drive

SessionFactory = Callable[[Clock], Session]


@dataclass(frozen=True)
class ItemRunner:
    """Runs one recording; can be sent to another process if the session factory can.

    events: folder for `NAME.jsonl`. chunk_ms: length of the pieces that files are read in. watch: told the name of
    the recording and the share of it that is done. stopped: ends the run in the middle. Neither of the last two
    follows into another process.
    """

    session_factory: SessionFactory
    target: str
    events: str | None = None
    chunk_ms: float = 500
    watch: Callable[[str, float], None] | None = None
    stopped: Callable[[], bool] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "watch": None, "stopped": None}

    def __call__(self, item: Item) -> ItemResult | None:
        """The result of `item`; None where it was stopped.

        Raises:
            SimulError: the recording cannot be read to its end.
        """
        clock = MeteredClock()
        session = self.session_factory(clock)
        clock.measure_by(session.backend.meter)
        record = StreamRecord(self.target)
        stopped = self.stopped or (lambda: False)
        with contextlib.ExitStack() as stack:
            listening = Listening(language=session.config.source)
            source = stack.enter_context(FileSource(item.audio, self.chunk_ms, listening=listening))
            log: TextIO | None = None
            if self.events is not None:
                log = stack.enter_context(create(Path(self.events) / f"{safe_name(item.name)}.jsonl"))
            keeping = Housekeeping()
            for step in drive(source, session, clock, stopped=stopped):
                keeping.heard(step.arrived)
                record.step(step)
                if log:
                    log.writelines(event.to_json() + "\n" for event in step.events)
                if self.watch:
                    share = step.arrived / max(source.duration_samples or 1, step.arrived)
                    self.watch(item.name, min(share, 1.0))
            return None if stopped() else ItemResult.of(item, record, source.bad_samples)
