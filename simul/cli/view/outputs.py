"""Where the events of a stream go: text, JSON lines, subtitles."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol, TextIO

from simul.captions import VTT_HEADER, CueMaker, srt, vtt
from simul.files import json_line
from simul.session.drive import Step
from simul.session.transcript import Transcript


class Output(Protocol):
    """Takes the steps of one stream."""

    def step(self, step: Step) -> None:
        """Take in one step."""

    def close(self) -> None:
        """The stream is over or broke off; what was settled is put out."""


class TextOutput:
    """Settled text the moment it settles, one line per segment.

    With a policy that takes text back, a segment's text waits until the segment is complete.
    """

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


@contextlib.contextmanager
def closing_all(outputs: list[Output]) -> Iterator[None]:
    """Close every output at the end, whatever happened; the first problem in closing is raised."""
    with contextlib.ExitStack() as stack:
        for output in reversed(outputs):
            stack.callback(output.close)
        yield
