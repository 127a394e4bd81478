"""A recording through a session, for programs that only append: samples of any rate in, text to append out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simul.adapters.append_only import WordWriter
from simul.adapters.sessions import Sessions
from simul.audio.intake import FrameIntake
from simul.errors import UsageError
from simul.languages import latency_unit
from simul.session.events import Event
from simul.units import as_samples


class AppendedText:
    """One recording after another through one session; the source may come in any pieces.

    unit: what is written at a time, "word" (whole words, as far as the language has any) or "char" (any text).

    Raises:
        UsageError: the policy takes text back.
    """

    def __init__(self, sessions: Sessions, unit: str = "word") -> None:
        if sessions.revises:
            raise UsageError(
                f"The policy {sessions.policy} takes text back, which SimulEval cannot record; choose one "
                "that only appends, such as local-agreement, or score it with `simul eval` or in simulstream."
            )
        self._sessions, self._unit = sessions, unit
        self._session = sessions.session()
        self.reset()

    def reset(self) -> None:
        """Forget the recording."""
        self._session.reset()
        self._intake: FrameIntake | None = None
        self._writer: WordWriter | None = None

    @property
    def target(self) -> str:
        """The language that is written."""
        return self._session.config.target

    @property
    def lengthened(self) -> int:
        """Words that were written and made longer all the same."""
        return 0 if self._writer is None else self._writer.lengthened

    def take(self, samples: Sequence[float], rate: int, final: bool, target: str | None = None) -> str:
        """The text that the next samples bring; `final`: no more will come. target: of this recording, if not usual.

        Raises:
            UsageError: the samples or the language are none.
            AudioError: the rate is outside 4 000 … 192 000 Hz.
        """
        if self._intake is None or self._writer is None:
            if not len(samples):
                return ""
            self._begin(rate, target)
        assert self._intake is not None
        assert self._writer is not None
        events: list[Event] = []
        if len(samples):
            events += self._session.feed(self._intake.push(as_samples(np.asarray(samples))))
        if final:
            events += self._session.feed(self._intake.finish())
            events += self._session.finish()
        return self._writer.take(events, final=final)

    def _begin(self, rate: int, target: str | None) -> None:
        wanted = target or self._sessions.target
        if self.target != wanted:
            self._session.close()
            self._session = self._sessions.session(target=wanted)
        self._intake = FrameIntake(rate)
        self._writer = WordWriter(wanted, words=self._unit != "char" and latency_unit(wanted) == "word")
