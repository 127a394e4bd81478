"""`simul translate`: audio files or standard input through a session."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from simul.cli import inputs
from simul.cli.build import add_session_options, announce, session_factory
from simul.cli.context import Context
from simul.cli.heard import Heard
from simul.cli.options import Parser, whole
from simul.cli.places import STANDARD, check_apart
from simul.cli.view.formats import SUFFIXES, add_output_options, check_outputs, output_format
from simul.cli.voice import engine_of, make_voice
from simul.errors import ExitCode, UsageError, exit_code_of
from simul.languages import language_code

if TYPE_CHECKING:
    from simul.audio.sources import AudioSource
    from simul.cli.inputs import Input
    from simul.cli.interrupts import Interrupts
    from simul.cli.view.outputs import Output
    from simul.clock import Clock
    from simul.evaluation.records import LogFolder, StreamRecord
    from simul.session.factory import SessionFactory
    from simul.speech import SpeechOutput
    from tts import Engine


def parser() -> Parser:
    """The options of the command."""
    p = Parser("translate", "Stream audio files or standard input through a session and write what settles.")
    p.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="audio of any common kind, a pattern, an address (https, rtsp, HLS ...), or - for standard input",
    )
    p.add_argument(
        "--simulate", action="store_true", help="at the pace of live speech; else as fast as possible"
    )
    add_session_options(p)
    add_output_options(p)
    p.add_argument("--log", metavar="DIR", help="write instances.log (SimulEval) and events/*.jsonl there")
    p.add_argument("--overwrite", action="store_true", help="replace what --log DIR holds of another run")
    inputs.add_sound_options(p)
    raw = p.add_argument_group("standard input without a WAV header")
    raw.add_argument("--raw", action="store_true", help="take the bytes as they are: PCM without a header")
    raw.add_argument(
        "--rate", type=whole(4_000, 192_000), metavar="HZ", help="samples per second (16000 unless given)"
    )
    raw.add_argument("--channels", type=whole(1, 64), metavar="N", help="channels (1 unless given)")
    raw.add_argument("--encoding", metavar="NAME", help="s16le (unless given), f32le, mulaw, alaw, ...")
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the command."""
    given = parser().parse(arguments, context)
    if not given.files:
        raise UsageError("Name at least one audio file, or - for standard input.")
    check_outputs(given)
    targets = _targets(given)
    factory = session_factory(given, context)
    factory.beside = targets[1:]
    job = Translation(given, context, factory, engine_of(given, context, factory.stream.target))
    return job.run(inputs.expand(given.files))


def _targets(given: argparse.Namespace) -> tuple[str, ...]:
    """The target languages; of several the first stays in `given`.

    Raises:
        UsageError: an option is given that serves one language only.
    """
    codes = tuple(
        dict.fromkeys(language_code(code.strip()) for code in given.target.split(",") if code.strip())
    )
    if len(codes) < 2:
        return codes or (given.target,)
    for option, name in (
        ("captions", "--captions"),
        ("speak", "--speak"),
        ("play", "--play"),
        ("log", "--log"),
    ):
        if getattr(given, option):
            raise UsageError(f"{name} serves one language; give --target one, not {', '.join(codes)}.")
    if output_format(given) in ("srt", "vtt") and not (given.output and inputs.is_folder(given.output)):
        raise UsageError(
            "Subtitles in several languages need a file each; give -o a folder, such as subtitles/."
        )
    given.target = codes[0]
    return codes


@dataclass
class Translation:
    """One run of the command over its inputs."""

    given: argparse.Namespace
    context: Context
    factory: SessionFactory
    engine: Engine | None = None
    codes: list[int] = field(default_factory=list)
    records: list[tuple[str, StreamRecord]] = field(default_factory=list)

    def run(self, given: list[Input]) -> int:
        """Translate every input; a failing one is reported and does not hold up the others."""
        from simul.cli.interrupts import Interrupts

        several = len(given) > 1
        usable = [item for item in given if not self._refused(item, several)]
        if not usable:
            return self._exit_code(len(given))
        self._check_places(given)
        with contextlib.ExitStack() as stack:
            log = self._log(stack, given)
            shared = self._shared_output(stack)
            announce(self.factory, self.context)
            interrupts = stack.enter_context(Interrupts())
            for item in usable:
                try:
                    self._stream(item, shared, log, interrupts, several)
                except Exception as error:
                    if not several or exit_code_of(error) is None:
                        raise
                    self._failed(error)
                if interrupts.stopped():
                    break
            if self.given.stats:
                from simul.cli.view.stats import print_stats

                print_stats(self.context, self.records)
            return ExitCode.INTERRUPTED if interrupts.stopped() else self._exit_code(len(given))

    def _refused(self, item: Input, several: bool) -> bool:
        error = inputs.check(item.name)
        if error is None:
            return False
        if not several:
            raise error
        self._failed(error)
        return True

    def _failed(self, error: Exception) -> None:
        self.context.warn(str(error))
        self.codes.append(exit_code_of(error) or ExitCode.FAILED)

    def _exit_code(self, count: int) -> int:
        if not self.codes:
            return ExitCode.OK
        if len(self.codes) < count:
            return ExitCode.PARTIAL
        return self.codes[0] if len(set(self.codes)) == 1 else ExitCode.FAILED

    def _check_places(self, items: list[Input]) -> None:
        given, kind, count = self.given, output_format(self.given), len(items)
        if count > 1 and given.speak and not inputs.is_folder(given.speak):
            raise UsageError(
                "Several inputs cannot share one WAV file; give --speak a folder, such as speech/."
            )
        subtitles = kind in ("srt", "vtt")
        if count > 1 and subtitles and not (given.output and inputs.is_folder(given.output)):
            raise UsageError(
                "Several inputs need a subtitle file each; give -o a folder, such as subtitles/."
            )
        if given.play and not given.simulate:
            raise UsageError("--play needs the pace of speech; add --simulate, or write a file with --speak.")
        if given.bilingual and not subtitles:
            raise UsageError("--bilingual is for subtitles; add --format srt or --format vtt.")
        if given.captions and kind != "text":
            raise UsageError("--captions shows text; leave --format away, or write another format with -o.")
        check_apart(self._places(items), [item.name for item in items if item.name != STANDARD], self.context)

    def _places(self, items: list[Input]) -> Iterator[tuple[str, str]]:
        """The option and the place of everything that is written."""
        given, suffix = self.given, SUFFIXES[output_format(self.given)]
        if given.output is None:
            yield "", STANDARD
        for option, place, ending in (("-o", given.output, suffix), ("--speak", given.speak, "wav")):
            if place is not None:
                yield from ((option, place) for place in inputs.places(place, items, ending))
        if given.log:
            yield "--log", os.path.join(given.log, "instances.log")
            yield from (("--log", os.path.join(given.log, "events", f"{item.stem}.jsonl")) for item in items)

    def _shared_output(self, stack: contextlib.ExitStack) -> TextIO | None:
        """The stream that every input's results go to; None where each has its own file."""
        from simul.files import create

        if self.given.output in (None, STANDARD):
            return self.context.stdout
        if inputs.is_folder(self.given.output):
            return None
        return stack.enter_context(create(self.given.output))

    def _log(self, stack: contextlib.ExitStack, items: list[Input]) -> LogFolder | None:
        from dataclasses import asdict

        from simul.evaluation.claim import claimed
        from simul.evaluation.records import LogFolder

        if not self.given.log:
            return None
        settings = {
            "inputs": [os.path.abspath(item.name) if item.name != STANDARD else None for item in items],
            **asdict(self.factory.stream),
            "model": asdict(self.factory.model),
        }
        # What came through standard input is not the same another time.
        same = None if None in settings["inputs"] else settings
        stack.enter_context(claimed(self.given.log, same, self.given.overwrite))
        return stack.enter_context(LogFolder(self.given.log))

    def _stream(
        self, item: Input, shared: TextIO | None, log: LogFolder | None, interrupts: Interrupts, several: bool
    ) -> None:
        """Run one input through a session into its outputs."""
        from simul.cli.view.outputs import Outputs
        from simul.cli.view.several import only
        from simul.clock import MeteredClock, WallClock
        from simul.evaluation.records import StreamRecord
        from simul.memory import Housekeeping
        from simul.session.drive import drive

        clock = WallClock() if self.given.simulate else MeteredClock()
        session = self.factory(clock)
        if isinstance(clock, MeteredClock):
            clock.measure_by(session.backend.meter)
        codes = (self.factory.stream.target, *self.factory.beside)
        records = {code: StreamRecord(code) for code in codes}
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(
                inputs.open_input(item.name, self.given, self.context, interrupts.stopped)
            )
            heard = Heard(source, self.context)
            voice = self._voice(item, clock, session.policy.revises, stack)
            logged = [_logged(log, item.stem, stack)] if log else []
            shown = self._outputs(item, shared, source, session.policy.revises, several, stack)
            outputs = Outputs([*shown, *logged], self._failed)
            with outputs.closing():
                keeping, stop = Housekeeping(), self._stop(item, interrupts)
                for step in drive(source, session, clock, coalesce=self.given.simulate, stopped=stop):
                    keeping.heard(step.arrived)
                    heard.step(step)
                    spoken = voice.voiced(step) if voice else step
                    for code, record in records.items():
                        record.step(only(spoken, code) if len(records) > 1 else spoken)
                    outputs.step(spoken)
            self._finish(item, records, heard, log)

    def _stop(self, item: Input, interrupts: Interrupts) -> Callable[[], bool]:
        """When to read no more. Standard input ends by itself, after what it had already taken in."""
        if item.name == STANDARD and not self.given.simulate:
            return lambda: False
        return interrupts.stopped

    def _own_output(self, item: Input, stack: contextlib.ExitStack, code: str = "") -> TextIO:
        from simul.files import create

        suffix = SUFFIXES[output_format(self.given)]
        path = inputs.place(self.given.output, item.stem, f"{code}.{suffix}" if code else suffix)
        return stack.enter_context(create(path))

    def _voice(
        self, item: Input, clock: Clock, revises: bool, stack: contextlib.ExitStack
    ) -> SpeechOutput | None:
        path = str(inputs.place(self.given.speak, item.stem, "wav")) if self.given.speak else None
        return make_voice(self.engine, self.given, self.context, path, clock, revises, stack, self._failed)

    def _outputs(
        self,
        item: Input,
        shared: TextIO | None,
        source: AudioSource,
        revises: bool,
        several: bool,
        stack: contextlib.ExitStack,
    ) -> list[Output]:
        from simul.cli.view.status import FileStatus
        from simul.cli.view.views import visible_outputs

        if self.factory.beside:
            return self._by_language(item, shared, revises, several, stack)
        stream = self._own_output(item, stack) if shared is None else shared
        duration = source.duration_samples
        status = FileStatus(item.stem if several else "", duration, self.given.simulate)
        extra = {"file": item.name} if several else {}
        return visible_outputs(self.given, self.context, self.factory, stream, status, revises, extra)

    def _by_language(
        self, item: Input, shared: TextIO | None, revises: bool, several: bool, stack: contextlib.ExitStack
    ) -> list[Output]:
        """Outputs of several languages: a file for each in a folder, else one text, a language before each line."""
        from simul.cli.view.outputs import JsonOutput
        from simul.cli.view.several import LabelledText, language_output

        options, kind = self.factory.stream, output_format(self.given)
        codes = (options.target, *self.factory.beside)
        if shared is None:
            below = options.source if self.given.bilingual else None
            return [
                language_output(kind, self._own_output(item, stack, code), code, below, revises)
                for code in codes
            ]
        if kind == "json":
            return [JsonOutput(shared, {"file": item.name} if several else {})]
        return [LabelledText(shared, codes)]

    def _finish(
        self, item: Input, records: Mapping[str, StreamRecord], heard: Heard, log: LogFolder | None
    ) -> None:
        record = records[self.factory.stream.target]
        for code, of_language in records.items():
            self.records.append((f"{item.stem} {code}" if len(records) > 1 else item.stem, of_language))
        if log:
            log.instance(record.instance(len(self.records) - 1), item.name)
        heard.finish(record)


def _logged(log: LogFolder, name: str, stack: contextlib.ExitStack) -> Output:
    from simul.cli.view.outputs import JsonOutput

    return JsonOutput(stack.enter_context(log.events(name)))
