"""Which outputs a run gets for its terminal and its options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from simul.audio.level import LevelMeter
from simul.cli.view.formats import output_format
from simul.languages import NAMES
from simul.session.drive import Step
from simul.session.events import SpokenIn

if TYPE_CHECKING:
    from simul.cli.context import Context
    from simul.cli.view.live import StatusOf
    from simul.cli.view.outputs import Output
    from simul.cli.view.screen import Screen
    from simul.session.factory import SessionFactory


_NO_TERMINAL = "--captions needs a terminal; the text is written as it settles instead."


class SilenceWarning:
    """Says once, where no meter is shown, that the microphone delivers nothing."""

    keeps = False

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


class LanguageNote:
    """Says which language was found out, and that another one is spoken than was given."""

    keeps = False

    def __init__(self, context: Context) -> None:
        self._context = context

    def step(self, step: Step) -> None:
        """Look for what is to be said."""
        for event in step.events:
            if isinstance(event, SpokenIn) and event.spoken != event.expected:
                self._say(_named(event.spoken), event)

    def _say(self, spoken: str, event: SpokenIn) -> None:
        if not event.expected:
            self._context.note(f"{spoken} is spoken.")
            return
        self._context.warn(
            f"{spoken} seems to be spoken, not {_named(event.expected)}; try --source {event.spoken}."
        )

    def close(self) -> None:
        """Nothing is held."""


def _named(code: str) -> str:
    return f"{NAMES[code]} ({code})" if code in NAMES else code


def visible_outputs(
    given: argparse.Namespace,
    context: Context,
    factory: SessionFactory,
    stream: TextIO,
    status: StatusOf,
    revises: bool,
    extra: dict[str, Any],
) -> list[Output]:
    """The outputs for results and for the terminal."""
    return [*_shown(given, context, factory, stream, status, revises, extra), LanguageNote(context)]


def _shown(
    given: argparse.Namespace,
    context: Context,
    factory: SessionFactory,
    stream: TextIO,
    status: StatusOf,
    revises: bool,
    extra: dict[str, Any],
) -> list[Output]:
    on_stdout = stream is context.stdout and context.is_terminal(stream)
    on_stderr = context.is_terminal(context.stderr) and not on_stdout
    if given.captions:
        if on_stdout or on_stderr:
            return _captioned(context, factory, stream, status, revises, on_stdout)
        context.note(_NO_TERMINAL)
    if on_stdout and output_format(given) == "text":
        from simul.cli.view.live import TerminalOutput
        from simul.cli.view.status import Status

        shown = status if context.verbosity >= 0 else lambda step: Status()
        return [TerminalOutput(_screen(context, stream), shown, revises)]
    outputs = [_result(given, factory, stream, revises, extra)]
    if on_stderr and context.verbosity >= 0:
        from simul.cli.view.live import StatusOutput

        outputs.append(StatusOutput(_screen(context, context.stderr), status))
    return outputs


def _screen(context: Context, stream: TextIO) -> Screen:
    from simul.cli.view.screen import Screen

    context.screen = Screen(lambda: context.console(stream, force_terminal=True))
    return context.screen


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
    status: StatusOf,
    revises: bool,
    on_stdout: bool,
) -> list[Output]:
    """The caption panel; results go to `stream` as well unless that is the terminal the panel is on."""
    from simul.cli.view.live import CaptionPanel
    from simul.cli.view.outputs import TextOutput

    options = factory.stream
    translates = options.source != options.target
    title = f"{options.source} → {options.target}" if translates else options.source
    title += f"  ·  {options.policy}"
    screen = _screen(context, stream if on_stdout else context.stderr)
    panel = CaptionPanel(screen, title, status, translates)
    return [panel] if on_stdout else [panel, TextOutput(stream, revises)]


def language_panel(context: Context, factory: SessionFactory, status: StatusOf) -> Output | None:
    """The caption panel of a session in several languages; None, and a note, where there is no terminal for it."""
    from simul.cli.view.panels import LanguagePanel

    stream = next((s for s in (context.stdout, context.stderr) if context.is_terminal(s)), None)
    if stream is None:
        context.note(_NO_TERMINAL)
        return None
    options = factory.stream
    codes = (options.target, *factory.beside)
    title = f"{options.source} → {', '.join(codes)}  ·  {options.policy}"
    return LanguagePanel(_screen(context, stream), title, status, codes)
