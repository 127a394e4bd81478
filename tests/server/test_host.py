"""Sessions from start to end: nothing is lost, whatever connections and workers do, and every refusal is a sentence."""

from __future__ import annotations

import pytest

from server import protocol as p
from server.codec import CloseCode, encode
from server.hosted import HostLimits
from simul.config import StreamOptions
from tests.server.proof import ProofModels, expected
from tests.server.rig import MemoryClient, Rig, noise, settled

AUDIO = noise(7.3)


def begun(rig: Rig, **start: object) -> MemoryClient:
    return rig.connect().say(p.SessionStart(**start))  # type: ignore[arg-type]


def resumed(rig: Rig, client: MemoryClient, **changes: object) -> MemoryClient:
    """A new socket of a client that has heard what `client` has."""
    tokens = [m.resume_token for m in client.messages if isinstance(m, (p.SessionReady, p.SessionResumed))]
    session = client.messages[0].session  # type: ignore[attr-defined]
    seq = max((m.seq for m in client.messages if m.numbered), default=0)
    given = {"session": session, "resume_token": tokens[-1], "last_seq": seq, "next_sample": 0, **changes}
    again = rig.connect().say(p.SessionResume(**given))  # type: ignore[arg-type]
    again.messages[:0] = client.messages
    return again


def test_what_is_said_is_settled_to_the_last_word() -> None:
    rig = Rig()
    client = begun(rig).play(AUDIO).say(p.SessionClose())
    assert client.text() == expected(AUDIO)
    assert " ".join(m.text for m in client.of(p.SegmentDone)) == expected(AUDIO)
    [end] = client.of(p.SessionEnd)
    assert (end.audio_ms, end.lost, end.words) == (7300, 0, len(expected(AUDIO).split()))
    assert client.closed == (CloseCode.DONE, "")
    assert rig.host.active == 0


def test_numbers_have_no_hole_and_other_messages_repeat_the_last() -> None:
    client = begun(Rig()).play(AUDIO).say(p.SessionClose())
    last = 0
    for message in client.messages:
        last += message.numbered
        assert message.seq == last


def test_a_session_is_told_what_it_does() -> None:
    [ready] = begun(Rig(), source="en", targets=("de",)).of(p.SessionReady)
    config = ready.config
    assert (config.source, config.targets, config.streams) == ("en", ("de",), ("source", "de"))
    assert (config.model, config.policy, config.chunk_ms) == ("proof", "local-agreement", 400)


@pytest.mark.parametrize("targets", [("de",), ("de", "fr")])
def test_every_language_is_a_stream_beside_the_source(targets: tuple[str, ...]) -> None:
    client = begun(Rig(), targets=targets).play(AUDIO).say(p.SessionClose())
    for target in targets:
        assert client.text(target) == expected(AUDIO, target)
    assert client.text() == expected(AUDIO)


def test_a_tail_stands_behind_settled_text_and_is_gone_at_the_end() -> None:
    client = begun(Rig()).play(AUDIO)
    tails = [m.text for m in client.of(p.TailText)]
    assert any(tail.strip().startswith("~") or " ~" in tail for tail in tails)
    client.say(p.SessionClose())
    last = [m for m in client.messages if isinstance(m, (p.TailText, p.SettledText))][-1]
    assert (last.tail if isinstance(last, p.SettledText) else last.text) == ""


def test_a_flush_settles_what_was_said_and_the_session_goes_on() -> None:
    rig = Rig()
    client = begun(rig).play(AUDIO[:20_000]).say(p.Flush("a"))
    assert client.of(p.Flushed) == [p.Flushed("a", 1250, seq=client.messages[-1].seq)]
    before = client.text()
    assert before == expected(AUDIO[:20_000])
    client.play(AUDIO[20_000:]).say(p.SessionClose())
    assert client.text() == before + " " + expected(AUDIO, base=20_000)


def test_a_mark_comes_back_when_what_was_before_it_was_processed() -> None:
    client = begun(Rig()).play(AUDIO[:6400]).say(p.Mark("here"))
    assert client.of(p.Marked)[0] == p.Marked("here", 400, seq=client.of(p.Marked)[0].seq)


def test_a_gap_moves_the_clock_on() -> None:
    client = (
        begun(Rig()).play(AUDIO[:16_000]).say(p.Gap(30_000)).play(AUDIO[16_000:32_000]).say(p.SessionClose())
    )
    assert client.text() == expected(AUDIO[:16_000]) + " " + expected(AUDIO[16_000:32_000])
    assert client.of(p.SegmentDone)[-1].t0 == 31_000
    assert client.of(p.SessionEnd)[0].audio_ms == 32_000


def test_languages_change_from_the_next_audio_on() -> None:
    client = begun(Rig(), targets=("de",)).play(AUDIO[:32_000]).say(p.SessionUpdate(targets=("fr",)))
    assert client.of(p.SessionUpdated)[0].config.targets == ("fr",)
    client.play(AUDIO[32_000:64_000]).say(p.SessionClose())
    assert client.text("de") == expected(AUDIO[:32_000], "de")
    assert client.text("fr").split() == expected(AUDIO[32_000:64_000], "fr").split()


def test_what_was_heard_before_a_change_is_settled_in_the_language_it_was_heard_for() -> None:
    client = begun(Rig(), targets=("de",)).play(AUDIO[:20_000]).say(p.SessionUpdate(targets=("fr",)))
    client.play(AUDIO[20_000:52_000]).say(p.SessionClose())
    assert client.text("de") == expected(AUDIO[:20_000], "de")
    assert client.text("fr").split() == expected(AUDIO[20_000:52_000], "fr").split()
    assert client.text().split() == [
        *expected(AUDIO[:20_000]).split(),
        *expected(AUDIO[20_000:52_000]).split(),
    ]


def test_a_change_to_a_language_that_is_not_served_ends_that_session_in_a_sentence() -> None:
    rig = Rig()
    neighbour, client = begun(rig), begun(rig, targets=("de",)).play(AUDIO[:20_000])
    client.say(p.SessionUpdate(targets=("ja",)))
    assert client.closed is not None
    assert client.closed[0] == CloseCode.UNAVAILABLE
    assert "'ja' is not served" in client.of(p.ErrorMessage)[0].message
    neighbour.play(AUDIO).say(p.SessionClose())
    assert neighbour.text() == expected(AUDIO)


@pytest.mark.parametrize("seconds", [0.2, 2.0, 10.0, 50.0])
@pytest.mark.parametrize("heard", [0.4, 3.1])
def test_a_client_that_comes_back_has_lost_nothing(seconds: float, heard: float) -> None:
    rig = Rig()
    client = begun(rig).play(AUDIO[: int(heard * 16_000)])
    client.vanish()
    rig.pass_time(seconds)
    again = resumed(rig, client)
    wanted = again.of(p.SessionResumed)[0].next_sample
    assert wanted == int(heard * 16_000)
    again.play(AUDIO[wanted:]).say(p.SessionClose())
    assert again.text() == expected(AUDIO)
    assert again.of(p.SessionEnd)[0].lost == 0
    assert again.closed == (CloseCode.DONE, "")


def test_audio_that_neither_side_has_is_a_gap_that_is_told() -> None:
    rig = Rig()
    client = begun(rig).play(AUDIO[:16_000])
    client.vanish()
    again = resumed(rig, client, next_sample=48_000)
    assert again.of(p.SessionResumed)[0].gap == p.Missing(1000, 3000)
    assert again.of(p.SessionResumed)[0].next_sample == 48_000
    again.play(AUDIO[48_000:]).say(p.SessionClose())
    assert [(m.t0, m.t1) for m in again.of(p.AudioLost)] == [(1000, 3000)]
    assert again.text() == expected(AUDIO[:16_000]) + " " + expected(AUDIO, base=48_000)


def test_what_was_settled_while_nobody_listened_is_told_afterwards() -> None:
    rig = Rig()
    client = begun(rig).play(AUDIO)
    client.port.receive('{"type": "end"}', rig.clock.now())
    client.vanish()
    rig.settle()
    again = resumed(rig, client)
    assert again.text() == expected(AUDIO)
    assert isinstance(again.messages[-1], (p.SessionEnd, p.AudioAck))
    assert again.of(p.SessionEnd)
    assert again.closed == (CloseCode.DONE, "")


def test_a_client_that_missed_too_much_gets_the_text_as_it_stands() -> None:
    rig = Rig()
    client = begun(rig, want=p.Want(progress=False))
    live = next(iter(rig.host.sessions.values())).live
    client.play(AUDIO)
    client.vanish()
    live.acknowledge(live.seq - 2)
    again = resumed(rig, client, last_seq=0)
    [snapshot] = again.of(p.Snapshot)
    state = snapshot.streams[0]
    assert expected(AUDIO).startswith(" ".join([*state.segments, state.text]).strip())
    assert snapshot.seq == live.seq


def test_a_token_serves_once() -> None:
    rig = Rig()
    client = begun(rig)
    client.vanish()
    first = resumed(rig, client)
    second = resumed(rig, client, session=client.messages[0].session)  # type: ignore[attr-defined]
    assert first.closed is None
    assert second.closed is not None
    assert second.closed[0] == CloseCode.UNAUTHORIZED
    assert second.of(p.ErrorMessage)[-1].code == "bad_token"


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_client_that_comes_back_after_its_end_may_say_it_again(rate: int) -> None:
    rig = Rig()
    client = begun(rig, audio=p.AudioFormat(rate=rate)).play(AUDIO[:32_000])
    client.port.receive(encode(p.SessionClose()), rig.clock.now())
    client.vanish()
    [ready] = client.of(p.SessionReady)
    again = rig.connect().say(p.SessionResume(ready.session, ready.resume_token, 0, 0))
    again.say(p.SessionClose())
    assert not again.of(p.ErrorMessage)
    assert again.of(p.SessionEnd)
    assert again.closed == (CloseCode.DONE, "")


def test_audio_that_comes_after_the_server_ended_a_session_is_not_counted() -> None:
    rig = Rig()
    client = begun(rig).play(AUDIO[:32_000])
    rig.host.finish_all(rig.clock.now())
    client.port.receive(bytes(3200), rig.clock.now())
    rig.settle()
    [end] = client.of(p.SessionEnd)
    assert end.audio_ms == 2000
    assert client.text() == expected(AUDIO[:32_000])


def test_a_second_connection_takes_the_session_over() -> None:
    rig = Rig()
    client = begun(rig).play(AUDIO[:8000])
    again = resumed(rig, client)
    assert client.closed is not None
    assert client.closed[0] == CloseCode.TAKEN_OVER
    again.play(AUDIO[8000:]).say(p.SessionClose())
    assert again.text() == expected(AUDIO)


def test_a_session_that_nobody_comes_back_for_is_over() -> None:
    rig = Rig()
    client = begun(rig)
    client.vanish()
    rig.pass_time(61)
    late = resumed(rig, client)
    assert late.closed is not None
    assert late.closed[0] == CloseCode.RESUME_EXPIRED
    stranger = rig.connect().say(p.SessionResume("nobody", "x", 0, 0))
    assert stranger.closed is not None
    assert stranger.closed[0] == CloseCode.UNKNOWN_SESSION
    assert rig.host.active == 0


@pytest.mark.parametrize("moments", [(0.5,), (2.2,), (3.9, 4.0, 6.1)])
@pytest.mark.parametrize("targets", [(), ("de",), ("de", "fr")])
def test_a_worker_that_breaks_costs_no_word(moments: tuple[float, ...], targets: tuple[str, ...]) -> None:
    rig = Rig(workers=2)
    client = begun(rig, targets=targets)
    begin = 0
    for moment in moments:
        end = int(moment * 16_000)
        client.play(AUDIO[begin:end])
        begin = end
        hosted = next(iter(rig.host.sessions.values()))
        rig.workers.kill(hosted.worker)
        rig.workers.load()
    client.play(AUDIO[begin:]).say(p.SessionClose())
    for target in targets:
        assert client.text(target) == expected(AUDIO, target)
    assert client.text() == expected(AUDIO)
    assert client.of(p.SessionEnd)[0].lost == 0


def test_a_client_that_comes_before_the_models_waits_and_is_told() -> None:
    rig = Rig(ready=False)
    client = begun(rig)
    assert [m.reason for m in client.of(p.SessionWaiting)] == ["loading"]
    client.play(AUDIO[:50_000])
    assert not client.of(p.SessionReady)
    rig.workers.load()
    rig.settle()
    assert client.of(p.SessionReady)
    client.play(AUDIO[50_000:]).say(p.SessionClose())
    assert client.text() == expected(AUDIO)


def test_a_full_server_says_so_after_a_while_and_takes_the_next_when_it_can() -> None:
    rig = Rig(limits=HostLimits(sessions=1))
    first, second = begun(rig), begun(rig)
    assert [m.reason for m in second.of(p.SessionWaiting)] == ["capacity"]
    rig.pass_time(2.5)
    assert second.closed == (CloseCode.OVERLOADED, "The server is full; try again in a few seconds.")
    assert second.of(p.ErrorMessage)[0].retry_after_ms == 5000
    third = begun(rig)
    first.say(p.SessionClose())
    rig.pass_time(0.2)
    assert third.of(p.SessionReady)


def test_the_waiting_room_is_small() -> None:
    rig = Rig(limits=HostLimits(sessions=1, queue=2))
    clients = [begun(rig) for _ in range(4)]
    assert [client.closed is None for client in clients] == [True, True, True, False]
    assert clients[3].of(p.ErrorMessage)[0].code == "overloaded"


def test_an_owner_has_so_many_sessions() -> None:
    rig = Rig(limits=HostLimits(per_owner=1))
    begun(rig)
    second = begun(rig)
    assert second.closed is not None
    assert second.closed[0] == CloseCode.QUOTA
    assert rig.connect(address="elsewhere").say(p.SessionStart()).of(p.SessionReady)


def test_a_language_that_the_model_does_not_serve_is_refused_in_a_sentence() -> None:
    rig = Rig()
    client = begun(rig, targets=("xx",))
    assert client.closed is not None
    assert client.closed[0] == CloseCode.UNAVAILABLE
    assert "'xx' is not served" in client.of(p.ErrorMessage)[0].message
    assert rig.host.active == 0


def test_an_unknown_policy_is_refused_in_a_sentence() -> None:
    client = begun(Rig(), policy=p.PolicyChoice("wait-for-it"))
    assert "wait-for-it" in client.of(p.ErrorMessage)[0].message
    assert client.closed is not None


def failing() -> tuple[Rig, list[int]]:
    """A rig whose model fails once for everything in the list."""
    left: list[int] = []

    def on_decode(batch: int) -> None:
        if left:
            left.pop()
            raise RuntimeError("no memory")

    return Rig(make=lambda: ProofModels(on_decode)), left


@pytest.mark.parametrize(("targets", "failures"), [((), 1), (("de", "fr"), 2)])
def test_a_stream_that_fails_once_is_heard_anew_and_loses_no_word(
    targets: tuple[str, ...], failures: int
) -> None:
    """Two languages fail in a batch before one of them fails alone."""
    rig, left = failing()
    client = begun(rig, targets=targets).play(AUDIO[:40_000])
    left += [1] * failures
    client.play(AUDIO[40_000:]).say(p.SessionClose())
    for target in targets or ("",):
        assert client.text(target or p.SOURCE) == expected(AUDIO, target)
    assert client.closed == (CloseCode.DONE, "")
    assert rig.host.metrics.value("retries_total") == 1


def test_a_stream_that_fails_again_says_so_and_leaves_its_neighbour_alone() -> None:
    rig, left = failing()
    one, other = begun(rig), begun(rig)
    one.play(AUDIO[:16_000])
    left += [1, 1]
    one.play(AUDIO[16_000:32_000])
    assert "no memory" in one.of(p.ErrorMessage)[0].message
    assert one.closed is not None
    assert one.closed[0] == CloseCode.INTERNAL
    assert one.of(p.SessionEnd)
    assert expected(AUDIO).startswith(one.text())
    other.play(AUDIO).say(p.SessionClose())
    assert other.text() == expected(AUDIO)


def test_a_token_is_asked_for_where_one_is_needed() -> None:
    rig = Rig(tokens=["secret"])
    for client in (begun(rig), begun(rig, token="wrong")):
        assert client.closed is not None
        assert client.closed[0] == CloseCode.UNAUTHORIZED
    assert begun(rig, token="secret").of(p.SessionReady)
    assert rig.connect(token="secret").say(p.SessionStart()).of(p.SessionReady)


def test_a_session_has_a_longest_time_and_is_warned() -> None:
    from server.connection import ConnectionLimits

    rig = Rig(limits=HostLimits(connection=ConnectionLimits(session=70.0)))
    client = begun(rig).play(AUDIO)
    rig.pass_time(10)
    assert client.of(p.SessionMoving)
    client.play(noise(56))
    assert client.of(p.SessionEnd)


def test_draining_ends_sessions_without_losing_a_word() -> None:
    rig = Rig()
    clients = [begun(rig) for _ in range(3)]
    for client in clients:
        client.play(AUDIO)
    rig.host.drain(rig.clock.now(), 10)
    late = begun(rig)
    assert late.closed is not None
    assert late.closed[0] == CloseCode.RESTART
    rig.host.finish_all(rig.clock.now())
    rig.settle()
    for client in clients:
        assert client.of(p.SessionMoving)
        assert client.text() == expected(AUDIO)
        assert client.closed == (CloseCode.DONE, "")
    assert rig.host.active == 0


def test_a_policy_that_revises_keeps_its_text_in_the_tail_until_the_segment_is_complete() -> None:
    client = begun(Rig(), policy=p.PolicyChoice("sliding-window")).play(AUDIO).say(p.SessionClose())
    assert client.text() == expected(AUDIO)
    assert len(client.of(p.SettledText)) == len(client.of(p.SegmentDone))


def test_progress_and_acknowledgements_come_once_a_second() -> None:
    client = begun(Rig()).play(AUDIO)
    acks = [m.samples for m in client.of(p.AudioAck)]
    assert len(acks) in (6, 7, 8)
    assert acks == sorted(acks)
    last = client.of(p.SessionProgress)[-1]
    assert last.received >= last.processed >= last.settled["source"] > 5000


def test_settled_text_never_depends_on_how_audio_was_cut() -> None:
    texts = {begun(Rig()).play(AUDIO, piece).say(p.SessionClose()).text() for piece in (160, 777, 32_000)}
    assert texts == {expected(AUDIO)}


def test_metrics_count_what_happened() -> None:
    rig = Rig(stream=StreamOptions(source="en", target="de", chunk_ms=400))
    client = begun(rig).play(AUDIO)
    client.vanish()
    again = resumed(rig, client).say(p.SessionClose())
    metrics = rig.host.metrics
    assert metrics.value("resumes_total", result="whole") == 1
    assert metrics.value("sessions_total") == 1
    assert metrics.value("sessions") == 0
    assert metrics.value("lost_samples") == 0
    assert settled(again.messages, "de") == expected(AUDIO, "de")
    assert "simul_settled_lag_seconds_count" in metrics.text()
