"""The rules of one socket: what comes at the wrong time, too large, too fast or not at all is refused in a sentence."""

from __future__ import annotations

import pytest

from server import protocol as p
from server.codec import CloseCode
from server.connection import AudioFrame, Connection, ConnectionLimits

SECOND = AudioFrame(bytes(32_000))


def opened(limits: ConnectionLimits | None = None, **start: object) -> Connection:
    connection = Connection(0.0, limits)
    connection.receive(p.SessionStart(**start), 0.0)  # type: ignore[arg-type]
    assert [type(request) for request in connection.requests()] == [p.SessionStart]
    return connection


def said(connection: Connection) -> str:
    [error] = connection.errors()
    assert error.message.endswith(".")
    return error.code


def test_messages_come_out_in_order() -> None:
    connection = opened()
    for message in (
        AudioFrame(b"abcd"),
        p.Flush("a"),
        p.Gap(5),
        p.Ack(1),
        p.Ping(2.0),
        p.Mark("b"),
        p.SessionClose(),
    ):
        connection.receive(message, 1.0)
    kinds = [getattr(request, "type", "audio") for request in connection.requests()]
    assert kinds == ["audio", "flush", "gap", "ack", "ping", "mark", "end"]
    assert connection.state == "ending"
    assert connection.requests() == []


@pytest.mark.parametrize(
    ("message", "close"),
    [
        (AudioFrame(b"ab"), 1003),
        (p.Flush(), 4400),
        (p.SessionClose(), 4400),
        (p.SessionStart(protocol="2.0"), 4422),
        (p.SessionStart(audio=p.AudioFormat(rate=0)), 4422),
        (p.SessionStart(audio=p.AudioFormat(rate=-1)), 4422),
        (p.SessionStart(audio=p.AudioFormat(rate=10**9)), 4422),
        (p.SessionStart(audio=p.AudioFormat(channels=0)), 4422),
        (p.SessionStart(audio=p.AudioFormat(channels=3)), 4422),
        (p.SessionStart(source=""), 4422),
        (p.SessionStart(source="e" * 5000), 4422),
        (p.SessionStart(targets=("d/e",)), 4422),
        (p.SessionStart(targets=("de", "de")), 4422),
        (p.SessionStart(targets=tuple(f"x{n}" for n in range(100))), 4422),
        (p.SessionStart(chunk_ms=1), 4400),
        (p.SessionResume("s", "t", -1, 0), 4400),
    ],
)
def test_a_first_message_that_cannot_be_taken_closes(
    message: p.ClientMessage | AudioFrame, close: int
) -> None:
    connection = Connection(0.0)
    connection.receive(message, 0.0)
    [error] = connection.errors()
    assert error.fatal
    assert connection.closed
    assert connection.code == close
    assert connection.requests() == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (p.SessionStart(), "bad_message"),
        (p.SessionResume("s", "t", 0, 0), "bad_message"),
        (AudioFrame(b"abc"), "audio_format"),
        (p.Gap(0), "bad_message"),
        (p.Gap(-5), "bad_message"),
        (p.Gap(10**9), "bad_message"),
        (p.SessionUpdate(targets=("de", "de")), "language"),
    ],
)
def test_a_later_message_that_cannot_be_taken_is_refused(
    message: p.ClientMessage | AudioFrame, code: str
) -> None:
    connection = opened()
    connection.receive(message, 1.0)
    assert said(connection) == code
    assert connection.requests() == []


def test_nothing_comes_after_the_end_but_acknowledgements() -> None:
    connection = opened()
    connection.receive(p.SessionClose(), 1.0)
    connection.receive(AudioFrame(b"ab"), 1.0)
    assert said(connection) == "audio_after_end"
    connection.receive(p.SessionClose(), 1.0)
    assert said(connection) == "bad_message"
    connection.receive(p.Ack(3), 1.0)
    assert connection.errors() == []


def test_an_empty_frame_is_no_audio() -> None:
    connection = opened()
    connection.receive(AudioFrame(b""), 1.0)
    assert connection.requests() == []
    assert connection.errors() == []


def test_a_frame_has_a_largest_size() -> None:
    connection = opened()
    connection.receive(AudioFrame(bytes(64 * 1024)), 1.0)
    assert connection.errors() == []
    connection.receive(AudioFrame(bytes(64 * 1024 + 2)), 1.0)
    assert said(connection) == "frame_too_big"
    assert connection.code == CloseCode.TOO_BIG


def test_live_audio_comes_at_most_at_four_times_real_time_and_a_file_as_it_likes() -> None:
    live, file = opened(), opened(mode="file")
    for second in range(1000):
        for connection in (live, file):
            connection.receive(SECOND, second / 3)
    assert live.errors() == []
    for _ in range(200):
        for connection in (live, file):
            connection.receive(SECOND, 334.0)
    assert said(live) == "rate_limit"
    assert live.code == CloseCode.RATE
    assert file.errors() == []


def test_control_messages_have_a_rate() -> None:
    connection = opened()
    for number in range(400):
        connection.receive(p.Ping(1.0), number / 15)
    assert connection.errors() == []
    for _ in range(60):
        connection.receive(p.Ping(1.0), 27.0)
    assert said(connection) == "rate_limit"
    assert connection.code == CloseCode.RATE


def test_a_client_that_says_nothing_is_let_go_of() -> None:
    silent = Connection(0.0)
    silent.tick(9.9)
    assert not silent.closed
    silent.tick(10.1)
    assert silent.code == CloseCode.IDLE
    assert said(silent) == "timeout"
    no_audio = opened()
    no_audio.tick(29.0)
    assert not no_audio.closed
    no_audio.tick(31.0)
    assert said(no_audio) == "idle"


def test_a_gap_keeps_a_session_without_audio_alive() -> None:
    connection = opened()
    connection.receive(AudioFrame(b"ab"), 0.0)
    connection.receive(p.Gap(50_000), 50.0)
    connection.tick(100.0)
    assert not connection.closed
    connection.tick(111.0)
    assert connection.code == CloseCode.IDLE


def test_a_closed_connection_takes_nothing() -> None:
    connection = opened()
    connection.fail("overloaded", "Full.", CloseCode.OVERLOADED, 5000)
    [error] = connection.errors()
    assert (error.fatal, error.retry_after_ms) == (True, 5000)
    connection.receive(p.Flush(), 1.0)
    connection.tick(1e9)
    assert connection.requests() == []
    assert connection.errors() == []
    assert connection.code == CloseCode.OVERLOADED


def test_an_error_names_the_message_it_is_about() -> None:
    connection = opened()
    connection.receive(p.Ping(0.0), 0.0)
    connection.receive(p.Gap(0), 0.0)
    [error] = connection.errors()
    assert (error.ref, error.param, error.fatal) == (3, "ms", False)
