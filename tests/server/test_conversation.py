"""Two languages in turn: what is said stands in the language it is said in, and in the other as soon as it is over."""

from __future__ import annotations

from pathlib import Path

import pytest

from server import protocol as p
from server.codec import CloseCode
from server.options import ServeOptions
from simul.config import StreamOptions
from simul.errors import UsageError
from tests.server.proof import SEGMENT, expected, sound, spoken_in, spoken_words
from tests.server.rig import MemoryClient, Rig, noise
from tests.server.test_journal import back, server

AUDIO = noise(17.1, seed=41)
TURNS = [AUDIO[at : at + SEGMENT] for at in range(0, len(AUDIO), SEGMENT)]
SPOKEN = [spoken_in(turn, ("en", "de")) for turn in TURNS]
START = p.SessionStart(two_way=("en", "de"))


def told_in(language: str) -> str:
    """What was said in the other language."""
    turns = [t for t, spoken in zip(TURNS, SPOKEN, strict=True) if spoken != language]
    return " ".join(expected(turn, language) for turn in turns)


def check(client: MemoryClient) -> None:
    """All that was said and what it means, each once and in order, with its language."""
    assert client.text() == expected(AUDIO)
    ends = [m for m in client.of(p.SegmentDone) if m.stream == p.SOURCE]
    assert [m.language for m in ends] == SPOKEN
    for language in ("en", "de"):
        assert " ".join(client.text(language).split()) == told_in(language)
        told = [m.segment for m in client.of(p.SegmentDone) if m.stream == language]
        assert told == [n for n, spoken in enumerate(SPOKEN) if spoken != language]


def test_the_audio_of_these_tests_takes_turns() -> None:
    assert SPOKEN.count("en") > 1
    assert SPOKEN.count("de") > 1


def test_every_utterance_is_told_in_the_other_language() -> None:
    client = Rig().connect().say(START)
    config = client.of(p.SessionReady)[0].config
    assert (config.two_way, config.streams) == (("en", "de"), ("source", "en", "de"))
    client.play(AUDIO).say(p.SessionClose())
    check(client)
    assert client.closed == (CloseCode.DONE, "")
    # A translation comes right behind the end of what it translates, with its times.
    done = client.of(p.SegmentDone)
    for first, second in zip(done[::2], done[1::2], strict=True):
        assert (first.stream, first.segment, first.t0, first.t1) == (
            p.SOURCE,
            second.segment,
            second.t0,
            second.t1,
        )


def test_a_tail_says_in_which_language_it_is() -> None:
    client = Rig().connect().say(START).play(AUDIO[: 5 * 16_000])
    tails = [m for m in client.of(p.TailText) if m.text]
    assert {m.stream for m in tails} == {p.SOURCE}
    assert all(m.language == SPOKEN[m.segment] for m in tails)


def test_a_conversation_is_spoken_by_a_voice_for_each_language() -> None:
    rig = Rig()
    want = p.Want(speech=True, voice={"de": "deep", "en": "plain"})
    client = rig.connect().say(p.SessionStart(two_way=("en", "de"), want=want))
    client.play(AUDIO).say(p.SessionClose())
    rig.pass_time(1.0)
    for language in ("en", "de"):
        assert spoken_words(client.speech(language)) == spoken_words(sound(told_in(language)))
    voices = {(begin.language, begin.voice) for begin in client.of(p.SpeechBegin)}
    assert voices == {("en", "proof en plain"), ("de", "proof de deep")}, "each language has its own"


def test_a_flush_comes_after_what_it_flushed_was_translated() -> None:
    client = Rig().connect().say(START).play(AUDIO[:24_000]).say(p.Flush("a"))
    [flushed] = client.of(p.Flushed)
    [end] = [m for m in client.of(p.SegmentDone) if m.stream != p.SOURCE]
    assert end.seq < flushed.seq


@pytest.mark.parametrize("moment", [0.7, 4.1, 9.9])
def test_a_worker_that_breaks_costs_no_word_of_it(moment: float) -> None:
    rig = Rig(workers=2)
    at = int(moment * 16_000)
    client = rig.connect().say(START).play(AUDIO[:at])
    rig.workers.kill(next(iter(rig.host.sessions.values())).worker)
    client.play(AUDIO[at:]).say(p.SessionClose())
    check(client)


def test_it_goes_on_after_the_server_was_killed(tmp_path: Path) -> None:
    client = server(tmp_path).connect().say(START).play(AUDIO[:70_000])
    second = server(tmp_path)
    assert second.host.take_over(second.clock.now()) == 1
    again = back(second, client)
    at = again.of(p.SessionResumed)[0].next_sample
    again.play(AUDIO[at:]).say(p.SessionClose())
    check(again)


def test_it_begins_and_ends_while_the_session_runs() -> None:
    client = Rig().connect().say(p.SessionStart(targets=("fr",))).play(AUDIO[:32_000])
    client.say(p.SessionUpdate(two_way=("en", "de"))).play(AUDIO[32_000:96_000])
    assert client.of(p.SessionUpdated)[-1].config.two_way == ("en", "de")
    client.say(p.SessionUpdate(two_way=(), source="en", targets=("fr",))).play(AUDIO[96_000:])
    client.say(p.SessionClose())
    assert client.of(p.SessionUpdated)[-1].config.two_way == ()
    said = client.text("fr").split()
    assert said[:10] == expected(AUDIO[:32_000], "fr").split()
    assert said[-5:] == expected(AUDIO, "fr").split()[-5:]


def test_a_server_that_was_started_for_a_conversation_holds_one_unless_asked_otherwise() -> None:
    rig = Rig(stream=StreamOptions(source="en+de", target="en+de", chunk_ms=400))
    assert rig.connect().say(p.SessionStart()).of(p.SessionReady)[0].config.two_way == ("en", "de")
    one_way = rig.connect().say(p.SessionStart(source="en", targets=("fr",)))
    assert one_way.of(p.SessionReady)[0].config.streams == ("source", "fr")


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        (("en",), "two languages"),
        (("en", "en"), "different"),
        (("en", "ar"), "Nothing here translates from en into ar"),
    ],
)
def test_what_is_no_conversation_is_refused_in_a_sentence(pair: tuple[str, ...], said: str) -> None:
    client = Rig().connect().say(p.SessionStart(two_way=pair))
    assert said in client.of(p.ErrorMessage)[0].message
    assert client.closed is not None
    assert client.closed[0] == CloseCode.UNAVAILABLE


@pytest.mark.parametrize(
    "options", [{"two_way": "en"}, {"two_way": "en,en"}, {"two_way": "en,es", "stage": True}]
)
def test_options_that_make_no_conversation(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="--two-way"):
        ServeOptions(**options)  # type: ignore[arg-type]
