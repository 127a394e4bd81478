"""SIGTERM and SIGHUP end a command as Ctrl-C does: settled text and logs are whole, and the terminal is given back."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simul.errors import ExitCode
from simul.session.events import from_json
from tests.simul.scripted_cli import SECOND, talk

ROOT = Path(__file__).parents[3]


def start(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.simul.scripted_cli", *map(str, arguments)],
        cwd=ROOT,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


def read_until(stream, mark):
    seen = b""
    while mark not in seen:
        piece = os.read(stream.fileno() if hasattr(stream, "fileno") else stream, 4096)
        assert piece, seen
        seen += piece
    return seen


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_was_heard_is_settled_and_the_logs_are_whole(tmp_path, number):
    log = tmp_path / "log"
    process = start(
        "translate", talk(tmp_path / "long.wav", 60), "--simulate", "--format", "json", "--log", log
    )
    seen = read_until(process.stdout, b'"settled"')
    process.send_signal(number)
    out, err = process.communicate(timeout=200)
    assert process.returncode == ExitCode.INTERRUPTED, err
    written = (seen + out).decode().splitlines()
    last = from_json(written[-1])
    assert (last.type, 0 < last.heard < 30 * SECOND) == ("end", True)
    assert (log / "events" / "long.jsonl").read_text(encoding="utf-8").splitlines() == written
    record = json.loads((log / "instances.log").read_text(encoding="utf-8"))
    assert record["prediction"].startswith("Morgen")
    assert len(record["delays"]) == len(record["prediction"].split())
    assert not (log / ".lock").exists()


def test_a_signal_that_is_ignored_stays_ignored(tmp_path):
    """As under nohup."""
    process = start(
        "translate",
        talk(tmp_path / "a.wav", 2),
        "--simulate",
        "--format",
        "json",
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    read_until(process.stdout, b'"settled"')
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=200)
    assert process.returncode == 0


def test_a_signal_while_the_model_is_loading_ends_with_130(tmp_path):
    """Before anything is settled there is nothing to wait for."""
    program = (
        "import sys, time\nfrom simul.cli.context import Context\nfrom simul.cli.main import main\n"
        "def load(*_, **__):\n    print('loading', file=sys.stderr, flush=True)\n    time.sleep(600)\n"
        "context = Context.of_process()\ncontext.load_backend = load\n"
        f"sys.exit(main(['eval', {str(tmp_path / 'list.tsv')!r}], context))\n"
    )
    (tmp_path / "list.tsv").write_text(f"audio\n{talk(tmp_path / 'a.wav')}\n", encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    read_until(process.stderr, b"loading")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=200)
    assert (process.returncode, err) == (ExitCode.INTERRUPTED, b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_cursor_is_shown_again(tmp_path, number):
    leader, follower = pty.openpty()
    process = start(
        "translate",
        talk(tmp_path / "long.wav", 60),
        "--simulate",
        "--captions",
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(follower)
    seen = read_until(leader, b"Morgen")
    process.send_signal(number)
    try:
        while piece := os.read(leader, 4096):
            seen += piece
    except OSError:  # The other end is closed.
        pass
    os.close(leader)
    assert process.wait(timeout=200) == ExitCode.INTERRUPTED
    assert seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l") > 0


def test_a_terminal_that_went_away_does_not_harm_the_log(tmp_path):
    leader, follower = pty.openpty()
    log = tmp_path / "log"
    process = start(
        "translate",
        talk(tmp_path / "long.wav", 60),
        "--simulate",
        "--captions",
        "--log",
        log,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(follower)
    read_until(leader, b"Morgen")
    process.send_signal(signal.SIGHUP)
    os.close(leader)
    process.wait(timeout=200)
    events = (log / "events" / "long.jsonl").read_text(encoding="utf-8").splitlines()
    assert from_json(events[-1]).type == "end"
    assert "Morgen" in (log / "instances.log").read_text(encoding="utf-8")
