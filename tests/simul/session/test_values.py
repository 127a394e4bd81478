"""Views as plain JSON values: back comes what went in, and what says nothing is not written."""

from __future__ import annotations

import json

import pytest

from policies.base import Activity, SourceView, Word
from simul.session.values import view_from_json, view_to_json

BARE = {"heard": 8000, "new": 500, "segment_start": 0, "segment_final": False, "finished": False, "units": {}}
FULL = SourceView(
    8000,
    500,
    segment_start=100,
    segment_final=True,
    finished=True,
    units={"word": 2},
    activity=Activity(silence=300, speech_ratio=0.25),
    words=(Word("one", 10, 20, 0.5), Word("two", 30, 45)),
    speech=False,
    closed_by="pause",
)


@pytest.mark.parametrize("view", [FULL, SourceView(8000, 500), SourceView(1, 1, speech=False)])
def test_back_comes_what_went_in(view: SourceView) -> None:
    assert view_from_json(json.loads(json.dumps(view_to_json(view)))) == view


def test_what_says_nothing_is_not_written() -> None:
    assert view_to_json(SourceView(8000, 500)) == {**BARE, "activity": None}
    assert view_to_json(FULL) == {
        "heard": 8000,
        "new": 500,
        "segment_start": 100,
        "segment_final": True,
        "finished": True,
        "units": {"word": 2},
        "activity": {"silence": 300, "speech_ratio": 0.25},
        "words": [
            {"text": "one", "start_sample": 10, "end_sample": 20, "confidence": 0.5},
            {"text": "two", "start_sample": 30, "end_sample": 45, "confidence": None},
        ],
        "speech": False,
        "closed_by": "pause",
    }
