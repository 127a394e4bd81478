"""Segments as SimulEval's remote evaluation sends them over HTTP: JSON objects, read strictly and written plainly.

Protocol (SimulEval 1.1): an agent listens; the evaluator sends POST /reset, then in turn PUT /input with a segment and
GET /output for what the agent writes, until an output is `finished`. There is one agent and no session.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simul.errors import SimulError

ADDRESS, PORT = "localhost", 12321
"""SimulEval's own defaults."""


class SegmentError(SimulError):
    """What came is no segment of SimulEval's, or not one of the kind that was expected."""


@dataclass(frozen=True)
class SourceSegment:
    """Samples of speech at `rate`; `finished`: the last ones of the recording. target: language wanted of it."""

    samples: Sequence[float] = ()
    rate: int = 0
    finished: bool = False
    target: str | None = None

    def to_json(self, index: float = 0.0) -> str:
        """As SimulEval reads it; index: ms of the recording up to here."""
        if not len(self.samples):
            return _segment(None, [], index, self.finished, is_empty=True)
        samples = list(map(float, self.samples))
        return _segment("speech", samples, index, self.finished, sample_rate=self.rate, tgt_lang=self.target)

    @classmethod
    def from_json(cls, text: str | bytes) -> SourceSegment:
        """What an evaluator sent.

        Raises:
            SegmentError: it is not a segment of speech.
        """
        found = _object(text)
        finished = found.get("finished") is True
        if found.get("is_empty") is True or found.get("data_type") is None:
            return cls(finished=finished)
        if found["data_type"] != "speech":
            raise SegmentError(
                f"The segment's data_type is {found['data_type']!r}; this agent hears speech (--source-type speech)."
            )
        content, rate, target = found.get("content"), found.get("sample_rate"), found.get("tgt_lang")
        if not isinstance(content, list) or not all(type(value) in (int, float) for value in content):
            raise SegmentError("The segment's content is not a list of numbers, one for each sample.")
        if type(rate) is not int:
            raise SegmentError(f"The segment's sample_rate is {rate!r}; give samples a second as an integer.")
        if target is not None and not isinstance(target, str):
            raise SegmentError(f"The segment's tgt_lang is {target!r}; give a language code, or null.")
        return cls(content, rate, finished, target)


@dataclass(frozen=True)
class TargetSegment:
    """Text to append, perhaps none; `finished`: nothing of the recording will follow."""

    text: str = ""
    finished: bool = False

    def to_json(self) -> str:
        """As SimulEval reads it."""
        if not self.text:
            return _segment(None, [], 0, self.finished, is_empty=True)
        return _segment("text", self.text, 0, self.finished)

    @classmethod
    def from_json(cls, text: str | bytes) -> TargetSegment:
        """What an agent answered.

        Raises:
            SegmentError: it is not a segment of text.
        """
        found = _object(text)
        finished = found.get("finished") is True
        if found.get("is_empty") is True or found.get("data_type") is None:
            return cls(finished=finished)
        content = found.get("content")
        if found["data_type"] != "text" or not isinstance(content, str):
            raise SegmentError(
                f"The agent answers with a segment of {found['data_type']!r}; only agents that write text "
                "are evaluated."
            )
        return cls(content, finished)


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise SegmentError(f"What came is not JSON: {error}.") from error
    except RecursionError as error:
        raise SegmentError("What came is JSON, but nested too deeply.") from error
    if not isinstance(found, dict):
        raise SegmentError("What came is JSON, but not an object with the fields of a segment.")
    return found


def _segment(kind: str | None, content: Any, index: float, finished: bool, **fields: Any) -> str:
    """Every field that SimulEval's own segments have."""
    whole = {"index": index, "content": content, "finished": finished, "is_empty": False}
    return json.dumps({**whole, "data_type": kind, "tgt_lang": None, "config": {}, **fields})
