"""A talk that is listened to: each line spoken once for all, in real time, joined at any moment."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import httpx
import numpy as np
import pytest

from server import protocol as p
from server.options import ServeOptions
from server.run import check_voices
from server.stage.audience import Audience, Frames
from server.stage.encoding import FORMATS, OpusEncoder
from server.stage.speech import AHEAD, STEP, StageSpeech
from server.stage.stage import Stage
from server.workers.messages import SPEECH_RATE, SpeakText, TextSpoken
from simul.errors import UsageError
from tests.server.proof import expected, sound, spoken_words
from tests.server.rig import Rig, noise
from tests.server.stage.test_stage import Seat
from tests.server.test_gateway import Served, run


class Ear:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.data: list[bytes] = []

    def hear(self, data: bytes) -> None:
        self.data.append(data)

    @property
    def pcm(self) -> bytes:
        """Of a listener to WAV, without the head."""
        return b"".join(self.data[1:])


class Hall:
    """Speech of a talk, with a worker that answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[SpeakText] = []
        self.now = 10.0
        self.speech = StageSpeech(("de", "fr"), self._ask)

    def _ask(self, job: SpeakText) -> bool:
        self.asked.append(job)
        return True

    def ear(self, code: str = "de", form: str = "wav") -> Ear:
        ear = Ear()
        self.speech.listen(ear, code, form, self.now)
        return ear

    def say(self, text: str, code: str = "de") -> None:
        self.speech.say(code, text, 0, 1000, self.now)

    def answer(self) -> None:
        jobs, self.asked = self.asked, []
        for job in jobs:
            said = TextSpoken("stage", job.number, job.language, sound(job.text), "v")
            self.speech.spoken(said, self.now)

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            self.speech.tick(self.now)


def test_a_language_is_spoken_by_the_voice_that_was_chosen_for_it() -> None:
    asked: list[SpeakText] = []

    def speak(job: SpeakText) -> bool:
        asked.append(job)
        return True

    options = ServeOptions(stage=True, speak=("de=de+f2", "fr"))
    assert options.spoken == {"de": "de+f2", "fr": ""}
    speech = StageSpeech(options.spoken, speak, options.spoken)
    for code in speech.languages:
        speech.listen(Ear(), code, "wav", 0.0)
        speech.say(code, "one", 0, 1000, 0.0)
    assert [(job.language, job.voice) for job in asked] == [("de", "de+f2"), ("fr", "")]


def test_a_voice_that_there_is_not_is_refused_with_those_there_are() -> None:
    pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed; pip install simul[embedded]")
    check_voices(ServeOptions(stage=True, speak=("de=de+f2", "fr")))
    with pytest.raises(UsageError, match=r"--speak de=bass: there is no such voice; there are de, de\+f2"):
        check_voices(ServeOptions(stage=True, speak=("de=bass",)))


def test_lines_are_spoken_in_order_and_silence_stands_between_them() -> None:
    hall = Hall()
    ear = hall.ear()
    hall.say("one two three")
    hall.say("four")
    hall.answer()
    hall.answer()
    hall.pass_time(1.0)
    assert spoken_words(ear.pcm) == spoken_words(sound("one two three four"))
    assert len(ear.pcm) == 2 * (SPEECH_RATE + AHEAD * STEP)
    assert ear.data[0].startswith(b"RIFF")


def test_it_is_heard_in_real_time() -> None:
    hall = Hall()
    ear = hall.ear()
    hall.pass_time(3.0)
    assert len(ear.pcm) == 2 * (3 * SPEECH_RATE + AHEAD * STEP)
    assert not any(ear.pcm)


def test_nobody_is_asked_to_speak_what_nobody_hears() -> None:
    hall = Hall()
    hall.say("one")
    assert hall.asked == []
    ear = hall.ear("fr")
    hall.say("two")
    assert hall.asked == []
    hall.say("three", "fr")
    assert [job.text for job in hall.asked] == ["three"]
    hall.speech.leave(ear)
    assert not hall.speech.listeners
    # What was asked for before everybody left is not heard by who comes next.
    late = hall.ear("fr")
    hall.answer()
    hall.say("four", "fr")
    hall.answer()
    hall.pass_time(1.0)
    assert spoken_words(late.pcm) == spoken_words(sound("four"))


def test_all_who_listen_get_the_same_bytes_which_are_made_once() -> None:
    hall = Hall()
    first, second = hall.ear(), hall.ear()
    hall.say("one two")
    assert len(hall.asked) == 1
    hall.answer()
    hall.pass_time(0.5)
    third = hall.ear()
    hall.pass_time(0.5)
    assert first.pcm.endswith(second.pcm)
    assert second.pcm.endswith(third.pcm)
    assert len(third.pcm) == SPEECH_RATE


def test_a_worker_that_broke_is_asked_again() -> None:
    hall = Hall()
    ear = hall.ear()
    hall.say("one")
    hall.asked.clear()
    hall.speech.again(hall.now)
    hall.answer()
    hall.pass_time(1.0)
    assert spoken_words(ear.pcm) == spoken_words(sound("one"))


def decoded(data: bytes) -> np.ndarray:
    av = pytest.importorskip("av")
    with av.open(io.BytesIO(data)) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate(frames, axis=1)[0]


@pytest.mark.parametrize("joined", [0, 13])
def test_opus_can_be_joined_at_any_page(joined: int) -> None:
    encoder = OpusEncoder()
    time = np.arange(4 * SPEECH_RATE) / SPEECH_RATE
    tone = np.rint(9000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)
    pages = [encoder.push(tone[at : at + STEP]) for at in range(0, len(tone), STEP)]
    found = decoded(encoder.head + b"".join(pages[joined:]))
    spectrum = np.abs(np.fft.rfft(found[4800:-4800] * np.hanning(len(found) - 9600)))
    # The sound comes out at 48 kHz, as Opus does.
    assert spectrum.argmax() * 48_000 / (len(found) - 9600) == pytest.approx(440, abs=1)
    assert len(found) / 48_000 == pytest.approx(4 - joined / 10, abs=0.35)
    assert sum(map(len, pages)) < 4 * 9000


def test_a_talk_in_a_server_is_spoken_to_those_who_listen() -> None:
    rig = Rig(workers=2)
    speech = StageSpeech(("de",), rig.host.work)
    rig.host.stage = Stage(("en", "de"), rig.host.translate, speech)
    ear, seat = Ear(), Seat()
    rig.host.stage.watch(seat, "en", None, rig.clock.now())
    assert seat.messages[0].heard == ("de",)  # type: ignore[attr-defined]
    speech.listen(ear, "de", "wav", rig.clock.now())
    audio = noise(5.1, seed=8)
    speaker = rig.connect().say(p.SessionStart()).play(audio[:48_000])
    rig.workers.kill(1)
    rig.settle()
    rig.workers.load()
    speaker.play(audio[48_000:]).say(p.SessionClose())
    rig.pass_time(4.0)
    assert spoken_words(ear.pcm) == spoken_words(sound(expected(audio, "de")))


@pytest.mark.parametrize("form", ["ogg", "wav"])
def test_over_plain_http(form: str) -> None:
    async def test(served: Served) -> None:
        speech = StageSpeech(("de",), lambda job: False)
        stage = Stage(("en", "de"), lambda *job: None, speech)
        served.host.stage = stage
        served.gateway.audience = Audience(stage, Frames(), served.gateway.now)
        address = f"{served.http}/v1/watch/audio"
        async with httpx.AsyncClient(trust_env=False) as client:
            for query in ("lang=en", "lang=de&format=mp3"):
                refused = await client.get(f"{address}?{query}")
                assert refused.status_code == 404
            async with client.stream("GET", f"{address}?lang=de&format={form}") as response:
                assert response.headers["Content-Type"] == FORMATS[form].media
                got = b""
                async for part in response.aiter_raw():
                    got += part
                    if len(got) > 250:
                        break
                assert got.startswith(b"OggS" if form == "ogg" else b"RIFF")
                assert speech.listeners == 1
        while speech.listeners:
            await asyncio.sleep(0.01)

    run(test)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"speak": ("de",)}, "give --stage too"),
        ({"stage": True, "speak": ("de", "ja")}, "no voice .* for ja"),
    ],
)
def test_what_cannot_be_spoken_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_voices(ServeOptions(**options))
