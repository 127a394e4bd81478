"""What is said of the sound of an input: nothing heard, channels, a recording cut short, an address."""

import http.server
import io
import re
import threading
import wave
from types import SimpleNamespace

import numpy as np
import pytest

from simul.backends.scripted import ScriptedBackend
from simul.cli.context import Context
from simul.cli.heard import Heard
from simul.errors import ExitCode
from simul.session.drive import Step
from simul.session.events import Settled
from tests.simul.scripted_cli import LINES, SECOND, command, talk


def plain_wav(path, samples, channels=1, rate=16000):
    """16-bit WAV of float samples, interleaved."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def deaf(config, source, target, needs):
    """A model that hears nothing."""
    return SimpleNamespace(backend=ScriptedBackend([]), description="Scripted model.")


@pytest.mark.parametrize(
    ("level", "told"),
    [
        (0.0, "No speech was heard in .*a.wav: in 2.0 s every sample is zero"),
        (0.001, "its loudest sample is at -60 dBFS, which is very quiet"),
        (0.5, "its loudest sample is at -6 dBFS; if someone speaks, check --source"),
    ],
)
@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_nothing_heard_is_told_in_one_sentence_with_the_level(tmp_path, level, told, quiet):
    path = plain_wav(tmp_path / "a.wav", np.resize([level, -level], 2 * SECOND))
    code, out, err = command("translate", path, *quiet, loader=deaf)
    assert (code, out) == (0, "")
    assert re.search(told, err.splitlines()[-1])
    assert len(err.splitlines()) == (1 if quiet else 2)


def test_a_channel_is_chosen_and_what_was_found_is_told_once(tmp_path):
    left, right = np.full(6 * SECOND, 0.2), np.full(6 * SECOND, -0.1)
    left[::2], right[::2] = -0.2, 0.1
    path = plain_wav(tmp_path / "a.wav", np.stack([left, right], 1).ravel(), 2)
    code, out, err = command("translate", path)
    assert (code, out) == (0, LINES)
    assert err.count("opposite polarity") == 1
    assert "opposite" not in command("translate", path, "--channel", "left")[2]
    code, _, err = command("translate", path, "--channel", "3")
    assert code == ExitCode.USAGE
    assert "has 2 channels" in err


def test_a_recording_cut_short_is_told(tmp_path):
    path = plain_wav(tmp_path / "a.wav", np.full(7 * SECOND, 0.1))
    path.write_bytes(path.read_bytes()[: 44 + 12 * SECOND])
    code, out, err = command("translate", path)
    assert (code, out) == (0, LINES)
    assert "announces 7.0 s of sound and ends after 6.0 s" in err


def test_an_address_is_read_and_one_that_does_not_answer_is_told(tmp_path):
    path = talk(tmp_path / "talk.wav")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(path.stat().st_size))
            self.end_headers()
            self.wfile.write(path.read_bytes())

        def log_message(self, *arguments):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_address[1]}/talk.wav?key=[1]"
        assert command("translate", address)[:2] == (0, LINES)
        assert command("translate", address, path, "--format", "srt", "-o", f"{tmp_path}/out/")[0] == 0
        assert {place.name for place in (tmp_path / "out").iterdir()} == {"talk.srt", "talk-2.srt"}
    finally:
        server.shutdown()
        server.server_close()
    code, out, err = command("translate", "http://127.0.0.1:9/talk.wav")
    assert (code, out) == (ExitCode.FAILED, "")
    assert "check the address" in err


@pytest.mark.parametrize(("stopped", "words"), [(True, " sterben."), (False, " sterben."), (True, "")])
def test_what_only_a_stop_settled_is_named(stopped, words):
    context = Context(io.BytesIO(), io.StringIO(), io.StringIO(), {}, deaf, None)
    source = SimpleNamespace(notices=[], bad_samples=0, name="a.wav")
    heard = Heard(source, context)
    events = (
        [Settled(0, " Wir", (" Wir",), SECOND, 1.0), Settled(0, words, (words,), SECOND, 1.0)]
        if words
        else []
    )
    heard.step(
        Step(np.zeros(SECOND, np.float32), [Settled(0, "Gut.", ("Gut.",), SECOND, 1.0)], SECOND, 1.0, 1.0)
    )
    heard.step(Step(None, events, SECOND, 1.0, 1.0))
    heard.finish(SimpleNamespace(end=None, text="Gut. Wir sterben."), stopped)
    told = (
        "Stopped before the end: 'Wir sterben.' settled without what would have followed, and may be wrong."
    )
    assert (told in context.stderr.getvalue()) == (stopped and bool(words))
