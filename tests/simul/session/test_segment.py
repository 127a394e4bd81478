"""The text of a segment: what settles, what is forgotten from its beginning, and what is left of it when text goes."""

from __future__ import annotations

import json

import pytest

from simul.session.segment import SegmentText


def test_what_was_forgotten_stands_when_later_text_is_taken_back() -> None:
    text = SegmentText(first=True)
    assert text.push([" a", " b", " c", " d"]) == "a b c d"
    text.forget([" a"])
    text.forget([" b"])
    assert text.gone_tokens == [" a", " b"]
    assert text.rebuild([" c"]) == 2
    assert text.text == "a b c"
    assert text.push([" e"]) == " e"
    assert text.rebuild([]) == 4
    assert text.text == "a b"


@pytest.mark.parametrize(
    ("first", "token", "stands"),
    [(True, " a", "a"), (False, " a", " a"), (True, " \na", "\na"), (True, " Xa", "Xa")],
)
def test_only_the_blank_at_the_beginning_of_the_stream_goes(first: bool, token: str, stands: str) -> None:
    text = SegmentText(first)
    assert text.preview([token]) == stands
    assert text.push([token, " b"]) == stands + " b"
    assert text.rebuild([token]) == 2
    assert text.text == stands


def test_a_segment_goes_on_from_its_dump_inside_a_character() -> None:
    text = SegmentText(first=True)
    text.push([" a", "\udcf0\udc9f"])
    text.changed_tail(" b", "one")
    other = SegmentText.load(json.loads(json.dumps(text.dump())))
    assert not other.changed_tail(" b", "one")
    assert other.changed_tail(" b", "two")
    assert other.push(["\udc98\udc80"]) == text.push(["\udc98\udc80"]) != ""
    assert other.text == text.text
