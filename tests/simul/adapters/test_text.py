"""What the adapters make of settled text: words that are over, pieces that a log deletes and adds, triples."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import LocalAgreement, make_policy
from simul.adapters.append_only import WordWriter
from simul.adapters.pieces import Pieces, text_of
from simul.adapters.streaming import NOTHING, OnlineProcessor
from simul.clock import VirtualClock
from simul.errors import SimulError, UsageError
from simul.evaluation.records import StreamRecord
from simul.session import Session, SessionConfig
from simul.session.events import Retract, SegmentEnd, Settled, Tail
from tests.simul.adapters.marked.backend import SECONDS, MarkedBackend
from tests.simul.scripted_cli import TEXT, scripted_backend

letters = st.text(alphabet="ab ü", max_size=5)


def settled(text, segment=0, heard=8000):
    return Settled(segment, text, (text,), heard, heard / 16_000)


def segment_end(segment=0):
    return SegmentEnd(segment, 0, 8000, "", "pause", 8000, 0.5)


@st.composite
def streams(draw):
    """Steps of events as a session puts them out, and retractions that its text can bear."""
    length, segment, steps = 0, 0, []
    for _ in range(draw(st.integers(1, 6))):
        events = []
        for _ in range(draw(st.integers(0, 4))):
            kind = draw(st.sampled_from(["settled", "settled", "retract", "segment"]))
            if kind == "settled":
                text = draw(letters)
                events.append(settled(text, segment))
                length += len(text)
            elif kind == "retract" and length:
                count = draw(st.integers(1, length))
                events.append(Retract(segment, count, 1, 8000, 0.5))
                length -= count
            elif kind == "segment":
                events.append(segment_end(segment))
                segment, length = segment + 1, 0
        steps.append(events)
    return steps


@given(streams())
def test_pieces_deleted_and_added_give_the_settled_text(steps):
    pieces, record, kept = Pieces("de"), StreamRecord("de"), []
    for events in steps:
        added, deleted = pieces.take(events)
        assert kept[len(kept) - len(deleted) :] == deleted
        kept = kept[: len(kept) - len(deleted)] + added
        for event in events:
            record.event(event)
        assert text_of(kept).split() == record.text.split()
        assert not any(" " in piece for piece in kept)


def test_a_piece_that_is_taken_back_in_part_is_deleted_whole_and_its_rest_added():
    pieces = Pieces("de")
    assert pieces.take([settled("Die Straße")]) == (["Die", "▁Straße"], [])
    assert pieces.take([Retract(0, 1, 1, 8000, 0.5), settled("en")]) == (["▁Straß", "en"], ["▁Straße"])
    assert pieces.take([Retract(0, 6, 2, 8000, 0.5)]) == (["▁S"], ["▁Straß", "en"])


@given(st.lists(st.lists(letters, max_size=3), max_size=6), st.booleans())
def test_words_written_one_after_the_other_are_the_settled_text(steps, ends):
    """Every settled word once, whatever was settled together, as long as the tail says where words go on."""
    whole = ["".join(texts) for texts in steps]
    writer, record, words = WordWriter("de"), StreamRecord("de"), []
    for number, texts in enumerate(steps):
        events = [settled(text) for text in texts]
        if ends and number % 3 == 2:
            events.append(segment_end())
        rest = "".join(whole[number + 1 :])
        events.append(Tail(0, "" if ends and number % 3 == 2 else rest, 8000, 0.5))
        for event in events:
            record.event(event)
        words += writer.take(events, final=number == len(steps) - 1).split()
    assert words == record.text.split()
    assert writer.lengthened == 0


def test_the_last_word_waits_while_the_tail_goes_on_inside_it():
    writer = WordWriter("de")
    assert writer.take([settled("Die Straß"), Tail(0, "enbahn hält", 8000, 0.5)]) == "Die"
    assert writer.take([settled("en"), Tail(0, "bahn hält", 8000, 0.5)]) == ""
    assert writer.take([settled("bahn"), Tail(0, " hält", 8000, 0.5)]) == "Straßenbahn"
    assert writer.take([settled(" hält"), Tail(0, "", 8000, 0.5)]) == "hält"
    assert writer.lengthened == 0
    assert writer.take([settled(", ja"), segment_end(), settled("Ende", 1)]) == ", ja Ende"
    assert writer.lengthened == 1


def test_characters_are_written_as_they_settle():
    writer = WordWriter("zh", words=False)
    assert writer.take([settled("今天"), Tail(0, "天气", 8000, 0.5)]) == "今天"
    assert writer.take([segment_end(), settled("好", 1)]) == "好"


def online(policy=None, **options):
    return OnlineProcessor(
        Session(policy or LocalAgreement(), scripted_backend(), VirtualClock(), SessionConfig(**options))
    )


@given(st.lists(st.integers(0, 40_000), min_size=1, max_size=6))
def test_triples_hold_the_text_and_the_seconds_it_rests_on(cuts):
    """However the audio is cut, appended texts are the session's text and begin before they end."""
    one = online()
    one.init(offset=10.0)
    edges = sorted({0, 96_000, *(min(cut * 3, 96_000) for cut in cuts)})
    outputs = []
    for begin, end in itertools.pairwise(edges):
        one.insert_audio_chunk(np.zeros(end - begin, np.float32))
        outputs.append(one.process_iter())
    outputs.append(one.finish())
    assert "".join(output.text for output in outputs) == TEXT
    said = [output for output in outputs if output != NOTHING]
    assert all(10.0 <= output.begin < output.end <= 16.0 for output in said)
    assert [output.end for output in said] == sorted(output.end for output in said)
    assert all(output == (None, None, "") for output in outputs if not output.text)


def test_a_second_stream_is_like_the_first():
    one = online()
    rounds = []
    for _ in range(2):
        outputs = []
        for _ in range(12):
            one.insert_audio_chunk([0.0] * 8000)
            outputs.append(one.process_iter())
        rounds.append([*outputs, one.finish(), one.finish()])
        one.insert_audio_chunk(np.zeros(8))
        with pytest.raises(SimulError, match="reset"):
            one.process_iter()
        one.init()
    assert rounds[0] == rounds[1]
    assert rounds[0][-1] == NOTHING


def test_without_source_times_text_rests_on_what_was_heard_since():
    from dataclasses import replace

    backend = scripted_backend()
    backend.segments = tuple(
        replace(s, passes=tuple(replace(p, candidate=replace(p.candidate, spans=None)) for p in s.passes))
        for s in backend.segments
    )
    one = OnlineProcessor(Session(LocalAgreement(), backend, VirtualClock(), SessionConfig()))
    ends = [0.0]
    for _ in range(12):
        one.insert_audio_chunk(np.zeros(8000, np.float32))
        output = one.process_iter()
        if output.text:
            assert output.begin == ends[-1]
            ends.append(output.end)
    assert len(ends) > 4


def test_segments_are_parted_by_a_space():
    one = OnlineProcessor(Session(LocalAgreement(), MarkedBackend(), VirtualClock(), SessionConfig()))
    samples = np.zeros(int(SECONDS[3] * 16_000), np.float32)
    samples[0] = 3 / 1024
    one.insert_audio_chunk(samples)
    assert one.process_iter().text + one.finish().text == "Guten Tag. Wie geht es Ihnen?"


def test_what_cannot_be_said_is_refused():
    with pytest.raises(UsageError, match="takes text back"):
        online(make_policy("sliding-window"))
    with pytest.raises(UsageError, match=r"shape \(8, 2\) and type int16"):
        online().insert_audio_chunk(np.zeros((8, 2), np.int16))
