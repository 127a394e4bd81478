"""Sessions that outlive their server: what was acknowledged before it was killed is there when it is started again."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from server import protocol as p
from server.codec import CloseCode
from server.hosted import HostLimits
from server.journal import JournalError, journals, messages, restore
from tests.server.proof import expected
from tests.server.rig import MemoryClient, Rig, noise

AUDIO = noise(8.0, seed=9)


def server(folder: Path, **settings: object) -> Rig:
    rig = Rig(workers=2, **settings)  # type: ignore[arg-type]
    rig.host.journal = folder
    rig.host._new_token = lambda: f"name-{random.random():.16f}"
    return rig


def back(rig: Rig, client: MemoryClient) -> MemoryClient:
    """The client on another server."""
    told = [m for m in client.messages if isinstance(m, (p.SessionReady, p.SessionResumed))][-1]
    last = max((m.seq for m in client.messages if m.numbered), default=0)
    again = rig.connect().say(p.SessionResume(told.session, told.resume_token, last, 0))
    again.messages[:0] = client.messages
    return again


@pytest.mark.parametrize("moment", [0.1, 1.9, 3.3, 6.7])
@pytest.mark.parametrize("targets", [(), ("de", "fr")])
def test_a_session_goes_on_after_the_server_was_killed(
    tmp_path: Path, moment: float, targets: tuple[str, ...]
) -> None:
    first = server(tmp_path)
    client = first.connect().say(p.SessionStart(targets=targets)).play(AUDIO[: int(moment * 16_000)])
    second = server(tmp_path)
    assert second.host.take_over(second.clock.now()) == 1
    again = back(second, client)
    wanted = again.of(p.SessionResumed)[0].next_sample
    assert wanted == int(moment * 16_000)
    again.play(AUDIO[wanted:]).say(p.SessionClose())
    for target in targets or (None,):
        assert again.text(target or p.SOURCE) == expected(AUDIO, target or "")
    numbers = [m.seq for m in again.messages if m.numbered]
    assert numbers == list(range(1, len(numbers) + 1))
    assert again.closed == (CloseCode.DONE, "")


def test_it_goes_on_twice_and_through_flushes_and_gaps(tmp_path: Path) -> None:
    client = server(tmp_path).connect().say(p.SessionStart()).play(AUDIO[:40_000]).say(p.Flush("a"))
    client.play(AUDIO[40_000:50_000]).say(p.Gap(5000)).play(AUDIO[50_000:70_000])
    for end in (90_000, 128_000):
        rig = server(tmp_path)
        assert rig.host.take_over(rig.clock.now()) == 1
        client = back(rig, client)
        begin = client.of(p.SessionResumed)[-1].next_sample - 80_000
        client.play(AUDIO[begin:end])
    client.say(p.SessionClose())
    parts = [AUDIO[:40_000], AUDIO[40_000:50_000], AUDIO[50_000:]]
    assert client.text() == " ".join(expected(part) for part in parts)
    assert len(client.of(p.Flushed)) == 1


def test_what_was_being_written_when_the_server_died_is_left_out(tmp_path: Path) -> None:
    client = server(tmp_path).connect().say(p.SessionStart()).play(AUDIO[:40_000])
    [lines] = tmp_path.glob("*.jsonl")
    whole = lines.read_bytes()
    lines.write_bytes(whole + b'{"kind": "aud')
    with lines.with_suffix(".pcm").open("ab") as pcm:
        pcm.write(b"\1\2\3")
    rig = server(tmp_path)
    assert rig.host.take_over(rig.clock.now()) == 1
    again = back(rig, client)
    assert again.of(p.SessionResumed)[0].next_sample == 40_000
    again.play(AUDIO[40_000:]).say(p.SessionClose())
    assert again.text() == expected(AUDIO)
    pcm = np.frombuffer(lines.with_suffix(".pcm").read_bytes(), "<i2")
    assert np.array_equal(pcm, np.rint(AUDIO * 32768).astype("<i2"))


def test_a_session_whose_end_was_on_its_way_is_settled_by_the_next_server(tmp_path: Path) -> None:
    first = server(tmp_path, ready=True)
    client = first.connect().say(p.SessionStart()).play(AUDIO)
    for number in range(2):
        first.workers.kill(number)
    client.say(p.SessionClose())
    assert client.closed is None
    second = server(tmp_path)
    second.host.take_over(second.clock.now())
    second.settle()
    again = back(second, client)
    assert again.text() == expected(AUDIO)


def test_sessions_that_are_over_or_given_up_do_not_come_back(tmp_path: Path) -> None:
    rig = server(tmp_path, limits=HostLimits(resume=5.0))
    rig.connect().say(p.SessionStart()).play(AUDIO[:16_000]).say(p.SessionClose())
    lost = rig.connect().say(p.SessionStart())
    lost.vanish()
    rig.pass_time(6.0)
    again = server(tmp_path)
    assert again.host.take_over(again.clock.now()) == 0


def test_the_old_token_does_not_serve_after_a_restart(tmp_path: Path) -> None:
    rig = server(tmp_path)
    client = rig.connect().say(p.SessionStart()).play(AUDIO[:16_000])
    client.vanish()
    former = list(client.messages)
    newer = back(rig, client)
    assert newer.closed is None
    second = server(tmp_path)
    second.host.take_over(second.clock.now())
    client.messages = former
    thief = back(second, client)
    assert thief.closed is not None
    assert thief.closed[0] == CloseCode.UNAUTHORIZED


def test_files_are_their_owners_alone_and_old_ones_are_left_alone(tmp_path: Path) -> None:
    server(tmp_path).connect().say(p.SessionStart())
    [lines] = tmp_path.glob("*.jsonl")
    assert lines.stat().st_mode & 0o077 == 0
    now = lines.stat().st_mtime
    assert journals(tmp_path, 60.0, lambda: now + 59) == [lines]
    assert journals(tmp_path, 60.0, lambda: now + 61) == []


@pytest.mark.parametrize("text", ["", "{}\n", "not json\n", json.dumps({"kind": "start"}) + "\n"])
def test_what_is_no_journal_is_said_so_and_passed_over(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(text, "utf-8")
    with pytest.raises(JournalError, match=r"x\.jsonl"):
        restore(path, 0.0)
    rig = server(tmp_path)
    assert rig.host.take_over(rig.clock.now()) == 0


def test_a_disk_that_is_full_ends_the_journal_and_not_the_session(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", "utf-8")
    client = server(blocked / "folder").connect().say(p.SessionStart()).play(AUDIO).say(p.SessionClose())
    assert client.text() == expected(AUDIO)


NO_JOURNAL = ("[1]", "{}", '{"kind": 3}', '{"kind": "message"}', '{"kind": "message", "message": 7}', "7")


@pytest.mark.parametrize("line", NO_JOURNAL)
def test_lines_of_another_log_are_said_to_be_no_journal(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(JournalError, match="is no journal of a session"):
        list(messages(path))
    with pytest.raises(JournalError, match="is no journal of a session"):
        restore(path, 0.0)
