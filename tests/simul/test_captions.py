"""Subtitles: every rule of readability, for any text and timing."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simul.captions import Cue, CueMaker, CueRules, srt, timestamp, vtt
from simul.session.events import Retract, SegmentEnd, Settled

SECOND = 16_000


def segment(number, start, end, words, spans=None, source=None, space=" "):
    """A segment whose words settle one by one; spans are (start, end) seconds of each word."""
    events = []
    for i, word in enumerate(words):
        token = (space if i else "") + word
        span = None if spans is None else ((round(spans[i][0] * SECOND), round(spans[i][1] * SECOND)),)
        events.append(Settled(number, token, (token,), round(end * SECOND), end, spans=span))
    text = space.join(words)
    where = (number, round(start * SECOND), round(end * SECOND), text, "pause", round(end * SECOND), end)
    return [*events, SegmentEnd(*where, source=source)]


def cues_of(events, language="de", source_language=None):
    maker = CueMaker(language, source_language)
    return [cue for event in events for cue in maker.push(event)] + maker.finish()


def test_a_cue_stands_where_its_words_were_spoken():
    spans = [(1.0, 1.4), (1.4, 2.0), (2.2, 2.9)]
    (cue,) = cues_of(segment(0, 0.5, 4.0, ["Guten", "Morgen", "alle."], spans))
    assert cue == Cue(1.0, 2.9, ("Guten Morgen alle.",))


def test_words_without_times_are_spread_over_the_segment_by_length():
    cues = cues_of(segment(0, 10.0, 24.0, ["wort"] * 28))
    assert len(cues) == 2
    assert cues[0].start == 10.0
    assert cues[1].start == pytest.approx(17.0, abs=0.6)


def test_breaks_fall_at_sentences_and_clauses():
    text = (
        "Wir fahren morgen sehr früh mit dem Zug los. Danach, so sagt sie, sehen wir weiter und gehen heim."
    )
    cues = cues_of(segment(0, 0, 9, text.split()))
    assert [cue.lines for cue in cues] == [
        ("Wir fahren morgen sehr", "früh mit dem Zug los."),
        ("Danach, so sagt sie,", "sehen wir weiter und gehen heim."),
    ]


def test_a_short_cue_stays_a_second_and_gives_way_to_the_next():
    events = segment(0, 0, 1, ["Ja."], [(0.1, 0.3)]) + segment(1, 1, 3, ["Gut."], [(0.9, 1.2)])
    first, second = cues_of(events)
    assert (first.start, first.end) == (0.1, 1.1)
    assert (second.start, second.end) == (1.1, 2.1)


def test_what_is_taken_back_is_not_shown():
    events = segment(0, 0, 2, ["Eins", "zwei", "drei"])
    events.insert(3, Retract(0, len(" zwei drei"), 2, 16_000, 1.0))
    events.insert(4, Settled(0, " vier", (" vier",), 16_000, 1.0))
    assert [cue.lines for cue in cues_of(events)] == [("Eins vier",)]


def test_japanese_breaks_between_characters_but_not_before_punctuation():
    text = "今日はとても良い天気なので、公園まで歩いて行きました。それから友達に会いました。"
    events = [
        Settled(0, text, (text,), SECOND, 1.0),
        SegmentEnd(0, 0, 10 * SECOND, text, "pause", SECOND, 1.0),
    ]
    cues = cues_of(events, "ja")
    assert "".join(line for cue in cues for line in cue.lines) == text
    assert all(len(line) <= 16 for cue in cues for line in cue.lines)
    assert not any(line[0] in "、。" for cue in cues for line in cue.lines)


def test_bilingual_cues_share_the_source_out():
    target = ("wort " * 40).split()
    source = " ".join(f"w{i}" for i in range(50))
    cues = cues_of(segment(0, 0, 20, target, source=source), source_language="en")
    assert " ".join(line for cue in cues for line in cue.source) == source
    assert all(len(cue.source) <= 2 and max(map(len, cue.source)) <= 42 for cue in cues)


WORD = st.text("abcdefghijklmnopäöü.,!?", min_size=1, max_size=14)


@st.composite
def streams(draw):
    """Segments one after the other with words and, for some, times."""
    events, texts, begin = [], [], 0.0
    for number in range(draw(st.integers(1, 4))):
        words = draw(st.lists(WORD, min_size=1, max_size=30))
        length = draw(st.floats(0.2, 25))
        spans = None
        if draw(st.booleans()):
            starts = np.sort(draw(st.lists(st.floats(0, length), min_size=len(words), max_size=len(words))))
            spans = [(begin + s, begin + min(length, s + 0.4)) for s in starts]
        source = " ".join(draw(st.lists(WORD, max_size=40))) or None
        events += segment(number, begin, begin + length, words, spans, source)
        texts += words
        begin += length + draw(st.floats(0, 3))
    return events, texts


@given(streams(), st.booleans())
def test_every_rule_holds_for_any_text(stream, bilingual):
    events, words = stream
    cues = cues_of(events, "de", "en" if bilingual else None)
    rules = CueRules()
    assert " ".join(line for cue in cues for line in cue.lines).split() == words
    last = 0.0
    for cue in cues:
        length, characters = cue.end - cue.start, sum(map(len, cue.lines))
        assert cue.start >= last - 1e-9, "two cues at once"
        assert rules.shortest - 1e-9 <= length <= rules.longest + 1e-9
        assert characters / length <= rules.speed + 1e-6
        assert len(cue.lines) <= 2
        assert all(0 < len(line) <= rules.width for line in cue.lines)
        last = cue.end


def test_a_word_longer_than_a_line_is_cut():
    (cue,) = cues_of(segment(0, 0, 5, ["x" * 60]))
    assert cue.lines == ("x" * 42, "x" * 18)


def test_formats():
    cue = Cue(3725.5, 3727.0, ("a < b & c", "zwei"), ("quelle",))
    assert srt(cue, 7) == "7\n01:02:05,500 --> 01:02:07,000\na < b & c\nzwei\n<i>quelle</i>\n\n"
    assert vtt(cue) == "01:02:05.500 --> 01:02:07.000\na &lt; b &amp; c\nzwei\n<i>quelle</i>\n\n"


@given(st.floats(0, 359_999))
def test_timestamps_are_milliseconds(seconds):
    match = re.fullmatch(r"(\d{2,}):([0-5]\d):([0-5]\d),(\d{3})", timestamp(seconds, True))
    hours, minutes, whole, ms = map(int, match.groups())
    assert abs((hours * 60 + minutes) * 60 + whole + ms / 1000 - seconds) <= 0.0005001
