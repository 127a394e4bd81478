"""Outputs of a run that writes several languages: each sees the events of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TextIO

from simul.cli.view.outputs import CueOutput, JsonOutput, Output, TextOutput
from simul.session.drive import Step


def only(step: Step, language: str) -> Step:
    """The step with the events of one language's stream."""
    return replace(step, events=[event for event in step.events if event.stream == language])


class OneLanguage:
    """Hands an output the events of one language."""

    def __init__(self, output: Output, language: str) -> None:
        self._output, self._language = output, language
        self.keeps = output.keeps

    def step(self, step: Step) -> None:
        """Take in what is of the language."""
        self._output.step(only(step, self._language))

    def close(self) -> None:
        """The stream is over."""
        self._output.close()


class LabelledText:
    """Segments of several languages in one text: a line for each when it is complete, its language before it."""

    keeps = True

    def __init__(self, stream: TextIO, languages: Sequence[str]) -> None:
        self._outputs = [
            OneLanguage(TextOutput(_Labelled(stream, code), revises=True), code)  # type: ignore[arg-type]
            for code in languages
        ]

    def step(self, step: Step) -> None:
        """Write what is complete."""
        for output in self._outputs:
            output.step(step)

    def close(self) -> None:
        """Write what was not complete yet."""
        for output in self._outputs:
            output.close()


class _Labelled:
    """A text stream that writes each line behind its language."""

    def __init__(self, stream: TextIO, language: str) -> None:
        self._stream, self._language = stream, language

    def write(self, text: str) -> int:
        return self._stream.write(f"{self._language}\t{text.strip()}\n")

    def flush(self) -> None:
        self._stream.flush()


def language_output(kind: str, stream: TextIO, language: str, source: str | None, revises: bool) -> Output:
    """The output of one language into a file of its own; `source` is written below subtitles."""
    if kind == "json":
        return OneLanguage(JsonOutput(stream), language)
    if kind in ("srt", "vtt"):
        return OneLanguage(CueOutput(stream, kind, language, source), language)
    return OneLanguage(TextOutput(stream, revises), language)
