"""`simul translate`: audio files or standard input through a session."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, TextIO

from simul.cli import inputs
from simul.cli.build import add_session_options, announce, session_factory
from simul.cli.context import Context
from simul.cli.heard import Heard
from simul.cli.options import Parser, whole
from simul.cli.places import STANDARD, announce_replaced, check_apart
from simul.cli.view.formats import SUFFIXES, add_output_options, check_outputs, output_format
from simul.cli.voice import engine_of, make_voice
from simul.errors import ExitCode, UsageError, exit_code_of
from simul.languages import language_code

if TYPE_CHECKING:
    from simul.audio.sources import AudioSource
    from simul.cli.inputs import Input
    from simul.cli.interrupts import Interrupts
    from simul.cli.view.outputs import Output
    from simul.cli.view.status import FileStatus
    from simul.clock import Clock
    from simul.evaluation.records import LogFolder, StreamRecord
    from simul.session.factory import SessionFactory
    from simul.speech import SpeechOutput, SpokenLanguages
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
    p.add_argument("--play-language", metavar="LANG", help="which of several targets --play speaks")
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
    job = Translation(given, context, factory)
    job.played = _played(given, targets)
    job.engines = {
        code: engine
        for code in (job.targets if given.speak else [job.played])
        if (engine := engine_of(given, context, code)) is not None
    }
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
    if given.speak and not inputs.is_folder(given.speak):
        raise UsageError(
            "Speech in several languages needs a file each; give --speak a folder, such as speech/."
        )
    if output_format(given) in ("srt", "vtt") and not (given.output and inputs.is_folder(given.output)):
        raise UsageError(
            "Subtitles in several languages need a file each; give -o a folder, such as subtitles/."
        )
    given.target = codes[0]
    return codes


def _played(given: argparse.Namespace, targets: tuple[str, ...]) -> str:
    """The language that --play speaks.

    Raises:
        UsageError: it is none of the targets, or there are several and none is named.
    """
    if given.play_language and not given.play:
        raise UsageError("--play-language says what --play speaks; give --play too.")
    if given.play_language:
        code = language_code(given.play_language)
        if code not in targets:
            raise UsageError(
                f"--play-language {code} is none of the targets; name one of {', '.join(targets)}."
            )
        return code
    if given.play and len(targets) > 1:
        raise UsageError(
            f"A loudspeaker speaks one language; add --play-language with one of {', '.join(targets)}."
        )
    return targets[0]


@dataclass
class Translation:
    """One run of the command over its inputs."""

    given: argparse.Namespace
    context: Context
    factory: SessionFactory
    engines: Mapping[str, Engine] = field(default_factory=dict)
    played: str = ""
    codes: list[int] = field(default_factory=list)
    records: list[tuple[str, StreamRecord]] = field(default_factory=list)

    @property
    def targets(self) -> tuple[str, ...]:
        """The languages that are written."""
        return (self.factory.stream.target, *self.factory.beside)

    def run(self, given: list[Input]) -> int:
        """Translate every input; a failing one is reported and does not hold up the others."""
        from simul.cli.interrupts import Interrupts

        several = len(given) > 1
        usable = [item for item in given if not self._refused(item, several)]
        if not usable:
            return self._exit_code(len(given))
        self._check_places(given)
        with contextlib.ExitStack() as stack:
            logs = self._logs(stack, given)
            shared = self._shared_output(stack)
            announce(self.factory, self.context)
            interrupts = stack.enter_context(Interrupts())
            for item in usable:
                try:
                    self._stream(item, shared, logs, interrupts, several)
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
        announce_replaced((place for option, place in self._places(items) if option != "--log"), self.context)

    def _places(self, items: list[Input]) -> Iterator[tuple[str, str]]:
        """The option and the place of everything that is written."""
        given, suffix = self.given, SUFFIXES[output_format(self.given)]
        if given.output is None:
            yield "", STANDARD
        for option, place, kind in (("-o", given.output, suffix), ("--speak", given.speak, "wav")):
            if place is not None:
                found = (inputs.places(place, items, self._ending(kind, code)) for code in self.targets)
                # Languages that share a file are in one text.
                yield from ((option, path) for path in dict.fromkeys(chain.from_iterable(found)))
        for folder in self._log_folders().values():
            yield "--log", os.path.join(folder, "instances.log")
            yield from (("--log", os.path.join(folder, "events", f"{item.stem}.jsonl")) for item in items)

    def _ending(self, kind: str, code: str) -> str:
        """How the files of one language end."""
        return f"{code}.{kind}" if self.factory.beside else kind

    def _log_folders(self) -> dict[str, str]:
        """The folder of logs of each language: --log itself, or of several a folder in it for each."""
        if not self.given.log:
            return {}
        if not self.factory.beside:
            return {self.factory.stream.target: self.given.log}
        return {code: os.path.join(self.given.log, code) for code in self.targets}

    def _shared_output(self, stack: contextlib.ExitStack) -> TextIO | None:
        """The stream that every input's results go to; None where each has its own file."""
        from simul.files import create

        if self.given.output in (None, STANDARD):
            return self.context.stdout
        if inputs.is_folder(self.given.output):
            return None
        return stack.enter_context(create(self.given.output))

    def _logs(self, stack: contextlib.ExitStack, items: list[Input]) -> dict[str, LogFolder]:
        """The logs of each language."""
        from dataclasses import asdict

        from simul.evaluation.claim import claimed
        from simul.evaluation.records import LogFolder

        found = {}
        for code, folder in self._log_folders().items():
            settings = {
                "inputs": [os.path.abspath(item.name) if item.name != STANDARD else None for item in items],
                **asdict(self.factory.stream),
                "target": code,
                "model": asdict(self.factory.model),
            }
            # What came through standard input is not the same another time.
            same = None if None in settings["inputs"] else settings
            stack.enter_context(claimed(folder, same, self.given.overwrite))
            found[code] = stack.enter_context(LogFolder(folder))
        return found

    def _stream(
        self,
        item: Input,
        shared: TextIO | None,
        logs: Mapping[str, LogFolder],
        interrupts: Interrupts,
        several: bool,
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
        records = {code: StreamRecord(code) for code in self.targets}
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(
                inputs.open_input(item.name, self.given, self.context, interrupts.stopped)
            )
            heard = Heard(source, self.context)
            voice = self._voice(item, clock, session.policy.revises, stack)
            logged = [
                _logged(log, item.stem, stack, code if self.factory.beside else "")
                for code, log in logs.items()
            ]
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
            self._finish(item, records, heard, logs, interrupts.stopped())

    def _stop(self, item: Input, interrupts: Interrupts) -> Callable[[], bool]:
        """When to read no more. Standard input ends by itself, after what it had already taken in."""
        if item.name == STANDARD and not self.given.simulate:
            return lambda: False
        return interrupts.stopped

    def _own_output(self, item: Input, stack: contextlib.ExitStack, code: str) -> TextIO:
        from simul.files import create

        ending = self._ending(SUFFIXES[output_format(self.given)], code)
        return stack.enter_context(create(inputs.place(self.given.output, item.stem, ending)))

    def _voice(
        self, item: Input, clock: Clock, revises: bool, stack: contextlib.ExitStack
    ) -> SpeechOutput | SpokenLanguages | None:
        from simul.speech import SpokenLanguages

        made = {}
        for code, engine in self.engines.items():
            path = None
            if self.given.speak:
                path = str(inputs.place(self.given.speak, item.stem, self._ending("wav", code)))
            given = argparse.Namespace(
                **{**vars(self.given), "play": self.given.play and code == self.played}
            )
            voice = make_voice(engine, given, self.context, path, clock, revises, stack, self._failed)
            if voice is not None:
                made[code] = voice
        if len(made) > 1:
            return SpokenLanguages(made)
        return next(iter(made.values()), None)

    def _outputs(
        self,
        item: Input,
        shared: TextIO | None,
        source: AudioSource,
        revises: bool,
        several: bool,
        stack: contextlib.ExitStack,
    ) -> list[Output]:
        from simul.cli.view.views import language_panel, visible_outputs

        if self.factory.beside:
            if self.given.captions:
                panel = language_panel(self.context, self.factory, self._status(item, source, several))
                if panel is not None and shared is not None and self.context.is_terminal(shared):
                    return [panel]
                texts = self._by_language(item, shared, revises, several, stack)
                return [panel, *texts] if panel is not None else texts
            return self._by_language(item, shared, revises, several, stack)
        stream = self._own_output(item, stack, self.factory.stream.target) if shared is None else shared
        status = self._status(item, source, several)
        extra = {"file": item.name} if several else {}
        return visible_outputs(self.given, self.context, self.factory, stream, status, revises, extra)

    def _status(self, item: Input, source: AudioSource, several: bool) -> FileStatus:
        from simul.cli.view.status import FileStatus

        return FileStatus(item.stem if several else "", source.duration_samples, self.given.simulate)

    def _by_language(
        self, item: Input, shared: TextIO | None, revises: bool, several: bool, stack: contextlib.ExitStack
    ) -> list[Output]:
        """Outputs of several languages: a file for each in a folder, else one text, a language before each line."""
        from simul.cli.view.outputs import JsonOutput
        from simul.cli.view.several import LabelledText, language_output

        options, kind, codes = self.factory.stream, output_format(self.given), self.targets
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
        self,
        item: Input,
        records: Mapping[str, StreamRecord],
        heard: Heard,
        logs: Mapping[str, LogFolder],
        stopped: bool,
    ) -> None:
        number = len(self.records) // len(records)
        for code, record in records.items():
            self.records.append((f"{item.stem} {code}" if len(records) > 1 else item.stem, record))
            if code in logs:
                logs[code].instance(record.instance(number), item.name)
        heard.finish(records[self.factory.stream.target], stopped)


def _logged(log: LogFolder, name: str, stack: contextlib.ExitStack, code: str) -> Output:
    """The events of one language as a log; of a session in one language, all of them."""
    from simul.cli.view.outputs import JsonOutput
    from simul.cli.view.several import OneLanguage

    made = JsonOutput(stack.enter_context(log.events(name)))
    return OneLanguage(made, code) if code else made
