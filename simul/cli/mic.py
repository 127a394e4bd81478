"""`simul mic`: the microphone through a session."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

from simul.cli.build import add_session_options, announce, session_factory
from simul.cli.context import Context
from simul.cli.devices import show_devices
from simul.cli.heard import settled_by, settled_early
from simul.cli.options import Parser
from simul.cli.places import STANDARD, check_apart
from simul.cli.view.formats import add_output_options, check_outputs
from simul.cli.voice import engine_of, make_voice, sound_file
from simul.errors import ExitCode, OutputError, UsageError

if TYPE_CHECKING:
    from simul.audio.microphone import MicrophoneSource
    from simul.audio.wav import WavWriter
    from simul.cli.view.outputs import Output
    from simul.evaluation.records import LogFolder
    from simul.session.drive import Step
    from simul.session.factory import SessionFactory
    from tts import Engine

METER_MS = 100
"""Length of the pieces that the level meter shows; decisions keep to --chunk-ms."""


def parser() -> Parser:
    """The options of the command."""
    p = Parser("mic", "Translate or transcribe what the microphone hears, until Ctrl-C.")
    p.add_argument(
        "--device",
        metavar="NAME",
        help="number or part of the name of the microphone; system: what this computer plays",
    )
    p.add_argument("--list-devices", action="store_true", help="list the microphones and exit")
    p.add_argument(
        "--json", action="store_true", help="with --list-devices: as JSON; else the same as --format json"
    )
    p.add_argument("--save-audio", metavar="FILE.wav", help="also record what is heard (16 kHz)")
    add_session_options(p)
    add_output_options(p)
    p.add_argument("--log", metavar="DIR", help="write instances.log (SimulEval) and events/mic.jsonl there")
    p.add_argument("--overwrite", action="store_true", help="replace what --log DIR holds of another run")
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the command."""
    given = parser().parse(arguments, context)
    if given.list_devices:
        return show_devices(given.json, context)
    if given.json:
        if given.format not in (None, "json"):
            raise UsageError("--json and another --format contradict each other; give one of them.")
        given.format = "json"
    check_outputs(given)
    check_apart(_places(given), (), context)
    factory = session_factory(given, context)
    engine = engine_of(given, context, factory.stream.target)
    _check_device(given, context)
    with contextlib.ExitStack() as stack:
        log = _log(given, stack)
        stream = _output_stream(given, context, stack)
        announce(factory, context)
        return _listen(given, context, factory, engine, stream, log, stack)


def _log(given: argparse.Namespace, stack: contextlib.ExitStack) -> LogFolder | None:
    from simul.evaluation.claim import claimed
    from simul.evaluation.records import LogFolder

    if not given.log:
        return None
    stack.enter_context(claimed(given.log, None, given.overwrite))
    return stack.enter_context(LogFolder(given.log))


def _check_device(given: argparse.Namespace, context: Context) -> None:
    """Fail before any model is loaded when there is no such microphone."""
    from simul.audio.microphone import choose_device, list_devices

    choose_device(given.device, list_devices(context.sound))


def _places(given: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """The option and the place of everything that is written."""
    yield ("", STANDARD) if given.output is None else ("-o", given.output)
    for option, place in (("--speak", given.speak), ("--save-audio", given.save_audio)):
        if place is not None:
            yield option, place
    if given.log:
        yield "--log", os.path.join(given.log, "instances.log")
        yield "--log", os.path.join(given.log, "events", "mic.jsonl")


def _output_stream(given: argparse.Namespace, context: Context, stack: contextlib.ExitStack) -> TextIO:
    from simul.cli import inputs
    from simul.files import create

    if given.output in (None, STANDARD):
        return context.stdout
    if inputs.is_folder(given.output):
        raise UsageError(f"{given.output} is a folder; give -o the name of a file.")
    return stack.enter_context(create(given.output))


def _listen(
    given: argparse.Namespace,
    context: Context,
    factory: SessionFactory,
    engine: Engine | None,
    stream: TextIO,
    log: LogFolder | None,
    stack: contextlib.ExitStack,
) -> int:
    from simul.audio.microphone import MicrophoneSource
    from simul.cli.interrupts import Interrupts
    from simul.cli.view.outputs import Outputs
    from simul.clock import WallClock
    from simul.evaluation.records import StreamRecord
    from simul.memory import Housekeeping
    from simul.session.drive import drive
    from simul.units import SAMPLE_RATE

    clock = WallClock()
    session = factory(clock)
    revises = session.policy.revises
    record = StreamRecord(factory.stream.target)
    failures: list[OutputError] = []

    def lost(error: OutputError) -> None:
        failures.append(error)
        context.warn(str(error))

    voice = make_voice(engine, given, context, given.speak, clock, revises, stack, lost)
    source = stack.enter_context(
        MicrophoneSource(given.device, min(METER_MS, given.chunk_ms), backend=context.sound, clock=clock)
    )
    stack.enter_context(Interrupts(source.stop))
    context.note(f"Listening to {source.device.name}; Ctrl-C ends.")
    made = _outputs(given, context, factory, stream, revises)
    if log:
        made.append(_events_log(log, stack))
    if given.save_audio:
        writer = sound_file("--save-audio", given.save_audio, SAMPLE_RATE, context, stack, lost)
        made += [RecordingOutput(writer)] if writer else []
    outputs = Outputs(made, lost)
    last = ""
    try:
        with outputs.closing():
            keeping = Housekeeping()
            for step in drive(
                source, session, clock, live=True, coalesce=True, waiting=lambda: source.waiting
            ):
                keeping.heard(step.arrived)
                spoken = voice.voiced(step) if voice else step
                record.step(spoken)
                outputs.step(spoken)
                last = settled_by(step)
    finally:
        _report(source, context)
        if last:
            context.note(settled_early(last))
        if log:
            log.instance(record.instance(), "microphone")
    if given.stats:
        from simul.cli.view.stats import print_stats

        print_stats(context, [("microphone", record)])
    # The first Ctrl-C is how listening ends.
    return ExitCode.FAILED if failures else ExitCode.OK


class RecordingOutput:
    """What is heard, into a WAV file."""

    keeps = True

    def __init__(self, writer: WavWriter) -> None:
        self._writer = writer

    def step(self, step: Step) -> None:
        """Write the samples."""
        if step.samples is not None:
            self._writer.write(step.samples)

    def close(self) -> None:
        """The file is closed by who opened it."""


def _outputs(
    given: argparse.Namespace, context: Context, factory: SessionFactory, stream: TextIO, revises: bool
) -> list[Output]:
    from simul.cli.view.status import MicrophoneStatus
    from simul.cli.view.views import SilenceWarning, visible_outputs

    outputs = visible_outputs(given, context, factory, stream, MicrophoneStatus(), revises, {})
    if not context.is_terminal(context.stderr):
        outputs.append(SilenceWarning(context.warn))
    return outputs


def _events_log(log: Any, stack: contextlib.ExitStack) -> Output:
    from simul.cli.view.outputs import JsonOutput

    return JsonOutput(stack.enter_context(log.events("mic")))


def _report(source: MicrophoneSource, context: Context) -> None:
    """Say what was lost on the way."""
    from simul.units import SAMPLE_RATE

    if source.overflows:
        context.note(f"The sound driver lost input {source.overflows} times.")
    if source.dropped_frames:
        seconds = source.dropped_frames / source.rate
        context.note(f"{seconds:.1f} s of sound came faster than they were computed and count as silence.")
    if source.reopened:
        seconds = source.silence_samples / SAMPLE_RATE
        context.note(f"The microphone was lost {source.reopened} times ({seconds:.1f} s of silence instead).")
