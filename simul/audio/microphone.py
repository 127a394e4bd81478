"""The microphone as a source: device choice, rate fallback, overflow counts, recovery from a lost device."""

from __future__ import annotations

import queue
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from simul.audio.intake import FrameIntake
from simul.audio.resample import MIN_RATE
from simul.audio.sources import AudioSource
from simul.clock import Clock, WallClock
from simul.errors import DeviceError
from simul.install import install_hint
from simul.units import SAMPLE_RATE, Samples

_COMMON_RATES = (48_000, 44_100, 32_000, 24_000, 22_050, 8_000)
_POLL_SECONDS = 0.05
SYSTEM = "system"
"""The name of a device that stands for what this computer plays."""
_SYSTEM_SOUND = re.compile(
    r"\bmonitor\b|loopback|stereo mix|what u hear|blackhole|soundflower|cable output", re.IGNORECASE
)
_HOW_TO_HEAR = {
    "linux": "run `PULSE_SOURCE=@DEFAULT_MONITOR@ simul mic --device pulse` (PulseAudio, PipeWire)",
    "darwin": "install a virtual device such as BlackHole and play to it",
    "win32": "switch the recording device Stereo Mix on, or install a virtual cable",
}


@dataclass(frozen=True)
class InputDevice:
    """An input: PortAudio's index, name, host interface, channels, own rate in Hz, default or not."""

    index: int
    name: str
    host_api: str
    channels: int
    default_rate: int
    is_default: bool

    @property
    def is_system_sound(self) -> bool:
        """Whether it gives what this computer plays rather than what a microphone hears, by its name."""
        return _SYSTEM_SOUND.search(self.name) is not None


def load_backend() -> Any:
    """The `sounddevice` module.

    Raises:
        DeviceError: the package or the PortAudio library below it is not installed, or cannot start.
    """
    try:
        return import_module("sounddevice")
    except ImportError:
        raise DeviceError(
            f"The microphone needs the package sounddevice, which is missing; run: {install_hint('mic')}"
        ) from None
    except OSError:
        raise DeviceError(
            "The microphone needs the PortAudio library, which is not installed; run "
            "`sudo apt install libportaudio2` (Debian, Ubuntu), `sudo dnf install portaudio` (Fedora) or "
            "`brew install portaudio` (macOS)."
        ) from None
    except Exception as error:  # PortAudio is started on import; its own error cannot be named before that.
        raise DeviceError(
            f"The sound system cannot be started ({error}); check that other programs can play and record."
        ) from error


def list_devices(backend: Any = None) -> list[InputDevice]:
    """All devices that can record, in PortAudio's order.

    Args:
        backend: a module with the interface of `sounddevice`; that package itself by default.

    Raises:
        DeviceError: sounddevice or PortAudio is missing or cannot list the devices.
    """
    backend = backend or load_backend()
    try:
        hosts = backend.query_hostapis()
        default = backend.default.device[0]
        found = backend.query_devices()
    except backend.PortAudioError as error:
        raise DeviceError(
            f"The audio devices cannot be listed: {error}; check that sound works at all."
        ) from error
    return [
        InputDevice(
            index,
            str(device["name"]),
            str(hosts[device["hostapi"]]["name"]),
            int(device["max_input_channels"]),
            round(device["default_samplerate"]),
            index == default,
        )
        for index, device in enumerate(found)
        if device["max_input_channels"] > 0
    ]


def how_to_hear_the_system(platform: str = sys.platform) -> str:
    """What to do where no device gives what this computer plays."""
    return _HOW_TO_HEAR.get(platform, "install a virtual sound device and play to it")


def choose_device(device: int | str | None, devices: list[InputDevice]) -> InputDevice:
    """The device with this index, or whose name contains this text (whatever the case); None for the default.

    `system` is the first device that gives what this computer plays.

    Raises:
        DeviceError: there is no input device at all, none fits, or several do.
    """
    if not devices:
        raise DeviceError("No microphone was found; plug one in, or allow this program to use it.")
    if device is None:
        return next((found for found in devices if found.is_default), devices[0])
    if device == SYSTEM:
        playing = [found for found in devices if found.is_system_sound]
        if not playing:
            raise DeviceError(f"No device here gives what this computer plays; {how_to_hear_the_system()}.")
        return playing[0]
    if isinstance(device, int) or device.isdecimal():
        fitting = [found for found in devices if found.index == int(device)]
    else:
        wanted = device.casefold()
        fitting = [found for found in devices if found.name.casefold() == wanted]
        fitting = fitting or [found for found in devices if wanted in found.name.casefold()]
    if len(fitting) == 1:
        return fitting[0]
    listed = "; ".join(f"{found.index}: {found.name} ({found.host_api})" for found in fitting or devices)
    problem = "fits several microphones" if fitting else "is no microphone here"
    raise DeviceError(f"The device {device!r} {problem}; choose by number from: {listed}.")


class MicrophoneSource(AudioSource):
    """Live audio from a microphone as mono 16 kHz chunks.

    The device is asked for 16 kHz mono; when it refuses, its own and other common rates are tried and
    resampled. PortAudio's callback only copies into a bounded queue. When the queue is full the block is
    dropped, counted in `dropped_frames`, and silence takes its place, so that positions in the stream stay
    true. `overflows` counts the driver's own reports of lost input. When the device fails or goes quiet for
    `stall_seconds`, everything is opened anew up to `reopen_attempts` times, a second apart, and silence
    stands for the time that passed (`reopened`, `silence_samples`); in the end a DeviceError is raised after
    all that was heard came out.

    Args:
        device: index, part of the name, or None for the system's default.
        chunk_ms: chunk length.
        backend: a module with the interface of `sounddevice`; that package itself by default.
        clock: tells how long the device was away and waits between attempts.
        queue_seconds: how much audio the queue holds.

    Raises:
        DeviceError: sounddevice or PortAudio is missing, no such device, or it can be opened at no rate.
        UsageError: an unusable `chunk_ms`.
    """

    def __init__(
        self,
        device: int | str | None = None,
        chunk_ms: float = 500,
        *,
        backend: Any = None,
        clock: Clock | None = None,
        queue_seconds: float = 120.0,
        stall_seconds: float = 3.0,
        reopen_attempts: int = 5,
    ) -> None:
        super().__init__("microphone", chunk_ms)
        self._backend = backend or load_backend()
        self._clock = clock or WallClock()
        self._wanted = device
        self._queue_seconds = queue_seconds
        self._stall_polls = max(1, round(stall_seconds / _POLL_SECONDS))
        self._reopen_attempts = reopen_attempts
        self._stopped = threading.Event()
        self._stream: Any = None
        self._bad_before = 0
        self._mute_openings = 0
        self._last_heard = self._clock.now()
        self.overflows = self.dropped_frames = self.reopened = self.silence_samples = 0
        self._open()

    @property
    def bad_samples(self) -> int:
        """Samples replaced by 0 so far: NaN, infinite or absurdly large."""
        return self._bad_before + self._intake.bad_samples

    @property
    def waiting(self) -> int:
        """Samples at 16 kHz that were heard and not taken yet."""
        return self._blocks.qsize() * self._block * SAMPLE_RATE // self.rate

    def stop(self) -> None:
        """Stop recording, from any thread; the iteration still yields what was heard, then ends."""
        self._stopped.set()

    def close(self) -> None:
        """Stop and let go of the device; closing twice does no harm."""
        self._stopped.set()
        self._close_stream()

    def _open(self) -> None:
        self.device = choose_device(self._wanted, list_devices(self._backend))
        self.name = f"microphone {self.device.name}"
        rates = dict.fromkeys((SAMPLE_RATE, self.device.default_rate, *_COMMON_RATES))
        failure: Exception | None = None
        for channels in dict.fromkeys((1, min(2, self.device.channels), self.device.channels)):
            for rate in rates:
                if rate < MIN_RATE:
                    continue
                try:
                    self._start(rate, channels)
                    return
                except (self._backend.PortAudioError, ValueError) as error:
                    failure = failure or error
        raise DeviceError(
            f"The {self.name} cannot be opened at any sample rate ({failure}); another program may be using "
            "it, or this one may not have permission."
        )

    def _start(self, rate: int, channels: int) -> None:
        block = max(1, rate // 50)
        blocks: queue.Queue[tuple[int, Samples]] = queue.Queue(
            max(2, round(self._queue_seconds * rate / block))
        )
        ended = threading.Event()
        lost = 0

        def callback(indata: Samples, frames: int, time: Any, status: Any) -> None:
            nonlocal lost
            if status and status.input_overflow:
                self.overflows += 1
            try:
                blocks.put_nowait((lost, indata.copy()))
                lost = 0
            except queue.Full:
                lost += frames
                self.dropped_frames += frames

        stream = self._backend.InputStream(
            device=self.device.index,
            samplerate=rate,
            channels=channels,
            dtype="float32",
            blocksize=block,
            callback=callback,
            finished_callback=ended.set,
        )
        try:
            stream.start()
        except Exception:
            stream.close()
            raise
        self._stream, self._blocks, self._ended, self._block = stream, blocks, ended, block
        self.rate, self.channels = rate, channels
        self._intake = FrameIntake(rate)

    def _close_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is None:
            return
        try:
            stream.close()
        except self._backend.PortAudioError:
            # A device that was pulled out cannot be closed in order; nothing of it is left to free.
            return

    def _pieces(self) -> Iterator[Samples]:
        try:
            while True:
                yield from self._recording()
                yield self._intake.finish()
                if self._stopped.is_set():
                    return
                self._reopen()
                away = round((self._clock.now() - self._last_heard) * SAMPLE_RATE)
                self.silence_samples += away
                yield np.zeros(away, np.float32)
        finally:
            self.close()

    def _recording(self) -> Iterator[Samples]:
        """What the open stream hears, until `stop` or until the device is lost."""
        silent_polls = 0
        while True:
            try:
                lost, block = self._blocks.get(timeout=0 if self._stopped.is_set() else _POLL_SECONDS)
            except queue.Empty:
                silent_polls += 1
                if self._stopped.is_set() or self._ended.is_set() or silent_polls >= self._stall_polls:
                    return
                continue
            silent_polls = self._mute_openings = 0
            self._last_heard = self._clock.now()
            if lost:
                yield self._intake.push(np.zeros((lost, self.channels), np.float32))
            yield self._intake.push(block)
            if self._stopped.is_set():
                self._close_stream()

    def _reopen(self) -> None:
        """Open the device anew, trying for a while; a DeviceError when it does not come back."""
        bad_before = self.bad_samples
        self._close_stream()
        self._mute_openings += 1
        if self._mute_openings > self._reopen_attempts:
            raise DeviceError(
                f"The {self.name} opens but delivers nothing; check its cable and switch, or choose another."
            )
        for attempt in range(1, self._reopen_attempts + 1):
            self._rescan()
            try:
                self._open()
                self._bad_before = bad_before
                self.reopened += 1
                return
            except DeviceError as error:
                if attempt == self._reopen_attempts or self._stopped.is_set():
                    raise DeviceError(f"The {self.name} was lost and did not come back: {error}") from error
            self._clock.sleep_until(self._clock.now() + 1.0)

    def _rescan(self) -> None:
        """Let PortAudio look for devices again: it lists them only when it is initialised."""
        try:
            self._backend._terminate()
            self._backend._initialize()
        except (AttributeError, self._backend.PortAudioError):
            return
