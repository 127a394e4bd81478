"""Dialects of other servers, spoken in memory: what each client collects by its own rule is all that was said."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from server.dialects.base import Dialect
from server.dialects.deepgram import DeepgramDialect
from server.dialects.lines import LineDialect
from server.dialects.openai import OpenAITranscription, OpenAITranslation
from server.dialects.simulstream import SimulstreamDialect
from server.dialects.vosk import VoskDialect
from simul.audio.resample import StreamResampler
from simul.units import Samples
from tests.server.proof import expected, sound, spoken_words
from tests.server.rig import MemoryClient, Rig, noise

AUDIO = noise(5.1, seed=4)
PCM = np.rint(AUDIO * 32768).astype("<i2").tobytes()


def connected(dialect: Dialect) -> MemoryClient:
    return Rig(native=False).connect(dialect)


def heard(client: MemoryClient) -> list[dict[str, Any]]:
    return [json.loads(frame) for frame in client.frames]


def say(client: MemoryClient, **event: Any) -> None:
    client.send(json.dumps(event))


def at_16k(pcm: bytes, rate: int) -> Samples:
    """What the server hears of samples at another rate, in 16-bit steps as it keeps them."""
    resampler = StreamResampler(rate)
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
    made = np.concatenate([resampler.push(samples), resampler.finish()])
    return (np.rint(np.clip(made * 32768, -32768, 32767)) / 32768).astype(np.float32)


# -- OpenAI --------------------------------------------------------------------------------------------------------


def append(client: MemoryClient, kind: str, pcm: bytes = PCM) -> None:
    for begin in range(0, len(pcm), 9600):
        client.rig.pass_time(0.2)
        say(client, type=kind, audio=base64.b64encode(pcm[begin : begin + 9600]).decode())


def test_openai_transcription_gives_every_segment_as_deltas_and_whole() -> None:
    client = connected(OpenAITranscription({}))
    say(client, type="session.update", session={"type": "transcription", "audio": {"input": {}}})
    append(client, "input_audio_buffer.append")
    say(client, type="input_audio_buffer.commit")
    events = heard(client)
    assert [event["type"] for event in events[:2]] == ["session.created", "session.updated"]
    text = expected(at_16k(PCM, 24_000))
    whole = {e["item_id"]: e["transcript"] for e in events if e["type"].endswith("transcription.completed")}
    deltas: dict[str, str] = {}
    for event in events:
        if event["type"].endswith("transcription.delta"):
            deltas[event["item_id"]] = deltas.get(event["item_id"], "") + event["delta"]
    assert deltas == whole
    heard_text = " ".join(whole.values())
    # The last samples are in the resampler until more come, so a commit may leave the last word out.
    assert text.startswith(heard_text.rsplit(" ", 1)[0])
    assert len(heard_text.split()) >= len(text.split()) - 1
    committed = [e["item_id"] for e in events if e["type"] == "input_audio_buffer.committed"]
    assert committed == list(whole)
    assert len({event["event_id"] for event in events}) == len(events)


def test_openai_transcription_hears_g711() -> None:
    client = connected(OpenAITranscription({}))
    session = {"type": "transcription", "audio": {"input": {"format": {"type": "audio/pcmu"}}}}
    say(client, type="session.update", session=session)
    append(client, "input_audio_buffer.append", bytes(range(256)) * 200)
    say(client, type="input_audio_buffer.commit")
    done = [e for e in heard(client) if e["type"].endswith("completed")]
    assert sum(e["usage"]["seconds"] for e in done) == pytest.approx(6.4, abs=0.1)


def test_openai_translation_gives_both_transcripts_and_closes() -> None:
    client = connected(OpenAITranslation({"model": "any"}))
    audio = {"input": {"transcription": {"model": "any"}}, "output": {"language": "de"}}
    say(client, type="session.update", session={"audio": audio})
    append(client, "session.input_audio_buffer.append")
    say(client, type="session.close")
    events = heard(client)
    text = expected(at_16k(PCM, 24_000), "de")
    said = "".join(e["delta"] for e in events if e["type"] == "session.output_transcript.delta")
    source = "".join(e["delta"] for e in events if e["type"] == "session.input_transcript.delta")
    assert said == text
    assert source == expected(at_16k(PCM, 24_000))
    assert all(e["elapsed_ms"] % 200 == 0 for e in events if e["type"] == "session.output_transcript.delta")
    spoken = [e for e in events if e["type"] == "session.output_audio.delta"]
    assert {(e["sample_rate"], e["channels"], e["format"]) for e in spoken} == {(24_000, 1, "pcm16")}
    assert spoken_words(b"".join(base64.b64decode(e["delta"]) for e in spoken)) == spoken_words(sound(text))
    assert events[-1]["type"] == "session.closed"
    assert client.closed == (1000, "")


@pytest.mark.parametrize("dialect", [OpenAITranscription, OpenAITranslation])
@pytest.mark.parametrize(
    "frame",
    [
        b"\0\0",
        "[]",
        '{"type": "nothing"}',
        '{"type": "input_audio_buffer.append", "audio": "§"}',
        '{"type": "session.input_audio_buffer.append", "audio": "§"}',
        '{"type": "session.update", "session": {"audio": {"input": {"format": {"type": "audio/mp3"}}}}}',
    ],
)
def test_openai_errors_are_events(dialect: type[Dialect], frame: Any) -> None:
    client = connected(dialect({})).send(frame)
    last = heard(client)[-1]
    if last["type"] != "session.updated":
        assert last["type"] == "error"
        assert last["error"]["message"].endswith(".")
        assert last["error"]["type"] == "invalid_request_error"


# -- Deepgram ------------------------------------------------------------------------------------------------------


def test_deepgram_final_results_are_all_that_was_said() -> None:
    client = connected(DeepgramDialect({"interim_results": "true"})).play(AUDIO)
    say(client, type="KeepAlive")
    say(client, type="CloseStream")
    results = [m for m in heard(client) if m["type"] == "Results"]
    finals = [r["channel"]["alternatives"][0]["transcript"] for r in results if r["is_final"]]
    assert " ".join(text for text in finals if text) == expected(AUDIO)
    assert any("~" in r["channel"]["alternatives"][0]["transcript"] for r in results if not r["is_final"])
    words = [w for r in results if r["is_final"] for w in r["channel"]["alternatives"][0]["words"]]
    assert [w["word"] for w in words] == expected(AUDIO).split()
    assert [w["start"] for w in words] == sorted(w["start"] for w in words)
    assert heard(client)[-1]["type"] == "Metadata"
    assert heard(client)[-1]["duration"] == pytest.approx(5.1)
    assert client.closed == (1000, "")


def test_deepgram_interim_results_come_only_where_asked_for() -> None:
    client = connected(DeepgramDialect({})).play(AUDIO).send(b"")
    assert all(m["is_final"] for m in heard(client) if m["type"] == "Results")


def test_deepgram_finalize_settles_and_goes_on() -> None:
    client = connected(DeepgramDialect({})).play(AUDIO[:20_000])
    say(client, type="Finalize")
    assert heard(client)[-1]["from_finalize"]
    client.play(AUDIO[20_000:]).send(b"")
    texts = [m["channel"]["alternatives"][0]["transcript"] for m in heard(client) if m["type"] == "Results"]
    wanted = expected(AUDIO[:20_000]) + " " + expected(AUDIO, base=20_000)
    assert " ".join(text for text in texts if text) == wanted


@pytest.mark.parametrize("query", [{"encoding": "opus"}, {"sample_rate": "fast"}, {"sample_rate": "3"}])
def test_deepgram_refuses_what_it_cannot_hear(query: dict[str, str]) -> None:
    client = connected(DeepgramDialect(query))
    assert heard(client)[-1]["type"] == "Error"
    assert client.closed is not None


# -- Vosk ----------------------------------------------------------------------------------------------------------


def test_vosk_answers_every_frame_once_and_the_end() -> None:
    client = connected(VoskDialect({}))
    say(client, config={"sample_rate": 16000, "words": True})
    client.play(AUDIO, 4000)
    frames = -(-len(AUDIO) // 4000)
    assert len(client.frames) == frames
    client.send('{"eof" : 1}')
    answers = heard(client)
    assert len(answers) == frames + 1
    texts = [answer["text"] for answer in answers if answer.get("text")]
    assert " ".join(texts) == expected(AUDIO)
    assert [w["word"] for a in answers for w in a.get("result", [])] == expected(AUDIO).split()
    assert any("~" in answer.get("partial", "") for answer in answers)
    assert client.closed == (1000, "")


# -- simulstream ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("target", "language"), [(None, ""), ("de", "de")])
def test_simulstream_gets_all_text_as_it_settles(target: str | None, language: str) -> None:
    client = connected(SimulstreamDialect({}))
    settings = {"sample_rate": 16000, "source_lang": "en", "metrics_metadata": {"wav_name": "a.wav"}}
    say(client, **settings, **({"target_lang": target} if target else {}))
    client.play(AUDIO, 1601)
    before_the_end = len(client.frames)
    say(client, end_of_stream=True)
    *texts, last = heard(client)
    assert last == {"end_of_processing": True}
    assert before_the_end > 3
    assert {answer["deleted"] for answer in texts} == {""}
    assert "".join(answer["new"] for answer in texts).strip() == expected(AUDIO, language)


def test_simulstream_changes_the_language_and_not_the_rate() -> None:
    client = connected(SimulstreamDialect({}))
    client.play(AUDIO[:16_000])
    say(client, target_lang="de", sample_rate=16000)
    client.play(AUDIO[16_000:])
    assert any(answer["new"].lstrip().startswith("de") for answer in heard(client))
    say(client, sample_rate=8000)
    assert "cannot change" in heard(client)[-1]["error"]


@pytest.mark.parametrize("message", ["[]", '{"sample_rate": "fast"}', '{"sample_rate": true}'])
def test_simulstream_says_what_it_cannot_read(message: str) -> None:
    client = connected(SimulstreamDialect({}))
    client.send(message)
    assert heard(client)[-1]["error"]


# -- lines ---------------------------------------------------------------------------------------------------------


def test_lines_hold_times_and_text() -> None:
    client = connected(LineDialect({}))
    for begin in range(0, len(PCM), 4999):
        client.rig.pass_time(0.15)
        client.send(PCM[begin : begin + 4999])
    client.send(b"")
    lines = b"".join(bytes(frame) for frame in client.frames).decode().splitlines()  # type: ignore[arg-type]
    assert " ".join(line.split(" ", 2)[2] for line in lines) == expected(AUDIO)
    begins = [int(line.split()[0]) for line in lines]
    assert begins == sorted(begins)


@pytest.mark.parametrize(
    "dialect",
    [OpenAITranscription({}), DeepgramDialect({}), VoskDialect({}), SimulstreamDialect({}), LineDialect({})],
)
def test_a_client_that_cannot_come_back_leaves_nothing_behind(dialect: Dialect) -> None:
    client = connected(dialect)
    client.play(AUDIO[:16_000]) if not isinstance(dialect, OpenAITranscription) else append(
        client, "input_audio_buffer.append", PCM[:9600]
    )
    assert client.rig.host.active == 1
    client.vanish()
    assert client.rig.host.active == 0
