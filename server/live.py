"""The books of one session, which outlive its sockets: audio kept for a worker that breaks, text, numbered messages.

There is no input or output and no clock here; every moment is an argument, in seconds on the host's clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any, Protocol

from server import protocol as p
from server.intake import TrackIntake
from server.texts import TextStream, after_repeat, joined, size_of, to_ms, wire_word
from server.workers.messages import (
    ChangeTrack,
    Command,
    Cut,
    OpenTrack,
    PushAudio,
    SkipAudio,
    TrackOutput,
    TrackSpec,
)
from simul.session.events import Event, Retract, SegmentEnd, Settled, Skipped, Tail, TimedWord
from simul.session.transcript import Transcript
from simul.units import SAMPLE_RATE

KEPT_MESSAGES, KEPT_BYTES = 2_000, 256 * 1024
"""Of numbered messages that the client has not acknowledged; above, a resumed client gets a snapshot."""
KEPT_AUDIO = 60 * SAMPLE_RATE
"""Of one segment, for a worker that takes over."""


class Recorder(Protocol):
    """Takes note of what happens to a session."""

    def audio(self, data: bytes) -> None: ...

    def message(self, message: p.ServerMessage) -> None: ...

    def line(self, kind: str, **fields: Any) -> None: ...

    def close(self) -> None: ...


class LiveSession:
    """One session: takes audio and what workers say, gives commands for the worker and messages for the client.

    spec: what the audio is to become; source_text: whether the recognised source is shown beside translations.
    """

    def __init__(self, name: str, spec: TrackSpec, audio: p.AudioFormat, now: float) -> None:
        self.name, self.audio, self.opened = name, audio, now
        self.want = p.Want()
        self.revises = False
        self.detached_at: float | None = None
        self._intake = TrackIntake(audio)
        self.received = 0
        """Position at the client's rate: frames and gaps."""
        self._made = 0
        self.processed = self.lost = self.seq = 0
        self._log: deque[tuple[p.ServerMessage, int]] = deque()
        self._log_bytes = 0
        self._fresh: list[p.ServerMessage] = []
        self._kept: deque[tuple[int, Command]] = deque()
        self._boundary = (0, 0)
        self._pending: set[tuple[str, str]] = set()
        self._lags: list[int] = []
        self.finishing = self.over = False
        self._told_lags = 0
        self.recorder: Recorder | None = None
        self._base_spec = spec
        self.streams: dict[str, TextStream] = {}
        self._leaving: dict[str, TextStream] = {}
        """Targets of before the last changes: what was heard for them is still to be settled."""
        self.configure(spec)

    def configure(self, spec: TrackSpec) -> None:
        """Languages and policy; streams that are there already stay."""
        self.spec = spec
        names = {p.SOURCE: spec.source, **{target: target for target in spec.targets}}
        former = {**self._leaving, **self.streams}
        self._leaving = {name: former[name] for name in former.keys() - names.keys()}
        self.streams = {
            name: former.get(name) or TextStream(name, language, Transcript(language))
            for name, language in names.items()
        }

    # -- audio ----------------------------------------------------------------------------------------------------

    @property
    def track_position(self) -> int:
        """Samples at 16 kHz that workers were given, gaps included."""
        return self._made

    @property
    def waiting(self) -> float:
        """Seconds of audio that no worker has taken in yet."""
        return max(0, self._made - self.processed) / SAMPLE_RATE

    def push(self, data: bytes, now: float) -> list[Command]:
        """Audio from the client, whole frames."""
        if self.recorder is not None:
            self.recorder.audio(data)
        before = self._intake.frames
        pcm = self._intake.push(data)
        self.received += self._intake.frames - before
        return self._pushed(pcm, now)

    def _pushed(self, pcm: bytes, now: float) -> list[Command]:
        return [self._keep(PushAudio(self.name, pcm, now), len(pcm) // 2)] if pcm else []

    def gap(self, ms: int, now: float) -> list[Command]:
        """Time passed without audio."""
        return self.gap_samples(ms * self.audio.rate // 1000, now)

    def gap_samples(self, count: int, now: float) -> list[Command]:
        """The same in samples at the client's rate."""
        self._note("gap", samples=count)
        commands = self._pushed(self._intake.finish(), now)
        self.received += count
        self._intake = TrackIntake(self.audio)
        samples = self.received * SAMPLE_RATE // self.audio.rate - self._made
        return [*commands, self._keep(SkipAudio(self.name, samples), samples)] if samples > 0 else commands

    def change(self, spec: TrackSpec) -> Command:
        """Other languages or another policy from here on."""
        self._note("change", spec=asdict(spec))
        self.configure(spec)
        return self._keep(ChangeTrack(self.name, spec), 0)

    def cut(self, kind: str, name: str) -> Command:
        """A flush or a mark."""
        self._note("cut", cut=kind, id=name)
        self._pending.add((kind, name))
        return self._keep(Cut(self.name, kind, name), 0)

    def finish(self, now: float) -> list[Command]:
        """The last samples; the caller ends the track."""
        self._note("finish")
        self.finishing = True
        return self._pushed(self._intake.finish(), now)

    def _keep(self, command: Command, samples: int) -> Command:
        self._made += samples
        self._kept.append((self._made, command))
        return command

    @property
    def border(self) -> int:
        """The sample that a new worker begins at."""
        return self._boundary[0]

    def rebuild(self) -> list[Command]:
        """What makes a new worker go on: the track from the last border of segments on, and the audio since."""
        base, segment = self._boundary
        self.processed = max(self.processed, base)
        self._drop_done()
        commands: list[Command] = [OpenTrack(self.name, self._base_spec, base, segment)]
        for stream in self.streams.values():
            stream.repeat, stream.transcript.line = stream.line[stream.before :], ""
        for end, command in self._kept:
            commands.append(_cut_off(command, end, base))
        self.processed = base
        return commands

    def kept_commands(self) -> list[Command]:
        """What is kept of the audio, and what was asked within it."""
        return [command for _, command in self._kept]

    # -- text -----------------------------------------------------------------------------------------------------

    def output(self, output: TrackOutput, now: float) -> None:
        """What a worker says of the audio."""
        self.processed = max(self.processed, output.processed)
        lag = p.LagParts(int(output.queue * 1000), int(output.compute * 1000))
        for event in output.events:
            self._take(event, lag)
        self._forget()

    def _take(self, event: Event, lag: p.LagParts) -> None:
        if isinstance(event, Skipped):
            self.lost += event.end - event.start
            self._put(p.AudioLost(to_ms(event.start), to_ms(event.end), event.reason))
        elif isinstance(event, (Settled, Tail, Retract, SegmentEnd)):
            self._text(event, lag)

    @property
    def _main(self) -> list[TextStream]:
        """The streams that a worker writes as it hears; the others follow."""
        source = self.spec.between or not self.spec.targets
        return [s for s in self.streams.values() if (s.name == p.SOURCE) == bool(source)]

    def _stream(self, event: Event) -> TextStream:
        if self.spec.between:
            return self.streams[event.stream if event.stream in self.spec.between else p.SOURCE]
        if self.spec.targets and event.language in self.streams:
            return self.streams[event.language]
        return self._leaving.get(event.language or "", self.streams[p.SOURCE])

    def _text(self, event: Settled | Tail | Retract | SegmentEnd, lag: p.LagParts) -> None:
        stream = self._stream(event)
        held = self.revises
        if event.language and stream.name == p.SOURCE:
            stream.language = event.language
        follows = stream.name in self._leaving or stream.name in self.spec.targets[:1]
        first = follows and not self.spec.between
        change = stream.transcript.push(event)
        stream.segment = event.segment
        if isinstance(event, Settled) and not held:
            self._settle(stream, change.added, event, lag)
        elif isinstance(event, SegmentEnd):
            self._close(stream, event, change.added, lag)
        if isinstance(event, (Tail, Retract)) or (held and isinstance(event, Settled)):
            text = (stream.transcript.line + stream.transcript.tail) if held else stream.transcript.tail
            self._show(stream, event.segment, text)
        if first and isinstance(event, Tail) and event.source is not None and self.want.source_text:
            self._show(self.streams[p.SOURCE], event.segment, event.source)
        if first and isinstance(event, SegmentEnd):
            self._close_source(event, lag)

    def _settle(self, stream: TextStream, text: str, event: Settled, lag: p.LagParts) -> None:
        if stream.repeat:
            text = after_repeat(stream, text)
        if not text:
            return
        starts = [word.start for word in event.words if word.start is not None]
        ends = [word.end for word in event.words if word.end is not None]
        t1 = to_ms(max(ends, default=event.heard))
        self._say(stream, event.segment, text, to_ms(min(starts, default=event.heard)), t1, event.words, lag)
        self._note_lag(event.heard, t1, lag)

    def _note_lag(self, heard: int, t1: int, lag: p.LagParts) -> None:
        self._lags.append(max(0, to_ms(heard) - t1) + lag.queue + lag.compute)

    def _say(
        self,
        stream: TextStream,
        segment: int,
        text: str,
        t0: int,
        t1: int,
        words: Iterable[TimedWord],
        lag: p.LagParts,
    ) -> None:
        stream.line += text if stream.line else text.lstrip()
        stream.words += len(text.split())
        stream.settled = max(stream.settled, t1)
        if stream.tail.startswith(text):
            stream.tail = stream.tail[len(text) :]
        else:
            stream.tail = ""
        told = tuple(wire_word(word) for word in words) if self.want.words else ()
        parts = replace(lag, policy=max(0, to_ms(self.processed) - t1))
        place = (stream.name, segment, text, stream.language, t0, t1)
        self._put(p.SettledText(*place, stream.tail if self.want.tail else "", told, parts))

    def _show(self, stream: TextStream, segment: int, text: str) -> None:
        if text == stream.tail:
            return
        stream.tail = text
        if self.want.tail:
            self._fresh.append(p.TailText(stream.name, segment, text, stream.language))

    def _close(self, stream: TextStream, event: SegmentEnd, added: str, lag: p.LagParts) -> None:
        if self.revises and event.text:
            text = event.text if not stream.segments else joined(stream, event.text)
            self._say(stream, event.segment, text, to_ms(event.start), to_ms(event.end), (), lag)
        self._end(stream, event, stream.line.strip() or stream.repeat.strip())

    def _close_source(self, event: SegmentEnd, lag: p.LagParts) -> None:
        """The source of a segment is settled when the segment is complete."""
        stream, text = self.streams[p.SOURCE], (event.source or "").strip()
        if text and self.want.source_text:
            said = joined(stream, text)
            self._say(
                stream, event.segment, said, to_ms(event.start), to_ms(event.end), event.source_words, lag
            )
            self._end(stream, event, text)

    def _end(self, stream: TextStream, event: SegmentEnd, text: str) -> None:
        self._show(stream, event.segment, "")
        stream.repeat = ""
        stream.settled = max(stream.settled, to_ms(event.end))
        stream.segment = event.segment + 1
        if stream in self._main:
            self._reached(event)
        stream.line, stream.before = "", 0
        if text:
            stream.segments.append(text)
            place = (stream.name, event.segment, text, stream.language, to_ms(event.start), to_ms(event.end))
            self._put(p.SegmentDone(*place, event.kind))

    def _reached(self, event: SegmentEnd) -> None:
        """A border of segments that a new worker could begin at, once every stream has passed it."""
        if all(stream.segment > event.segment for stream in self._main):
            self.set_border(event.end, event.segment + 1)

    def set_border(self, sample: int, segment: int) -> None:
        """A new worker begins here; of a segment that is cut, what was said before is not said again."""
        inside = segment == self._boundary[1]
        self._boundary = (sample, segment)
        for stream in self.streams.values():
            stream.before = len(stream.line) if inside and stream.segment == segment else stream.before
        self._note("border", sample=sample, segment=segment)

    def _note(self, kind: str, **fields: Any) -> None:
        if self.recorder is not None:
            self.recorder.line(kind, **fields)

    def said_before(self, message: p.ServerMessage) -> None:
        """A numbered message that a server before this one made: what it says stands."""
        self.seq = message.seq
        self._keep_message(message)
        if isinstance(message, p.SettledText):
            stream = self.streams[message.stream]
            stream.transcript.push(Settled(message.segment, message.text, (), 0, 0.0))
            stream.line += message.text if stream.line else message.text.lstrip()
            stream.words += len(message.text.split())
            stream.settled, stream.segment = max(stream.settled, message.t1), message.segment
        elif isinstance(message, p.SegmentDone):
            stream = self.streams[message.stream]
            stream.transcript.border()
            stream.segments.append(message.text)
            stream.line, stream.before, stream.segment = "", 0, message.segment + 1
        elif isinstance(message, (p.Flushed, p.Marked)):
            self._pending.discard(("flush" if isinstance(message, p.Flushed) else "mark", message.id))

    def _forget(self) -> None:
        """Drop audio before the last border of segments, or, of a segment that is too long, before what is settled."""
        place = min(stream.settled for stream in self._main) * SAMPLE_RATE // 1000
        if self._made - self._boundary[0] > KEPT_AUDIO and place > self._boundary[0]:
            self.set_border(place, self._boundary[1])
        self._drop_done()

    def _drop_done(self) -> None:
        """Drop commands that a new worker need not know of."""
        while self._kept and self._done(*self._kept[0]):
            _, command = self._kept.popleft()
            if isinstance(command, ChangeTrack):
                self._base_spec = command.spec

    def _done(self, end: int, command: Command) -> bool:
        """Whether a command has had its effect, and a new worker need not know of it."""
        if isinstance(command, Cut) and (command.kind, command.id) in self._pending:
            return False
        return end <= self._boundary[0] and end <= self.processed

    # -- messages -------------------------------------------------------------------------------------------------

    def reached(self, kind: str, name: str, at: int) -> None:
        """A flush or a mark was reached."""
        if (kind, name) in self._pending:
            self._pending.discard((kind, name))
            self._put((p.Flushed if kind == "flush" else p.Marked)(name, to_ms(at)))

    def tell(self, message: p.ServerMessage) -> None:
        """Say something to the client; numbered messages are kept until they are acknowledged."""
        if message.numbered:
            self._put(message)
        else:
            self._fresh.append(message)

    def _put(self, message: p.ServerMessage) -> None:
        self.seq += 1
        message = replace(message, seq=self.seq)
        self._keep_message(message)
        self._fresh.append(message)
        if self.recorder is not None:
            self.recorder.message(message)

    def _keep_message(self, message: p.ServerMessage) -> None:
        size = size_of(message)
        self._log.append((message, size))
        self._log_bytes += size
        while len(self._log) > KEPT_MESSAGES or self._log_bytes > KEPT_BYTES:
            self._log_bytes -= self._log.popleft()[1]

    def take(self) -> list[p.ServerMessage]:
        """New messages in order; those without a number of their own repeat the last one."""
        fresh, self._fresh = self._fresh, []
        last, told = self.seq - sum(m.numbered for m in fresh), []
        for message in fresh:
            last = message.seq if message.numbered else last
            told.append(message if message.numbered else replace(message, seq=last))
        return told

    def acknowledge(self, seq: int) -> None:
        """The client has applied all up to `seq`."""
        while self._log and self._log[0][0].seq <= seq:
            self._log_bytes -= self._log.popleft()[1]

    def after(self, seq: int) -> list[p.ServerMessage]:
        """All numbered messages after `seq`, or a snapshot where they are not kept any more; then the tails."""
        first = self._log[0][0].seq if self._log else self.seq + 1
        told: list[p.ServerMessage] = [m for m, _ in self._log if m.seq > seq]
        if seq + 1 < first:
            told = [p.Snapshot(tuple(s.state() for s in self.streams.values()), seq=self.seq)]
        tails = [p.TailText(s.name, s.segment, s.tail, s.language) for s in self.streams.values() if s.tail]
        return [*told, *(replace(tail, seq=self.seq) for tail in tails if self.want.tail)]

    def progress(self) -> p.SessionProgress:
        """Where the session stands."""
        settled = {stream.name: stream.settled for stream in self.streams.values()}
        waiting = int(self.waiting * 1000)
        return p.SessionProgress(to_ms(self._made), to_ms(self.processed), settled, waiting)

    def end(self) -> None:
        """Everything is settled: the totals."""
        self.over = True
        lags = sorted(self._lags) or [0]
        words = sum(stream.words for stream in self.streams.values())
        lost = self.lost * self.audio.rate // SAMPLE_RATE
        middle, late = lags[len(lags) // 2], lags[min(len(lags) - 1, len(lags) * 95 // 100)]
        self._put(p.SessionEnd(to_ms(self._made), words, self.seq + 1, lost, middle, late))

    def lags(self) -> Iterator[int]:
        """Milliseconds from the end of what was said until its text was settled, since the last call."""
        while self._told_lags < len(self._lags):
            self._told_lags += 1
            yield self._lags[self._told_lags - 1]


def _cut_off(command: Command, end: int, base: int) -> Command:
    """The command without the samples before `base`; `end` is where it ends."""
    if isinstance(command, PushAudio):
        samples = len(command.pcm) // 2
        if end - samples < base:
            return replace(command, pcm=command.pcm[2 * (base - (end - samples)) :])
    if isinstance(command, SkipAudio) and end - command.samples < base:
        return replace(command, samples=end - base)
    return command
