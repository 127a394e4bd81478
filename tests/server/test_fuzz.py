"""Mutated messages and raw frames: answers are valid, nothing is raised, no place is lost, neighbours are unharmed."""

from __future__ import annotations

import json
import logging
import random
from typing import Any

import pytest

from server import protocol as p
from server.codec import encode
from server.dialects.base import Dialect
from server.dialects.deepgram import DeepgramDialect
from server.dialects.openai import OpenAITranscription, OpenAITranslation
from server.dialects.vosk import VoskDialect
from server.dialects.whisperlivekit import WhisperLiveKitDialect
from server.hosted import HostLimits
from tests.server.proof import expected
from tests.server.rig import Rig, noise
from tests.server.test_codec import CLIENT

FOREIGN: list[dict[str, Any]] = [
    {"type": "session.update", "session": {"audio": {"input": {"format": {"type": "audio/pcm"}}}}},
    {"type": "session.update", "session": {"audio": {"output": {"language": "de"}}}},
    {"type": "input_audio_buffer.append", "audio": "AAAA"},
    {"type": "session.input_audio_buffer.append", "audio": "AAAA"},
    {"type": "input_audio_buffer.commit"},
    {"type": "session.close"},
    {"type": "Finalize"},
    {"type": "CloseStream"},
    {"config": {"sample_rate": 16000, "words": True}},
    {"eof": 1},
]
STRANGE: list[Any] = [
    None,
    True,
    -1,
    0,
    1e308,
    2**60,
    "",
    "x" * 5000,
    [],
    {},
    [[[[]]]],
    {"a": {"b": {}}},
    "\ud800",
    "de",
]
DIALECTS = [WhisperLiveKitDialect, OpenAITranscription, OpenAITranslation, DeepgramDialect, VoskDialect]


def mutated(value: Any, rng: random.Random) -> Any:
    """The value with something in it put out of order."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        name = rng.choice(list(value))
        found = dict(value)
        if rng.random() < 0.15:
            del found[name]
        elif rng.random() < 0.1:
            found[rng.choice(["type", "audio", "seq", "x"])] = rng.choice(STRANGE)
        else:
            found[name] = mutated(found[name], rng)
        return found
    if isinstance(value, list) and value and rng.random() < 0.5:
        return [mutated(item, rng) for item in value]
    return rng.choice(STRANGE)


def frame_of(data: Any, rng: random.Random) -> Any:
    """The frame of a message, some of them broken as text, some as bytes."""
    text = json.dumps(data, ensure_ascii=True)
    kind = rng.random()
    if kind < 0.1:
        place = rng.randrange(len(text) + 1)
        return text[:place] + rng.choice(['"', "{", "}", "\x00", "é", ",", ""]) + text[place + 1 :]
    if kind < 0.2:
        return rng.randbytes(rng.choice([0, 1, 2, 3, 640, 70_000]))
    return text


def fuzz(rounds: int, seed: int, native: bool) -> int:
    """Clients one after the other, each with some messages; how many there were."""
    sent = 0
    rng = random.Random(seed)
    rig = Rig(workers=1, limits=HostLimits(sessions=50), native=native)
    audio = noise(rounds * 0.02 + 2.0, seed)
    messages = [json.loads(encode(message)) for message in CLIENT] if native else FOREIGN
    neighbour = rig.connect().say(p.SessionStart()) if native else rig.connect(WhisperLiveKitDialect({}))
    for number in range(rounds):
        dialect: Dialect | None = None if native else rng.choice(DIALECTS)({})
        client = rig.connect(dialect)
        for _ in range(rng.randrange(1, 5)):
            message = rng.choice(messages)
            sent += 1
            client.send(frame_of(mutated(message, rng) if rng.random() < 0.8 else message, rng))
        if client.closed is None:
            client.vanish()
        if client.port.live is not None:
            rig.host.drop(client.port.live)
        rig.clients.remove(client)
        neighbour.play(audio[number * 320 : (number + 1) * 320], 320)
    if native:
        neighbour.say(p.SessionClose())
        assert neighbour.text() == expected(audio[: rounds * 320])
    else:
        neighbour.send(b"")
        state = json.loads(neighbour.frames[-2])
        assert " ".join(line["text"] for line in state["lines"]) == expected(audio[: rounds * 320])
    assert rig.host.active == 0
    return sent


@pytest.mark.parametrize("native", [True, False])
def test_mutated_messages_harm_nobody(native: bool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "simul.server"):
        fuzz(400, 1, native)
    assert caplog.records == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 6))
@pytest.mark.parametrize("native", [True, False])
def test_many_mutated_messages_harm_nobody(seed: int, native: bool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "simul.server"):
        fuzz(1_500, seed, native)
    assert caplog.records == []
