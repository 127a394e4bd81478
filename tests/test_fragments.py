"""The measure of fragments, on events written by hand."""

from __future__ import annotations

from benchmarks.fragments import counted, measure, settled_pieces, subtitles
from simul.session.events import End, Event, SegmentEnd, Settled, Start
from simul.units import SAMPLE_RATE


def settled(segment: int, text: str, start: float, end: float) -> Settled:
    spans = ((round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)),)
    heard = spans[0][1]
    return Settled(segment, text, (text,), heard, end, spans=spans, language="de")


def closed(segment: int, start: float, end: float, text: str) -> SegmentEnd:
    places = (round(start * SAMPLE_RATE), round(end * SAMPLE_RATE))
    return SegmentEnd(segment, *places, text, "pause", places[1], end, language="de")


def stream(*events: Event) -> list[Event]:
    start = Start("en", "de", "local-agreement", "scripted", sample_rate=SAMPLE_RATE, chunk=8000)
    return [start, *events]


WORDS = stream(
    settled(0, "Der", 0.0, 0.3),
    settled(0, " Zug fährt", 0.3, 1.0),
    settled(0, " um halb neun ab.", 1.0, 2.0),
    closed(0, 0.0, 2.0, "Der Zug fährt um halb neun ab."),
    settled(1, " Danke.", 5.0, 5.4),
    closed(1, 5.0, 5.4, "Danke."),
    settled(2, " Bitte vergessen Sie", 9.0, 9.8),
    settled(2, " Ihren Pass nicht.", 9.8, 11.0),
    closed(2, 9.0, 11.0, "Bitte vergessen Sie Ihren Pass nicht."),
    End(12 * SAMPLE_RATE, 0, 3, 6, 9, 0, time=12.0),
)


def test_what_a_speaker_stops_behind_is_no_fragment() -> None:
    assert settled_pieces(WORDS) == ["Der", " Zug fährt", " Bitte vergessen Sie"]
    assert counted(settled_pieces(WORDS)) == {"pieces": 3, "few": 2, "percent": 66.7}


def test_subtitles_of_the_same_events_hold_no_fragment() -> None:
    inner, count = subtitles(WORDS, "de")
    assert count == 3
    assert inner == []
    assert measure([WORDS]) == {
        "de": {
            "settled": {"pieces": 3, "few": 2, "percent": 66.7},
            "subtitles": {"pieces": 0, "few": 0, "percent": 0.0, "all": 3},
        }
    }


def test_a_long_sentence_that_settles_word_by_word_is_cut_into_phrases() -> None:
    words = "Wir gehen heute mit den Kindern in den Park, weil es endlich nicht mehr regnet und die Sonne scheint."
    each = words.split()
    events = stream(
        *(settled(0, " " * bool(n) + word, 0.3 * n, 0.3 * n + 0.3) for n, word in enumerate(each)),
        closed(0, 0.0, 0.3 * len(each), words),
        End(10 * SAMPLE_RATE, 0, 1, len(each), 20, 0, time=10.0),
    )
    inner, count = subtitles(events, "de")
    assert count == len(inner) + 1 == 2
    assert counted(inner)["few"] == 0
    assert counted(settled_pieces(events))["percent"] == 100.0
