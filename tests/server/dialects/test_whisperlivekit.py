"""WhisperLiveKit's `/asr` as its clients use it: what they show at the end is all that was said."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from server.dialects.whisperlivekit import WhisperLiveKitDialect
from simul.units import Samples
from tests.server.proof import expected
from tests.server.rig import MemoryClient, Rig, noise

AUDIO = noise(7.3, seed=2)


def connected(rig: Rig, **query: str) -> MemoryClient:
    return rig.connect(WhisperLiveKitDialect(query))


def played(client: MemoryClient, samples: Samples, piece: int = 3200) -> list[dict[str, Any]]:
    client.play(samples, piece).send(b"")
    return [json.loads(frame) for frame in client.frames]


def test_the_whole_transcript_comes_every_time_and_is_complete_at_the_end() -> None:
    client = connected(Rig(native=False))
    config, *states, last = played(client, AUDIO)
    assert config == {"type": "config", "useAudioWorklet": True, "mode": "full"}
    assert last == {"type": "ready_to_stop"}
    assert " ".join(line["text"] for line in states[-1]["lines"]) == expected(AUDIO)
    assert states[-1]["buffer_transcription"] == ""
    assert {state["status"] for state in states} == {"active_transcription"}
    assert [line["start"] for line in states[-1]["lines"]] == ["0:00:00", "0:00:02", "0:00:04", "0:00:06"]
    assert all("type" not in state for state in states)
    assert client.closed == (1000, "")


def test_text_is_shown_before_the_end() -> None:
    rig = Rig(native=False)
    client = connected(rig).play(AUDIO[:24_000])
    state = json.loads(client.frames[-1])
    shown = state["lines"][0]["text"] + " " + state["buffer_transcription"]
    assert expected(AUDIO[:24_000]).startswith(state["lines"][0]["text"])
    assert "~" in shown


def test_a_client_that_only_appends_lines_has_them_right() -> None:
    """The rule that is documented for `mode=diff`: drop what was pruned, append new lines, compare the count."""
    client = connected(Rig(native=False), mode="diff")
    lines: list[dict[str, Any]] = []
    buffer = ""
    for seq, message in enumerate(played(client, AUDIO)[1:-1], 1):
        assert message["seq"] == seq
        if message["type"] == "snapshot":
            lines = message["lines"]
        else:
            lines = lines[message.get("lines_pruned", 0) :] + message.get("new_lines", [])
            assert len(lines) == message["n_lines"]
        buffer = message["buffer_transcription"]
    assert " ".join(line["text"] for line in lines) == expected(AUDIO)
    assert buffer == ""


def test_a_translation_stands_beside_its_line() -> None:
    client = connected(Rig(native=False), language="en", target_language="de")
    lines = played(client, AUDIO)[-2]["lines"]
    assert " ".join(line["text"] for line in lines) == expected(AUDIO)
    assert " ".join(line["translation"] for line in lines) == expected(AUDIO, "de")
    assert {line["detected_language"] for line in lines} == {"en"}


def test_bytes_may_be_cut_within_a_sample() -> None:
    client = connected(Rig(native=False))
    pcm = np.rint(AUDIO * 32768).astype("<i2").tobytes()
    for begin in range(0, len(pcm), 999):
        client.send(pcm[begin : begin + 999])
    client.send(b"")
    state = json.loads(client.frames[-2])
    assert " ".join(line["text"] for line in state["lines"]) == expected(AUDIO)


def test_a_client_that_comes_before_the_models_is_told_and_served() -> None:
    rig = Rig(native=False, ready=False)
    client = connected(rig).play(AUDIO)
    assert "loaded" in json.loads(client.frames[1])["message"]
    rig.workers.load()
    client.send(b"")
    assert " ".join(line["text"] for line in json.loads(client.frames[-2])["lines"]) == expected(AUDIO)


@pytest.mark.parametrize("header", [b"\x1aE\xdf\xa3", b"OggS", b"RIFF"])
def test_a_container_is_refused_in_a_sentence(header: bytes) -> None:
    client = connected(Rig(native=False)).send(header + bytes(100))
    assert "16-bit samples" in json.loads(client.frames[-1])["error"]


def test_a_language_that_is_not_served_closes_with_the_reason() -> None:
    client = connected(Rig(native=False), language="xx")
    assert "'xx'" in json.loads(client.frames[-1])["error"]
    assert client.closed is not None


def test_an_empty_session_ends_at_once() -> None:
    client = connected(Rig(native=False)).send(b"").send(b"")
    assert json.loads(client.frames[-1]) == {"type": "ready_to_stop"}
