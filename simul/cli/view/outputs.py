"""Where the events of a stream go: text, JSON lines, subtitles."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TextIO

from simul.captions import VTT_HEADER, CueMaker, srt, vtt
from simul.errors import OutputError
from simul.files import json_line
from simul.session.drive import Step
from simul.session.transcript import Transcript


class Output(Protocol):
    """Takes the steps of one stream. keeps: whether a result comes of it, not only something to watch."""

    keeps: bool

    def step(self, step: Step) -> None:
        """Take in one step."""

    def close(self) -> None:
        """The stream is over or broke off; what was settled is put out."""


class TextOutput:
    """Settled text the moment it settles, one line per segment.

    With a policy that takes text back, a segment's text waits until the segment is complete.
    """

    keeps = True

    def __init__(self, stream: TextIO, revises: bool = False) -> None:
        self._stream, self._revises = stream, revises
        self._transcript = Transcript()

    def step(self, step: Step) -> None:
        """Write what settled."""
        for event in step.events:
            line = self._transcript.line
            if self._transcript.push(event).closed:
                self._end_line(line)
            elif not self._revises:
                self._put(self._transcript.line[len(line) :])

    def close(self) -> None:
        """End an open line."""
        self._end_line(self._transcript.line)

    def _end_line(self, line: str) -> None:
        if line:
            self._put(line + "\n" if self._revises else "\n")

    def _put(self, text: str) -> None:
        if text:
            self._stream.write(text)
            self._stream.flush()


class JsonOutput:
    """One event a line. `extra` is added to each, such as the file's name where there are several."""

    keeps = True

    def __init__(self, stream: TextIO, extra: dict[str, Any] | None = None) -> None:
        self._stream, self._extra = stream, extra or {}

    def step(self, step: Step) -> None:
        """Write the events."""
        for event in step.events:
            self._stream.write(json_line({**event.to_dict(), **self._extra}))
        self._stream.flush()

    def close(self) -> None:
        """Nothing is held back."""


class CueOutput:
    """SubRip or WebVTT; a cue is written when the segment after it is complete."""

    keeps = True

    def __init__(self, stream: TextIO, kind: str, target: str, source: str | None = None) -> None:
        self._stream, self._kind = stream, kind
        self._maker = CueMaker(target, source)
        self._number = 0
        if kind == "vtt":
            stream.write(VTT_HEADER)

    def step(self, step: Step) -> None:
        """Write the cues that became complete."""
        for event in step.events:
            for cue in self._maker.push(event):
                self._write(cue)

    def close(self) -> None:
        """Write the last cue."""
        for cue in self._maker.finish():
            self._write(cue)
        self._stream.flush()

    def _write(self, cue: Any) -> None:
        self._number += 1
        self._stream.write(vtt(cue) if self._kind == "vtt" else srt(cue, self._number))
        self._stream.flush()


class Outputs:
    """Several outputs, of which one that can no longer be written is left out while the others go on.

    lost: told, once each, why an output is left out.
    """

    def __init__(self, outputs: Sequence[Output], lost: Callable[[OutputError], None]) -> None:
        self._open, self._lost = list(outputs), lost

    def step(self, step: Step) -> None:
        """Hand the step to every output.

        Raises:
            OutputError, BrokenPipeError: the last output that keeps a result cannot be written any more.
        """
        for output in list(self._open):
            try:
                with _written():
                    output.step(step)
            except (OutputError, BrokenPipeError) as error:
                self._open.remove(output)
                if not any(other.keeps for other in self._open):
                    raise
                # Who reads a pipe may stop when it likes.
                if isinstance(error, OutputError):
                    self._lost(error)

    @contextlib.contextmanager
    def closing(self) -> Iterator[None]:
        """Close every output at the end, whatever happened; the first other problem in closing is raised."""
        with contextlib.ExitStack() as stack:
            for output in reversed(self._open):
                stack.callback(self._close, output)
            yield

    def _close(self, output: Output) -> None:
        if output not in self._open:
            return
        try:
            with _written():
                output.close()
        except OutputError as error:
            self._lost(error)
        except BrokenPipeError:
            if not any(other.keeps for other in self._open if other is not output):
                raise


@contextlib.contextmanager
def _written() -> Iterator[None]:
    """A terminal that went away is an output that cannot be written; a pipe that nobody reads stays what it is."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"The terminal cannot be written: {error.strerror or error}.") from error
