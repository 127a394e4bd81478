"""The books of a session: what is kept is bounded, and what is settled anew is not said twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from server import protocol as p
from server.live import KEPT_AUDIO, KEPT_BYTES, KEPT_MESSAGES, LiveSession
from server.workers.messages import OpenTrack, PushAudio, TrackOutput, TrackSpec
from simul.session.events import Event, SegmentEnd, Settled

SECOND = bytes(32_000)


def session(targets: tuple[str, ...] = ()) -> LiveSession:
    return LiveSession("s", TrackSpec("en", targets), p.AudioFormat(), 0.0)


def settled(text: str, heard: int, segment: int = 0, language: str = "en") -> Settled:
    return Settled(segment, text, (), heard, 0.0, language=language)


def ended(segment: int, start: int, end: int, text: str) -> SegmentEnd:
    return SegmentEnd(segment, start, end, text, "pause", end, 0.0, language="en")


def say(live: LiveSession, *events: Event, processed: int = 0) -> Sequence[p.ServerMessage]:
    live.output(TrackOutput("s", events, processed), 0.0)
    return live.take()


def texts(messages: Sequence[p.ServerMessage]) -> list[str]:
    return [m.text for m in messages if isinstance(m, p.SettledText)]


def kept(live: LiveSession) -> int:
    """Samples that a new worker would be given."""
    return sum(len(c.pcm) // 2 for c in live.rebuild() if isinstance(c, PushAudio))


def test_audio_is_kept_from_the_last_border_of_segments_on() -> None:
    live = session()
    for _ in range(10):
        live.push(SECOND, 0.0)
    assert kept(live) == 160_000
    say(live, settled("a b", 64_000), ended(0, 0, 60_000, "a b"), processed=64_000)
    open_, *_ = live.rebuild()
    assert isinstance(open_, OpenTrack)
    assert (open_.base, open_.segment) == (60_000, 1)
    assert kept(live) == 100_000


def test_of_a_segment_without_end_a_minute_is_kept() -> None:
    live = session()
    for second in range(1, 301):
        live.push(SECOND, 0.0)
        say(live, settled(f" w{second}", second * 16_000), processed=second * 16_000)
    assert kept(live) <= KEPT_AUDIO + 32_000
    open_ = live.rebuild()[0]
    assert isinstance(open_, OpenTrack)
    assert open_.base >= 239 * 16_000


def test_numbered_messages_are_kept_up_to_a_bound_and_then_a_snapshot_stands_for_them() -> None:
    live = session()
    live.want = p.Want(words=False)
    for number in range(3 * KEPT_MESSAGES):
        say(live, settled(f" word{number}", number))
    told = live.after(0)
    assert isinstance(told[0], p.Snapshot)
    assert told[0].streams[0].text.endswith(f"word{3 * KEPT_MESSAGES - 1}")
    assert live.after(live.seq - 3)[0].seq == live.seq - 2
    assert sum(len(str(m)) for m in live.after(live.seq - 10)) < KEPT_BYTES
    live.acknowledge(live.seq)
    assert live.after(live.seq) == []


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        (["a b"], ["a b", " c"], [" c"]),
        (["a", " b"], ["a b c"], [" c"]),
        (["a b c"], ["a", " b"], []),
        (["a b"], ["x y", " z"], [" z"]),
        (["a b c"], ["x", " y z w"], [" w"]),
        ([], ["a"], ["a"]),
    ],
)
def test_what_is_settled_anew_after_a_worker_broke_is_said_once(
    before: list[str], after: list[str], new: list[str]
) -> None:
    live = session()
    live.push(SECOND, 0.0)
    for text in before:
        say(live, settled(text, 8000))
    live.rebuild()
    assert [t for text in after for t in texts(say(live, settled(text, 16_000)))] == new


def test_samples_at_another_rate_are_counted_at_the_clients() -> None:
    live = LiveSession("s", TrackSpec(), p.AudioFormat("pcm_s16le", 48_000, 2), 0.0)
    live.push(np.zeros(2 * 4800, "<i2").tobytes(), 0.0)
    assert live.received == 4800
    live.gap(1000, 0.0)
    assert live.received == 4800 + 48_000
    assert live.track_position == (4800 + 48_000) // 3


def test_a_gap_in_the_audio_does_not_shift_what_follows() -> None:
    live = LiveSession("s", TrackSpec(), p.AudioFormat("mulaw", 8_000), 0.0)
    for _ in range(7):
        live.push(bytes(1001), 0.0)
        live.gap(333, 0.0)
    assert abs(live.track_position - 2 * live.received) <= 2


def test_a_stream_of_text_for_each_language_and_the_source_from_the_first() -> None:
    live = session(("de", "fr"))
    end = SegmentEnd(0, 0, 100, "Hallo", "pause", 100, 0.0, source="Hello", language="de")
    messages = say(live, settled("Hallo", 100, language="de"), end)
    assert [(m.stream, m.text) for m in messages if isinstance(m, p.SettledText)] == [
        ("de", "Hallo"),
        ("source", "Hello"),
    ]
    assert live.rebuild()[0] == OpenTrack("s", live.spec, 0, 0), "French has not passed the border yet"
