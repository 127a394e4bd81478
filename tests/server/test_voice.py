"""Speech of settled text on the wire: every word once and in order, whatever breaks; its sound tells the words."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from server import protocol as p
from server.codec import CloseCode
from server.voice import SessionVoices, StreamVoice
from server.workers.messages import SPEECH_RATE, SpeakText, TextSpoken
from server.workers.speech import InstalledVoices, installed_voices
from tests.server.proof import ProofModels, expected, sound, spoken_words
from tests.server.rig import MemoryClient, Rig, noise
from tests.server.test_journal import back, server
from tts import SpeakingPace

AUDIO = noise(6.3, seed=21)
WANT = p.Want(speech=True)


def speaking(rig: Rig, *targets: str, want: p.Want = WANT) -> MemoryClient:
    return rig.connect().say(p.SessionStart(targets=targets, want=want))


def test_every_language_is_spoken_to_the_last_word_before_the_session_ends() -> None:
    rig = Rig()
    client = speaking(rig, "de", "fr")
    assert client.of(p.SessionReady)[0].config.speech == ("de", "fr")
    client.play(AUDIO).say(p.SessionClose())
    rig.pass_time(0.3)
    for target in ("de", "fr"):
        assert spoken_words(client.speech(target)) == spoken_words(sound(expected(AUDIO, target)))
    assert isinstance(client.messages[-1], p.SessionEnd)
    assert client.closed == (CloseCode.DONE, "")


def test_an_utterance_says_what_it_renders_and_where_it_stands() -> None:
    rig = Rig()
    client = speaking(rig, "de").play(AUDIO).say(p.SessionClose())
    rig.pass_time(0.3)
    begins, ends = client.of(p.SpeechBegin), client.of(p.SpeechEnd)
    assert [b.utterance for b in begins] == list(range(len(begins))) == [e.utterance for e in ends]
    assert {(b.rate, b.voice, b.language) for b in begins} == {(SPEECH_RATE, "proof de", "de")}
    assert " ".join(b.text for b in begins) == expected(AUDIO, "de")
    assert [b.position for b in begins[1:]] == [b.position + b.samples for b in begins[:-1]]
    spans = [(b.t0, b.t1) for b in begins]
    assert spans[0][0] == 0
    assert spans[-1][1] == 6300
    assert all(a <= b for a, b in spans)
    assert spans == sorted(spans)


def test_nobody_speaks_unasked_and_it_begins_and_stops_while_the_session_runs() -> None:
    rig = Rig()
    client = speaking(rig, "de", want=p.Want()).play(AUDIO[:64_000])
    assert client.of(p.SpeechBegin) == []
    client.say(p.SessionUpdate(want=WANT)).play(AUDIO[64_000:96_000])
    assert client.of(p.SessionUpdated)[-1].config.speech == ("de",)
    client.say(p.SessionUpdate(want=p.Want()))
    rig.pass_time(1.0)
    said = " ".join(b.text for b in client.of(p.SpeechBegin))
    assert said
    assert said in expected(AUDIO, "de")
    count = len(client.of(p.SpeechBegin))
    client.play(AUDIO[96_000:]).say(p.SessionClose())
    assert len(client.of(p.SpeechBegin)) == count
    assert client.text("de") == expected(AUDIO, "de")


def test_a_language_without_a_voice_is_written_and_that_is_said_once() -> None:
    rig = Rig()
    client = speaking(rig, "ar", "de").play(AUDIO).say(p.SessionClose())
    rig.pass_time(0.3)
    assert [m.message for m in client.of(p.ErrorMessage)] == [
        "There is no voice here for ar; it is written, not spoken."
    ]
    assert client.text("ar") == expected(AUDIO, "ar")
    assert spoken_words(client.speech("de")) == spoken_words(sound(expected(AUDIO, "de")))


def test_a_voice_is_chosen_and_changed_while_the_session_runs() -> None:
    rig = Rig()
    client = speaking(rig, "de", "fr", want=p.Want(speech=True, voice={"de": "deep", "en": "plain"}))
    assert client.of(p.SessionReady)[0].config.voice == {"de": "deep"}
    client.play(AUDIO[:64_000])
    assert {b.voice for b in client.of(p.SpeechBegin)} == {"proof de deep", "proof fr"}
    client.say(p.SessionUpdate(want=p.Want(speech=True, voice={"de": "plain"})))
    assert client.of(p.SessionUpdated)[-1].config.voice == {"de": "plain"}
    before = len(client.of(p.SpeechBegin))
    client.play(AUDIO[64_000:]).say(p.SessionClose())
    rig.pass_time(0.3)
    assert {b.voice for b in client.of(p.SpeechBegin)[before + 2 :]} == {"proof de plain", "proof fr"}
    assert spoken_words(client.speech("de")) == spoken_words(sound(expected(AUDIO, "de")))


def test_a_voice_that_there_is_not_is_named_once_and_the_usual_one_speaks() -> None:
    rig = Rig()
    strange = p.Want(speech=True, voice={"de": "../../secret"})
    client = speaking(rig, "de", want=strange).play(AUDIO[:64_000])
    client.say(p.SessionUpdate(want=strange))
    client.play(AUDIO[64_000:]).say(p.SessionClose())
    rig.pass_time(0.3)
    assert [m.message for m in client.of(p.ErrorMessage)] == [
        "There is no voice '../../secret' for de (there are plain, deep); the usual one speaks."
    ]
    assert client.of(p.SessionReady)[0].config.voice == {}
    assert {b.voice for b in client.of(p.SpeechBegin)} == {"proof de"}


def test_after_the_server_was_killed_the_voice_is_the_one_that_was_chosen(tmp_path: Path) -> None:
    chosen = p.Want(speech=True, voice={"de": "deep"})
    client = speaking(server(tmp_path), "de", want=chosen).play(AUDIO[:32_000])
    second = server(tmp_path)
    assert second.host.take_over(second.clock.now()) == 1
    again = back(second, client)
    again.play(AUDIO[again.of(p.SessionResumed)[0].next_sample :]).say(p.SessionClose())
    second.pass_time(0.3)
    assert {b.voice for b in again.of(p.SpeechBegin)} == {"proof de deep"}


def test_voices_on_this_machine_have_names_that_speak() -> None:
    pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed; pip install simul[embedded]")
    offered = installed_voices()
    assert offered["de"][:3] == (("de", "German"), ("de+f2", "German, higher"), ("de+m3", "German, lower"))
    assert "ja" not in offered
    assert {"en-us", "en-gb"} & {name for name, _ in offered["en"]}
    voices = InstalledVoices()
    sounds = {
        name: voices.speak("Guten Tag.", "de", SpeakingPace(1.0, 0.0), name) for name, _ in offered["de"]
    }
    assert {said for _, said in sounds.values()} == {f"espeak-ng {name}" for name in sounds}
    assert len({pcm for pcm, _ in sounds.values()}) == 3


def test_a_voice_that_fails_leaves_the_text_alone() -> None:
    class Hoarse(ProofModels):
        def speak(self, text: str, language: str, pace: SpeakingPace, voice: str = "") -> tuple[bytes, str]:
            raise RuntimeError("the voice is gone")

    rig = Rig(make=Hoarse)
    client = speaking(rig, "de").play(AUDIO).say(p.SessionClose())
    rig.pass_time(0.3)
    problems = client.of(p.ErrorMessage)
    assert len(problems) == 1
    assert (problems[0].code, problems[0].fatal) == ("speech", False)
    assert client.text("de") == expected(AUDIO, "de")
    assert client.closed == (CloseCode.DONE, "")


@pytest.mark.parametrize("seconds", [0.3, 2.1, 4.4])
def test_a_client_that_comes_back_hears_every_word_once(seconds: float) -> None:
    rig = Rig()
    client = speaking(rig, "de").play(AUDIO[: int(seconds * 16_000)])
    # The connection breaks in the middle of the last utterance: its end never comes.
    cut = next((i for i in range(len(client.frames) - 1, 0, -1) if isinstance(client.frames[i], bytes)), None)
    if cut is not None:
        client.frames = [*client.frames[:cut], client.frames[cut][:4800]]  # type: ignore[list-item]
        client.messages = [m for m in client.messages if m.seq <= client.of(p.SpeechEnd)[-1].seq - 1]
    ready = client.of(p.SessionReady)[0]
    client.vanish()
    last = max((m.seq for m in client.messages if m.numbered), default=0)
    again = rig.connect().say(p.SessionResume(ready.session, ready.resume_token, last, 0))
    at = again.of(p.SessionResumed)[0].next_sample
    again.play(AUDIO[at:]).say(p.SessionClose())
    rig.pass_time(0.3)
    again.frames[:0] = client.frames
    assert spoken_words(again.speech("de")) == spoken_words(sound(expected(AUDIO, "de")))


@pytest.mark.parametrize("moment", [0.9, 2.3, 6.0])
def test_a_worker_that_breaks_costs_no_word_of_speech(moment: float) -> None:
    rig = Rig(workers=2)
    client = speaking(rig, "de").play(AUDIO[: int(moment * 16_000)])
    rig.workers.kill(next(iter(rig.host.sessions.values())).worker)
    rig.settle()
    client.play(AUDIO[int(moment * 16_000) :]).say(p.SessionClose())
    rig.workers.load()
    rig.pass_time(0.3)
    assert spoken_words(client.speech("de")) == spoken_words(sound(expected(AUDIO, "de")))
    assert client.closed == (CloseCode.DONE, "")


@pytest.mark.parametrize("moment", [1.9, 3.3, 6.0])
def test_after_the_server_was_killed_speech_goes_on_behind_what_was_said(
    tmp_path: Path, moment: float
) -> None:
    client = speaking(server(tmp_path), "de").play(AUDIO[: int(moment * 16_000)])
    second = server(tmp_path)
    assert second.host.take_over(second.clock.now()) == 1
    again = back(second, client)
    at = again.of(p.SessionResumed)[0].next_sample
    again.play(AUDIO[at:]).say(p.SessionClose())
    second.pass_time(0.3)
    again.frames[:0] = client.frames
    assert spoken_words(again.speech("de")) == spoken_words(sound(expected(AUDIO, "de")))


def test_what_a_worker_is_asked_for_waits_for_what_it_speaks() -> None:
    voice = StreamVoice("key", "en")
    voice.settled("One. Two. ", 0, 1000, 0.0)
    first = voice.lane.job(0.0)
    assert (first.text, voice.lane.job(0.0)) == ("One.", None)  # type: ignore[union-attr]
    voice.lane.again()
    assert voice.lane.job(0.0) == first
    said = voice.lane.spoken(TextSpoken("key", 0, "en", bytes(2), "v"), 0.0)
    assert said is not None
    assert voice.lane.spoken(TextSpoken("key", 0, "en", bytes(2), "v"), 0.0) is None
    assert voice.lane.job(0.0).text == "Two."  # type: ignore[union-attr]


def jobs(voices: SessionVoices, now: float) -> Iterable[str]:
    return [job.text for job in voices.jobs(now)]


def test_speech_hurries_while_it_piles_up() -> None:
    voice = StreamVoice("key", "en")
    asked: list[SpeakText] = []
    voice.settled("One two three. " * 8, 0, 8000, 0.0)
    while (job := voice.lane.job(0.0)) is not None:
        asked.append(job)
        voice.lane.spoken(TextSpoken("key", job.number, "en", bytes(2 * SPEECH_RATE), "v"), 0.0)
    speeds = [job.speed for job in asked]
    assert speeds[0] == 1.0
    assert speeds == sorted(speeds)
    assert 1.1 < speeds[-1] <= 1.25
    assert asked[-1].hurry == 1.0


def test_words_that_wait_are_spoken_after_a_pause() -> None:
    voices = SessionVoices("key")
    voices.choose(["en"], {})
    voices.heard(p.SettledText("en", 0, "And then we", "en", 0, 900), ["en"], 0.0)
    assert jobs(voices, 0.5) == []
    assert jobs(voices, 1.3) == ["And then"]
