"""The commands around the server: `serve` refuses what cannot work, `replay` and `schema` print."""

from __future__ import annotations

import importlib.util
import json
import socket
from pathlib import Path

import pytest

from server import protocol as p
from simul.backends.families import load_backend
from simul.errors import ExitCode
from tests.server.proof import expected
from tests.server.rig import Rig, noise
from tests.simul.scripted_cli import command

AUDIO = noise(3.0, seed=11)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """The journal of a session with a pause in it."""
    rig = Rig()
    rig.host.journal = tmp_path
    client = rig.connect().say(p.SessionStart()).play(AUDIO[:32_000]).say(p.Gap(2000))
    client.play(AUDIO[32_000:]).say(p.SessionClose())
    return next(tmp_path.glob("*.jsonl"))


def test_workers_on_ray_need_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else found(name))
    code, _, err = command("serve", "--engine", "ray")
    assert code == ExitCode.USAGE
    assert "--engine ray needs ray: pip install" in err
    assert "[ray]" in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "give --token-file FILE, or --insecure"),
        (["--port", "70000"], "give 0 to 65535"),
        (["--keyfile", "key.pem"], "give --certfile too"),
        (["--certfile", "nowhere.pem"], "The certificate nowhere.pem cannot be used"),
        (["--token-file", "nowhere"], "The token file nowhere cannot be read"),
        (["--policy", "wait-for-it"], "wait-for-it"),
    ],
)
def test_options_that_cannot_work_are_refused(options: list[str], said: str) -> None:
    code, out, err = command("serve", "--check", *options)
    assert code == ExitCode.USAGE
    assert said in err
    assert out == ""


@pytest.mark.parametrize(("address", "said"), [("fi=https://x.example/", "offers"), ("nowhere", "LANG=URL")])
def test_a_receiver_of_captions_is_checked(address: str, said: str) -> None:
    code, _, err = command("serve", "--check", "--stage", "--caption-sink", address)
    assert code == ExitCode.USAGE
    assert said in err


def test_options_that_can_work_are_said_to(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("one\ntwo\n", "utf-8")
    code, _, err = command("serve", "--check", "--host", "0.0.0.0", "--token-file", str(tokens))
    assert (code, err) == (0, "The options can be used. Scripted model.\n")
    tokens.write_text("\n", "utf-8")
    assert "holds no token" in command("serve", "--check", "--token-file", str(tokens))[2]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--target", "xx"], "not 'en' into 'xx'"),
        (["--target", "ja"], "not 'en' into 'ja'"),
        (["--source", "de", "--target", "de"], "hears English only, not 'de'"),
        (["--source", "de", "--target", "xx", "--stage"], "hears English only, not 'de'"),
    ],
)
def test_languages_that_no_model_serves_are_refused(options: list[str], said: str) -> None:
    pytest.importorskip("pocketsphinx")
    code, _, err = command("serve", "--check", "--model", "embedded", *options, loader=load_backend)
    assert code == ExitCode.USAGE
    assert said in err
    assert "can be used" not in err


def test_a_stage_needs_a_model_for_its_own_language_only() -> None:
    pytest.importorskip("pocketsphinx")
    code, _, err = command(
        "serve", "--check", "--model", "embedded", "--stage", "--target", "xx", loader=load_backend
    )
    assert code == 0
    assert "The options can be used." in err


def test_a_port_that_is_taken_is_said_in_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, _, err = command("serve", "--port", str(taken.getsockname()[1]))
    assert code == ExitCode.USAGE
    assert "cannot listen at 127.0.0.1" in err


def test_replay_prints_segments_with_their_times(journal: Path) -> None:
    code, out, _ = command("replay", str(journal))
    assert code == 0
    assert [line.split("\t") for line in out.splitlines()] == [
        ["0.00", "2.00", "source", expected(AUDIO[:32_000])],
        ["4.00", "5.00", "source", expected(AUDIO[32_000:])],
    ]


def test_replay_writes_messages_and_sound(journal: Path, tmp_path: Path) -> None:
    from simul.audio.files import FileSource

    wav = tmp_path / "heard.wav"
    code, out, _ = command("replay", str(journal), "--json", "--wav", str(wav))
    assert code == 0
    messages = [json.loads(line) for line in out.splitlines()]
    assert [message["seq"] for message in messages] == list(range(1, len(messages) + 1))
    assert messages[-1]["type"] == "session.end"
    with FileSource(wav) as source:
        assert sum(len(samples) for samples in source) == len(AUDIO) + 32_000


def test_replay_of_what_is_no_journal() -> None:
    code, _, err = command("replay", "nowhere.jsonl")
    assert code == ExitCode.FAILED
    assert "The journal nowhere.jsonl cannot be read" in err


@pytest.mark.parametrize("kind", ["schema", "asyncapi", "markdown"])
def test_schema_prints_the_documents(kind: str) -> None:
    code, out, _ = command("schema", "--format", kind)
    assert code == 0
    assert "settled" in out


def test_load_without_a_server(journal: Path, tmp_path: Path) -> None:
    wav = tmp_path / "heard.wav"
    command("replay", str(journal), "--wav", str(wav))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        code, _, err = command("load", f"http://127.0.0.1:{free.getsockname()[1]}", str(wav))
    assert code == ExitCode.CONNECTION
    assert "No client is let in at ws://127.0.0.1" in err
