"""`simul mic` on a scripted sound system: text, meter, recording, devices, Ctrl-C, and what may be missing."""

import json
import signal
import threading
import wave
from types import SimpleNamespace

import numpy as np
import pytest

from simul.errors import ExitCode
from simul.session.events import from_json
from tests.simul.scripted_cli import LINES, SECOND, command

BLOCK = 320


class PortAudioError(Exception):
    """What sounddevice raises."""


class Sound:
    """Stands for the module sounddevice: delivers six seconds, then Ctrl-C is pressed."""

    PortAudioError = PortAudioError

    def __init__(self, level=0.1, devices=("Speakers", "Yeti USB", "Webcam"), overflow=False):
        self.level, self.names, self.overflow = level, devices, overflow
        self.default = SimpleNamespace(device=[1, 0])
        self.sent = []

    def query_hostapis(self):
        return [{"name": "ALSA"}]

    def query_devices(self):
        inputs = {"Speakers": 0}
        return [
            {
                "name": name,
                "hostapi": 0,
                "max_input_channels": inputs.get(name, 2),
                "default_samplerate": 48000.0,
            }
            for name in self.names
        ]

    def OutputStream(self, samplerate, channels, dtype, callback, device):
        """A device that plays as fast as it is given something."""
        self.played, playing = [], threading.Event()
        self.played_on = device

        def run():
            while not playing.wait(0.001):
                block = np.empty((256, 1), np.float32)
                callback(block, 256, None, None)
                self.played.append(block[:, 0])

        thread = threading.Thread(target=run, daemon=True)

        def close():
            playing.set()
            thread.join()

        return SimpleNamespace(start=thread.start, close=close)

    def InputStream(self, callback, finished_callback, samplerate, channels, **options):
        if samplerate != SECOND or channels != 1:
            raise PortAudioError("Invalid sample rate")
        noise = np.random.default_rng(0).uniform(-self.level, self.level, 6 * SECOND).astype(np.float32)

        def deliver():
            for begin in range(0, len(noise), BLOCK):
                status = SimpleNamespace(input_overflow=self.overflow and begin == 0)
                callback(noise[begin : begin + BLOCK, None].copy(), BLOCK, None, status)
            self.sent.append(noise)
            signal.raise_signal(signal.SIGINT)

        return SimpleNamespace(start=deliver, close=lambda: None)


@pytest.fixture
def interrupts_are_ready(monkeypatch):
    """The scripted system presses Ctrl-C when the device opens; deliver it only once the command listens for it."""
    from simul.cli.interrupts import Interrupts

    pressed = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    entered = Interrupts.__enter__

    def enter(self):
        result = entered(self)
        while pressed:
            signal.raise_signal(pressed.pop())
        return result

    monkeypatch.setattr(Interrupts, "__enter__", enter)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.mark.usefixtures("interrupts_are_ready")
class TestListening:
    def test_text_comes_out_and_ctrl_c_is_how_it_ends(self):
        code, out, err = command("mic", sound=Sound())
        assert (code, out) == (ExitCode.OK, LINES)
        assert "Listening to Yeti USB" in err

    def test_everything_heard_is_recorded(self, tmp_path):
        sound = Sound()
        command("mic", "--save-audio", tmp_path / "heard.wav", sound=sound)
        with wave.open(str(tmp_path / "heard.wav")) as file:
            heard = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
        assert np.abs(heard - sound.sent[0]).max() <= 1 / 32768

    def test_events_as_json_and_in_the_log(self, tmp_path):
        _, out, _ = command("mic", "--json", "--log", tmp_path, sound=Sound())
        assert from_json(out.splitlines()[-1]).heard == 6 * SECOND
        assert (tmp_path / "events" / "mic.jsonl").read_text(encoding="utf-8") == out
        record = json.loads((tmp_path / "instances.log").read_text(encoding="utf-8"))
        assert record["prediction"] == " ".join(LINES.split())

    def test_the_text_is_spoken(self, tmp_path):
        pytest.importorskip("espeakng_loader")
        command("mic", "--speak", tmp_path / "speech.wav", sound=Sound())
        with wave.open(str(tmp_path / "speech.wav")) as file:
            assert file.getnframes() > 2 * file.getframerate()

    def test_the_text_is_played(self, tmp_path):
        pytest.importorskip("espeakng_loader")
        sound = Sound()
        command("mic", "--play", "--speak", tmp_path / "speech.wav", sound=sound)
        with wave.open(str(tmp_path / "speech.wav")) as file:
            written = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        played = np.concatenate(sound.played)
        assert np.count_nonzero(np.abs(played) > 0.001) == pytest.approx(
            np.count_nonzero(np.abs(written) > 33), rel=0.01
        )

    def test_the_meter_is_on_the_terminal_only(self):
        from tests.simul.terminal import replay

        out = command("mic", sound=Sound(), terminal=True, environ={"NO_COLOR": "1"})[1]
        assert "█" in out
        assert " dB, peak" in out
        assert replay(out, 80) == LINES.splitlines()
        assert "█" not in "".join(command("mic", sound=Sound())[1:])

    def test_clipping_and_silence_are_said(self):
        assert "CLIPPED" in command("mic", sound=Sound(level=1.5), terminal=True)[1]
        assert "NO SIGNAL" in command("mic", sound=Sound(level=0.0), terminal=True)[1]
        assert command("mic", sound=Sound(level=0.0))[2].count("microphone is silent") == 1
        assert "silent" not in command("mic", sound=Sound())[2]

    def test_lost_input_is_reported_at_the_end(self):
        assert "driver lost input 1 times" in command("mic", sound=Sound(overflow=True))[2]

    def test_a_device_is_chosen_by_name(self):
        assert "Listening to Webcam" in command("mic", "--device", "webc", sound=Sound())[2]


def test_devices_are_listed():
    code, out, _ = command("mic", "--list-devices", sound=Sound())
    assert (code, out.splitlines()) == (
        0,
        ["* 1: Yeti USB (ALSA, 2 channels, 48000 Hz)", "  2: Webcam (ALSA, 2 channels, 48000 Hz)"],
    )
    listed = json.loads(command("mic", "--list-devices", "--json", sound=Sound())[1])
    assert [(device["index"], device["name"]) for device in listed] == [(1, "Yeti USB"), (2, "Webcam")]


@pytest.mark.parametrize(
    ("sound", "options", "told"),
    [
        (Sound(devices=()), [], "No microphone"),
        (Sound(), ["--device", "9"], "'9' is no microphone"),
        (Sound(), ["--device", "e"], "fits several"),
    ],
)
def test_no_such_microphone_is_exit_code_4(sound, options, told):
    def never(config, source, target, needs):
        raise AssertionError("no model should be loaded")

    code, out, err = command("mic", *options, sound=sound, loader=never)
    assert (code, out, err.count("\n")) == (ExitCode.AUDIO_DEVICE, "", 1)
    assert told in err


@pytest.mark.parametrize(
    ("error", "told"),
    [(OSError("PortAudio library not found"), "libportaudio2"), (ImportError(), 'pip install -e ".[mic]"')],
)
def test_what_the_microphone_lacks_is_named(monkeypatch, error, told):
    def missing(name):
        raise error

    monkeypatch.setattr("simul.audio.microphone.import_module", missing)
    code, _, err = command("mic")
    assert (code, err.count("\n")) == (ExitCode.AUDIO_DEVICE, 1)
    assert told in err


def test_pieces_are_played_in_order_with_their_pauses():
    from simul.audio.loudspeaker import Loudspeaker

    callbacks = []

    def stream(callback, **options):
        callbacks.append(callback)
        return SimpleNamespace(start=lambda: None, close=lambda: None)

    def hear(frames):
        block = np.full((frames, 1), 9, np.float32)
        callbacks[0](block, frames, None, None)
        return block[:, 0].tolist()

    system = SimpleNamespace(OutputStream=stream, PortAudioError=PortAudioError)
    with Loudspeaker(10, system) as loudspeaker:
        assert hear(2) == [0, 0]
        loudspeaker.play(np.array([1, 2, 3], np.float32), 5.0)
        loudspeaker.play(np.array([4, 5], np.float32), 5.5)
        assert not loudspeaker.wait(0)
        assert hear(4) + hear(6) == [1, 2, 3, 0, 0, 4, 5, 0, 0, 0]
        assert loudspeaker.wait(0)


@pytest.mark.parametrize(("named", "device"), [(None, None), ("3", 3), ("cable", "cable")])
def test_the_output_is_the_one_that_is_named(named, device):
    from simul.audio.loudspeaker import Loudspeaker

    asked = []

    def stream(**options):
        asked.append(options["device"])
        return SimpleNamespace(start=lambda: None, close=lambda: None)

    Loudspeaker(10, SimpleNamespace(OutputStream=stream, PortAudioError=PortAudioError), named).close()
    assert asked == [device]


def test_a_play_device_without_play_is_refused():
    code, _, err = command("mic", "--play-device", "cable", sound=Sound())
    assert code == ExitCode.USAGE
    assert "give --play too" in err


def test_no_loudspeaker_is_exit_code_4():
    def refuse(**options):
        raise PortAudioError("no device")

    sound = Sound()
    sound.OutputStream = refuse
    pytest.importorskip("espeakng_loader")
    code, _, err = command("mic", "--play", sound=sound)
    assert code == ExitCode.AUDIO_DEVICE
    assert "No loudspeaker" in err


def test_threads_are_left_alone():
    """Interrupts outside the main thread do not touch the handler."""
    from simul.cli.interrupts import Interrupts

    before = signal.getsignal(signal.SIGINT)
    seen = []

    def use():
        with Interrupts() as interrupts:
            seen.append((signal.getsignal(signal.SIGINT), interrupts.stopped()))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert seen == [(before, False)]
