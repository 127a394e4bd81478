"""What a stream looks like: status lines, and which outputs a run gets for its terminal and its options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from simul.audio.level import LevelMeter
from simul.cli.view.formats import output_format
from simul.cli.view.render import DIM, PLAIN, RED, YELLOW, Part, Screen, bar, clock_text, meter
from simul.clock import Clock, WallClock
from simul.session.drive import Step
from simul.units import SAMPLE_RATE

if TYPE_CHECKING:
    from simul.cli.build import SessionFactory
    from simul.cli.context import Context
    from simul.cli.view.outputs import Output

_BAR_WIDTH = 16
_METER_WIDTH = 24
_LATE_SECONDS = 1.0


class FileStatus:
    """Progress of a file: bar, position, and how fast it goes or how far behind it is.

    duration: samples of the whole file, None when unknown. paced: it runs at the pace of live speech.
    """

    def __init__(self, name: str, duration: int | None, paced: bool, clock: Clock | None = None) -> None:
        self._name, self._duration, self._paced = name, duration, paced
        self._clock = clock or WallClock()
        self._start = self._clock.now()

    def __call__(self, step: Step) -> list[Part]:
        """The line for now."""
        seconds = step.arrived / SAMPLE_RATE
        passed = max(self._clock.now() - self._start, 1e-6)
        parts: list[Part] = [(f"{self._name}  ", PLAIN)] if self._name else []
        if self._duration:
            share = min(1.0, step.arrived / self._duration)
            parts += bar(share, _BAR_WIDTH)
            total = clock_text(self._duration / SAMPLE_RATE)
            parts.append((f" {share:4.0%}  {clock_text(seconds)} / {total}", PLAIN))
        else:
            parts.append((clock_text(seconds), PLAIN))
        if self._paced:
            return [*parts, ("  ", PLAIN), lag_part(step.behind)]
        speed = seconds / passed
        parts.append((f"  {speed:.1f}×", PLAIN))
        if self._duration:
            left = max(0, self._duration - step.arrived) / SAMPLE_RATE
            parts.append((f"  {clock_text(left / speed + 0.5)} left", DIM))
        return parts


class MicrophoneStatus:
    """Level meter, clip and silence warnings, and how far behind the computer is."""

    def __init__(self) -> None:
        self._meter = LevelMeter()

    def __call__(self, step: Step) -> list[Part]:
        """The line for now."""
        assert step.samples is not None
        level = self._meter.push(step.samples)
        parts: list[Part] = [("● ", RED), (f"{clock_text(step.arrived / SAMPLE_RATE)}  ", PLAIN)]
        parts += meter(level.rms_dbfs, level.peak_dbfs, _METER_WIDTH)
        parts.append((f" {level.rms_dbfs:4.0f} dB, peak {level.peak_dbfs:4.0f}", DIM))
        if level.clipped:
            parts.append(("  CLIPPED: turn it down", RED))
        elif level.no_signal:
            parts.append(("  NO SIGNAL: is it muted?", YELLOW))
        return [*parts, ("  ", PLAIN), lag_part(step.behind)]


class SilenceWarning:
    """Says once, where no meter is shown, that the microphone delivers nothing."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._meter, self._warn = LevelMeter(), warn
        self._said = False

    def step(self, step: Step) -> None:
        """Measure what was heard."""
        if step.samples is None or self._said:
            return
        if self._meter.push(step.samples).no_signal:
            self._said = True
            self._warn("The microphone is silent; is it muted or unplugged?")

    def close(self) -> None:
        """Nothing is held."""


Status = Callable[[Step], list[Part]]


def lag_part(seconds: float) -> Part:
    """How far computing is behind the speech."""
    style = DIM if seconds < _LATE_SECONDS else YELLOW if seconds < 3 * _LATE_SECONDS else RED
    return f"{max(0.0, seconds):.1f} s behind", style


def visible_outputs(
    given: argparse.Namespace,
    context: Context,
    factory: SessionFactory,
    stream: TextIO,
    status: Status,
    revises: bool,
    extra: dict[str, Any],
) -> list[Output]:
    """The outputs for results and for the terminal."""
    from simul.cli.view.outputs import StatusOutput, TerminalOutput

    on_stdout = stream is context.stdout and context.is_terminal(stream)
    on_stderr = context.is_terminal(context.stderr) and context.verbosity >= 0
    if given.captions:
        if on_stdout or context.is_terminal(context.stderr):
            return _captioned(context, factory, stream, status, revises, extra, on_stdout)
        context.note("--captions needs a terminal; the text is written as it settles instead.")
    if on_stdout and output_format(given) == "text":
        shown = status if context.verbosity >= 0 else _nothing
        return [TerminalOutput(Screen(stream, context.colours(stream)), shown, revises)]
    outputs: list[Output] = [_result(given, factory, stream, revises, extra)]
    if on_stderr and not on_stdout:
        outputs.append(StatusOutput(Screen(context.stderr, context.colours(context.stderr)), status))
    return outputs


def _nothing(step: Step) -> list[Part]:
    return []


def _result(
    given: argparse.Namespace, factory: SessionFactory, stream: TextIO, revises: bool, extra: dict[str, Any]
) -> Output:
    from simul.cli.view.outputs import CueOutput, JsonOutput, TextOutput

    kind = output_format(given)
    if kind == "json":
        return JsonOutput(stream, extra)
    if kind in ("srt", "vtt"):
        options = factory.stream
        return CueOutput(stream, kind, options.target, options.source if given.bilingual else None)
    return TextOutput(stream, revises)


def _captioned(
    context: Context,
    factory: SessionFactory,
    stream: TextIO,
    status: Status,
    revises: bool,
    extra: dict[str, Any],
    on_stdout: bool,
) -> list[Output]:
    """The caption panel; results go to `stream` as well unless that is the terminal the panel is on."""
    from simul.cli.view.outputs import TextOutput
    from simul.cli.view.panel import CaptionPanel

    place = stream if on_stdout else context.stderr
    options = factory.stream
    translates = options.source != options.target
    title = f"{options.source} → {options.target}" if translates else options.source
    title += f"  ·  {options.policy}"
    panel = CaptionPanel(place, title, status, context.colours(place), translates)
    return [panel] if on_stdout else [panel, TextOutput(stream, revises)]
