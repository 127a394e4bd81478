"""The official clients of other servers, unmodified, against this one on loopback."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import json
import sys
import wave
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from tests.server.proof import expected
from tests.server.rig import noise
from tests.server.test_gateway import Served, run

AUDIO = noise(4.0, seed=6)
PCM = np.rint(AUDIO * 32768).astype("<i2").tobytes()


def test_openai_sdk_transcription() -> None:
    openai = pytest.importorskip("openai")

    async def test(served: Served) -> None:
        client = openai.AsyncOpenAI(
            api_key="none",
            base_url=f"{served.http}/v1",
            websocket_base_url=f"ws://127.0.0.1:{served.port}/v1",
        )
        done: list[str] = []
        async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
            # G.711 is heard without resampling being late, so the last word is there when it is committed.
            input_ = {"format": {"type": "audio/pcm", "rate": 24000}, "transcription": {"language": "en"}}
            await connection.session.update(session={"type": "transcription", "audio": {"input": input_}})
            for begin in range(0, len(PCM), 24_000):
                await connection.input_audio_buffer.append(
                    audio=base64.b64encode(PCM[begin : begin + 24_000]).decode()
                )
            await connection.input_audio_buffer.commit()
            async for event in connection:
                assert event.type != "error", event
                if event.type == "conversation.item.input_audio_transcription.completed":
                    done.append(event.transcript)
                    if len(" ".join(done).split()) >= 13:
                        break
        assert len(" ".join(done).split()) >= 13

    run(test)


def test_openai_sdk_translation_events() -> None:
    """The types of its events take what this server sends."""
    pytest.importorskip("openai")
    from openai.types.realtime.realtime_translation_server_event import RealtimeTranslationServerEvent
    from pydantic import TypeAdapter

    from server.dialects.openai import OpenAITranslation
    from tests.server.rig import Rig

    client = Rig(native=False).connect(OpenAITranslation({"model": "any"}))
    client.send('{"type": "session.update", "session": {"audio": {"output": {"language": "de"}}}}')
    for begin in range(0, len(PCM), 9600):
        audio = base64.b64encode(PCM[begin : begin + 9600]).decode()
        client.rig.pass_time(0.2)
        client.send(f'{{"type": "session.input_audio_buffer.append", "audio": "{audio}"}}')
    client.send('{"type": "session.close"}')
    adapter: Any = TypeAdapter(RealtimeTranslationServerEvent)
    kinds = [type(adapter.validate_json(frame)).__name__ for frame in client.frames]
    assert kinds[0] == "RealtimeTranslationSessionCreatedEvent"
    assert kinds[-1] == "RealtimeTranslationSessionClosedEvent"
    assert "RealtimeTranslationOutputTranscriptDeltaEvent" in kinds


def test_deepgram_sdk() -> None:
    deepgram = pytest.importorskip("deepgram")
    from deepgram.environment import DeepgramClientEnvironment

    async def test(served: Served) -> None:
        address = f"ws://127.0.0.1:{served.port}"
        environment = DeepgramClientEnvironment(
            base=served.http, production=address, agent=address, agent_rest=served.http
        )
        client = deepgram.AsyncDeepgramClient(api_key="none", environment=environment)
        texts: list[str] = []
        async with client.listen.v1.connect(
            model="any", encoding="linear16", sample_rate="16000"
        ) as connection:

            async def listen() -> None:
                async for message in connection:
                    if getattr(message, "type", "") == "Results" and message.is_final:
                        texts.append(message.channel.alternatives[0].transcript)

            listening = asyncio.create_task(listen())
            for begin in range(0, len(PCM), 16_000):
                await connection.send_media(PCM[begin : begin + 16_000])
            await connection.send_close_stream()
            await asyncio.wait_for(listening, 20)
        assert " ".join(text for text in texts if text) == expected(AUDIO)

    run(test)


def test_simulstream_client(tmp_path: Path) -> None:
    """Its reader of WAV files ends once everything was processed; it sends the last piece twice."""
    client = pytest.importorskip("simulstream.client.wav_reader_client")
    file = tmp_path / "talk.wav"
    with wave.open(str(file), "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes(PCM)
    twice = np.concatenate([AUDIO, AUDIO[-1600:]])
    got: list[str] = []

    async def test(served: Served) -> None:
        class Recorded(client.websockets.ClientConnection):  # type: ignore[misc, name-defined]
            async def recv(self, *given: Any, **more: Any) -> Any:
                got.append(await super().recv(*given, **more))
                return got[-1]

        connect = partial(client.websockets.connect, create_connection=Recorded, proxy=None)
        with patch.object(client.websockets, "connect", connect):
            await client.stream_wav_files(
                f"ws://127.0.0.1:{served.port}/simulstream", [str(file)], tgt_lang="de", src_lang="en"
            )

    run(test)
    answers = [json.loads(frame) for frame in got]
    assert answers[-1] == {"end_of_processing": True}
    assert "".join(answer["new"] for answer in answers[:-1]).strip() == expected(twice, "de")


def whisperlivekit_client() -> Any:
    """WhisperLiveKit's client, without its package, which imports its models."""
    package = importlib.util.find_spec("whisperlivekit")
    if package is None or not package.submodule_search_locations:
        pytest.skip("whisperlivekit is not installed")
    file = Path(package.submodule_search_locations[0]) / "test_client.py"
    spec = importlib.util.spec_from_file_location("whisperlivekit_test_client", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclass looks its module up by name.
    with patch.dict(sys.modules, {spec.name: module}):
        spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("mode", ["full", "diff"])
def test_whisperlivekit_client(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = whisperlivekit_client()
    monkeypatch.setattr(client, "load_audio_pcm", lambda path: PCM)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    async def test(served: Served) -> None:
        url = f"ws://127.0.0.1:{served.port}/asr"
        result = await client.transcribe_audio("talk.wav", url, 0.1, speed=0, mode=mode)
        assert result.committed_text == expected(AUDIO)
        assert result.text == expected(AUDIO)
        assert result.n_updates > 1

    run(test)
