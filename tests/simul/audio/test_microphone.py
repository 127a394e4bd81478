"""The microphone source on a scripted sound system: choice, rates, overflow, loss and return."""

import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from simul.audio import MicrophoneSource, StreamResampler, list_devices
from simul.audio.microphone import choose_device, how_to_hear_the_system, load_backend
from simul.clock import VirtualClock
from simul.errors import DeviceError, ExitCode, UsageError

LOST, QUIET = "lost", "quiet"


class PortAudioError(Exception):
    """What sounddevice raises."""


class FakeStream:
    """Plays its script into the callback as soon as it is started."""

    def __init__(self, system, script, callback, finished_callback, **options):
        self.system, self.script = system, script
        self.callback, self.finished = callback, finished_callback
        self.options, self.closed = options, False

    def start(self):
        for step in self.script:
            if isinstance(step, str) and step == LOST:
                self.finished()
            elif callable(step):
                step()
            else:
                frames, overflow = step if isinstance(step, tuple) else (step, False)
                buffer = np.array(frames, np.float32).reshape(-1, self.options["channels"])
                self.callback(buffer, len(buffer), None, SimpleNamespace(input_overflow=overflow))
                buffer[:] = 99  # PortAudio reuses its buffer: what was not copied is lost.

    def close(self):
        self.closed = True


class FakeSystem:
    """Stands for the module sounddevice: some devices, the rates they take, a script for each opening."""

    PortAudioError = PortAudioError

    def __init__(self, scripts=(), rates=(16000,), channels=(1,), devices=None, vanishes=0):
        self.scripts, self.rates, self.allowed = list(scripts), rates, channels
        self.devices = (
            devices if devices is not None else [device("Speakers", 0), device("Yeti USB"), device("Webcam")]
        )
        self.default = SimpleNamespace(device=[2, 0])
        self.vanishes, self.scans, self.streams = vanishes, 0, []

    def query_hostapis(self):
        return [{"name": "ALSA"}]

    def query_devices(self):
        if self.scans and self.scans <= self.vanishes:
            return []
        return self.devices

    def _terminate(self):
        self.scans += 1

    def _initialize(self):
        pass

    def InputStream(self, **options):
        if options["samplerate"] not in self.rates or options["channels"] not in self.allowed:
            raise PortAudioError(f"Invalid sample rate {options['samplerate']}")
        assert options["dtype"] == "float32"
        script = self.scripts.pop(0) if self.scripts else []
        self.streams.append(FakeStream(self, script, **options))
        return self.streams[-1]


def device(name, inputs=2, rate=48000.0):
    return {"name": name, "hostapi": 0, "max_input_channels": inputs, "default_samplerate": rate}


def noise(samples, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples).astype(np.float32)


def microphone(system, **options):
    options.setdefault("clock", VirtualClock())
    options.setdefault("stall_seconds", 0.1)
    return MicrophoneSource(
        options.pop("device", None), options.pop("chunk_ms", 100), backend=system, **options
    )


def record(source):
    """Everything the source heard before it was told to stop."""
    source.stop()
    with source:
        return np.concatenate([*source, np.zeros(0, np.float32)])


def test_devices_are_listed_as_they_are():
    yeti, webcam = list_devices(FakeSystem())
    assert (yeti.index, yeti.name, yeti.host_api, yeti.channels) == (1, "Yeti USB", "ALSA", 2)
    assert (yeti.default_rate, yeti.is_default, webcam.is_default) == (48000, False, True)


@pytest.mark.parametrize(("wanted", "index"), [(None, 2), (1, 1), ("1", 1), ("yeti", 1), ("WEB", 2)])
def test_a_device_is_chosen_by_number_part_of_the_name_or_default(wanted, index):
    system = FakeSystem()
    with microphone(system, device=wanted) as source:
        assert source.device.index == index
    assert system.streams[0].options["device"] == index
    assert system.streams[0].closed


@pytest.mark.parametrize(
    ("wanted", "devices", "words"),
    [
        (None, [], "No microphone was found; plug one in"),
        (None, [device("Speakers", 0)], "No microphone was found"),
        (0, None, r"device 0 is no microphone here; choose by number from: 1: Yeti USB \(ALSA\); 2: Webcam"),
        ("Rode", None, "'Rode' is no microphone here"),
        ("e", None, "'e' fits several microphones"),
    ],
)
def test_no_such_device_is_told_with_the_choice_there_is(wanted, devices, words):
    with pytest.raises(DeviceError, match=words) as caught:
        microphone(FakeSystem(devices=devices), device=wanted)
    assert caught.value.exit_code == ExitCode.AUDIO_DEVICE


def test_chunks_are_exactly_what_was_heard():
    heard = noise(5000)
    source = microphone(FakeSystem([[heard[:320], heard[320:2000], heard[2000:]]]))
    source.stop()
    chunks = list(source)
    assert [len(chunk) for chunk in chunks] == [1600, 1600, 1600, 200]
    np.testing.assert_array_equal(np.concatenate(chunks), heard)
    assert source.duration_samples is None
    assert source.overflows == source.dropped_frames == source.reopened == source.silence_samples == 0


@pytest.mark.parametrize(
    "name", ["Monitor of Built-in Audio", "Stereo Mix (Realtek)", "BlackHole 2ch", "Speakers [Loopback]"]
)
def test_what_the_computer_plays_is_a_device_by_name(name):
    devices = list_devices(FakeSystem(devices=[device("Yeti USB"), device(name)]))
    assert [found.is_system_sound for found in devices] == [False, True]
    assert choose_device("system", devices).name == name


@pytest.mark.parametrize(
    ("platform", "told"),
    [("linux", "PULSE_SOURCE=@DEFAULT_MONITOR@"), ("darwin", "BlackHole"), ("win32", "Stereo Mix")],
)
def test_how_to_hear_what_the_computer_plays(platform, told):
    assert told in how_to_hear_the_system(platform)
    with pytest.raises(DeviceError, match="No device here gives what this computer plays; "):
        choose_device("system", list_devices(FakeSystem()))


@pytest.mark.parametrize(("rates", "used"), [((48000,), 48000), ((44100,), 44100), ((8000, 22050), 22050)])
def test_a_device_that_refuses_16_khz_is_resampled(rates, used):
    heard = noise(9000)
    system = FakeSystem([[heard[:100], heard[100:]]], rates=rates)
    source = microphone(system)
    assert source.rate == used
    resampler = StreamResampler(used)
    expected = np.concatenate([resampler.push(heard), resampler.finish()])
    np.testing.assert_array_equal(record(source), expected)


def test_a_device_without_mono_is_mixed():
    left, right = noise(1000, 1), noise(1000, 2)
    source = microphone(FakeSystem([[np.stack([left, right], axis=1)]], channels=(2,)))
    np.testing.assert_allclose(record(source), (left + right) / 2, atol=1e-7)


def test_a_device_that_takes_no_rate_at_all():
    with pytest.raises(DeviceError, match=r"Webcam cannot be opened at any sample rate .*another program"):
        microphone(FakeSystem(rates=()))


def test_overflows_reported_by_the_driver_are_counted():
    source = microphone(FakeSystem([[(noise(320), True), noise(320), (noise(320), True)]]))
    assert len(record(source)) == 960
    assert source.overflows == 2


def test_a_full_queue_drops_counts_and_keeps_the_time():
    blocks = [noise(320, seed) for seed in range(6)]
    system = FakeSystem([blocks])
    source = microphone(system, queue_seconds=0.08, chunk_ms=80)
    assert source.dropped_frames == 640
    first = next(source)
    system.streams[0].callback(blocks[0][:, None], 320, None, None)
    rest = record(source)
    heard = np.concatenate([first, rest])
    np.testing.assert_array_equal(heard, np.concatenate([*blocks[:4], np.zeros(640), blocks[0]]))


def test_bad_samples_are_counted_and_silenced():
    source = microphone(FakeSystem([[[0.1, np.nan, np.inf, 0.2]]]))
    np.testing.assert_array_equal(record(source), np.float32([0.1, 0, 0, 0.2]))
    assert source.bad_samples == 2


@pytest.mark.parametrize("ending", [LOST, QUIET])
def test_a_lost_device_is_opened_again_and_silence_stands_for_the_gap(ending):
    before, after = noise(1600, 1), noise(3200, 2)
    stop = threading.Event()
    system = FakeSystem([[before, LOST] if ending == LOST else [before], [after, stop.set]], vanishes=2)
    clock = VirtualClock()
    source = microphone(system, clock=clock)
    heard = []
    for chunk in source:
        heard.append(chunk)
        if stop.is_set():
            source.stop()
    assert clock.now() == 2
    assert source.reopened == 1
    assert source.silence_samples == 32000
    np.testing.assert_array_equal(np.concatenate(heard), np.concatenate([before, np.zeros(32000), after]))
    assert all(stream.closed for stream in system.streams)


def test_a_device_that_does_not_come_back_fails_after_what_was_heard():
    heard = noise(2000)
    source = microphone(FakeSystem([[heard, LOST]], vanishes=99), reopen_attempts=3)
    chunks = []
    with pytest.raises(DeviceError, match="Webcam was lost and did not come back: No microphone was found"):
        chunks.extend(source)
    np.testing.assert_array_equal(np.concatenate(chunks), heard)


def test_a_device_that_opens_but_stays_mute_fails_in_the_end():
    system = FakeSystem()
    source = microphone(system, reopen_attempts=2, stall_seconds=0.05)
    with pytest.raises(DeviceError, match="opens but delivers nothing"):
        list(source)
    assert len(system.streams) == 3


def test_the_device_may_return_at_another_rate():
    system = FakeSystem([[[np.nan] * 1600, LOST], [[np.nan] * 4800]])
    source = microphone(system)
    system.rates = (48000,)
    chunks = [next(source), next(source)]
    assert source.rate == 48000
    assert len(np.concatenate([*chunks, record(source)])) == 1600 + 1600
    assert source.bad_samples == 1600 + 4800


def test_stop_from_another_thread_ends_a_silent_wait():
    source = MicrophoneSource(backend=FakeSystem(), stall_seconds=60)
    thread = threading.Timer(0.1, source.stop)
    thread.start()
    assert list(source) == []
    thread.join()


def test_impossible_chunk():
    with pytest.raises(UsageError, match="10 to 60000"):
        microphone(FakeSystem(), chunk_ms=1)


def test_without_the_package_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    for call in (MicrophoneSource, list_devices):
        with pytest.raises(DeviceError, match=r"pip install -e .*\[mic\]"):
            call()


def test_without_portaudio_the_message_says_what_to_install(monkeypatch, tmp_path):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DeviceError, match="apt install libportaudio2") as caught:
        load_backend()
    assert caught.value.exit_code == 4
