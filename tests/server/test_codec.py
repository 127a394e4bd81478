"""Messages from and to JSON: what goes out comes back, and what is wrong is refused in a sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import protocol as p
from server.codec import MAX_TEXT, ProtocolError, decode_client, decode_server, encode

START = p.SessionStart(
    audio=p.AudioFormat("mulaw", 8000, 2),
    source="en",
    targets=("de", "fr"),
    policy=p.PolicyChoice("wait-k", {"k": "3"}),
    want=p.Want(tail=False),
)
CLIENT = [
    START,
    p.SessionStart(),
    p.SessionResume("s", "t", 4, 16000),
    p.SessionUpdate(targets=()),
    p.Flush("a"),
    p.Mark(),
    p.Gap(250),
    p.Ack(7),
    p.Ping(1.5),
    p.SessionClose(),
]
SETTLED = p.SettledText("de", 2, " Hallo", "de", 10, 500, "Welt", (p.WireWord("Hallo", 10, 500, 0.5),), seq=9)


@pytest.mark.parametrize("message", CLIENT, ids=lambda m: m.type)
def test_a_client_message_comes_back(message: p.ClientMessage) -> None:
    assert decode_client(encode(message)) == message


def test_a_server_message_comes_back_and_leaves_out_what_is_not_known() -> None:
    assert decode_server(encode(SETTLED)) == SETTLED
    assert "retry_after_ms" not in json.loads(encode(p.ErrorMessage("overloaded", "Full.")))


def test_unknown_fields_are_left_aside() -> None:
    assert decode_client('{"type": "ack", "seq": 3, "later": {"x": [1]}}') == p.Ack(3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[]", "JSON object"),
        ("3", "JSON object"),
        ("{}", "type None is not known"),
        ('{"type": 3}', "type 3 is not known"),
        ('{"type": "session.begin"}', "send one of: session.start"),
        ('{"type": "gap"}', "The field ms is missing"),
        ('{"type": "gap", "ms": "3"}', "ms is a text; it must be a whole number"),
        ('{"type": "gap", "ms": 3.5}', "ms is a number; it must be a whole number"),
        ('{"type": "gap", "ms": true}', "truth value"),
        ('{"type": "gap", "ms": NaN}', "NaN is no number"),
        ('{"type": "gap", "ms": 1, "ms": 2}', "given twice"),
        ('{"type": "gap", "ms": 1e3}', "whole number"),
        ('{"type": "gap", "ms": 99999999999999999999}', "too large"),
        ('{"type": "ping", "ts": 1e400}', "too large"),
        ('{"type": "session.start", "targets": "de"}', "it must be a list"),
        ('{"type": "session.start", "targets": ["de", 3]}', r"targets\[1\] is a number"),
        ('{"type": "session.start", "audio": {"encoding": "mp3"}}', "give one of pcm_s16le"),
        ('{"type": "session.start", "audio": 7}', "it must be an object"),
        ('{"type": "session.start", "policy": {"name": "x", "params": {"k": 3}}}', "policy.params.k"),
        ('{"type": "mark", "id": "\\ud800"}', "surrogate"),
        ('{"type": "mark", "id": "' + "x" * (MAX_TEXT + 1) + '"}', "4097 characters"),
        ('{"type": "ack", "seq": 1, "x": ' + "[" * 20 + "]" * 20 + "}", "nested deeper"),
        ("[" * 200_000, "not JSON"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(ProtocolError, match=said) as raised:
        decode_client(text)
    assert str(raised.value).endswith(".")
    assert raised.value.close == 4400


@given(
    st.text(max_size=60)
    | st.from_regex(r'\{"type": ?"(gap|ack|end|session\.start)".{0,30}\}', fullmatch=True)
)
def test_whatever_comes_is_a_message_or_refused(text: str) -> None:
    try:
        message = decode_client(text)
    except ProtocolError:
        return
    assert decode_client(encode(message)) == message
