"""What is said on standard error of the sound of an input: tracks, damage, and that nothing was heard."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simul.audio.sources import AudioSource
    from simul.cli.context import Context
    from simul.evaluation.records import StreamRecord
    from simul.session.drive import Step

_QUIET_DBFS = -40.0


class Heard:
    """Follows one input; its notices are said once, at the latest at the end."""

    def __init__(self, source: AudioSource, context: Context) -> None:
        from simul.audio.level import LevelMeter

        self._source, self._context = source, context
        self._meter = LevelMeter()
        self._said = 0
        self._samples = 0
        self._last = ""
        self._notices()

    def step(self, step: Step) -> None:
        """Take in a step of `drive`."""
        if step.samples is not None:
            self._meter.push(step.samples)
            self._samples += len(step.samples)
        else:
            self._last = settled_by(step)

    def finish(self, record: StreamRecord, stopped: bool = False) -> None:
        """Say what is left to be said; `stopped`: the user ended it before the input did."""
        if stopped and self._last:
            self._context.note(settled_early(self._last))
        self._notices()
        bad = self._source.bad_samples + (record.end.bad_samples if record.end else 0)
        if bad:
            self._context.note(f"{self._source.name}: {bad} samples were no numbers and count as silence.")
        if not record.text.strip():
            self._context.warn(nothing_heard(self._source.name, self._samples, self._meter.peak_dbfs))

    def _notices(self) -> None:
        notices = self._source.notices
        for notice in notices[self._said :]:
            self._context.note(notice)
        self._said = len(notices)


def settled_by(step: Step) -> str:
    """The text that a step settled, of the first language."""
    from simul.session.events import Settled

    found = [event for event in step.events if isinstance(event, Settled)]
    return "".join(event.text for event in found if event.language == found[0].language).strip()


def settled_early(text: str) -> str:
    """The sentence for text that stands only because a user stopped."""
    return f"Stopped before the end: {text!r} settled without what would have followed, and may be wrong."


def nothing_heard(name: str, samples: int, peak_dbfs: float) -> str:
    """The sentence for an input of so many samples of which nothing was written."""
    from simul.audio.level import FLOOR_DBFS
    from simul.units import SAMPLE_RATE

    length = f"{samples / SAMPLE_RATE:.1f} s"
    if peak_dbfs <= FLOOR_DBFS:
        why = "every sample is zero, so check what was recorded, and --channel and --track"
    elif peak_dbfs < _QUIET_DBFS:
        why = f"its loudest sample is at {peak_dbfs:.0f} dBFS, which is very quiet; record it louder"
    else:
        why = (
            f"its loudest sample is at {peak_dbfs:.0f} dBFS; if someone speaks, check --source and --channel"
        )
    return f"No speech was heard in {name}: in {length} {why}."
