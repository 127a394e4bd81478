"""The loudspeaker: speech is played as it becomes ready, one piece after the other."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.audio.microphone import load_backend
from simul.closing import Closing
from simul.errors import DeviceError

_LONGEST_PAUSE_SECONDS = 1.0


class Loudspeaker(Closing):
    """Plays float32 mono pieces through the default output device.

    A piece is placed on the timeline of the session by its onset (seconds): the pause before it is kept while
    earlier pieces are still playing; when nothing plays, it is heard at once.

    Args:
        rate: samples per second of what is played.
        device: number or part of the name of the output; the default one where it is None.
        backend: a module with the interface of `sounddevice`; that package itself by default.

    Raises:
        DeviceError: sounddevice or PortAudio is missing, or there is no usable output.
    """

    def __init__(self, rate: int, backend: Any = None, device: str | None = None) -> None:
        backend = backend or load_backend()
        self.rate = rate
        self._lock = threading.Lock()
        self._waiting: list[NDArray[np.float32]] = []
        self._end = 0.0
        self._empty = threading.Event()
        self._empty.set()
        try:
            self._stream = backend.OutputStream(
                samplerate=rate,
                channels=1,
                dtype="float32",
                callback=self._fill,
                device=int(device) if device is not None and device.isdecimal() else device,
            )
            self._stream.start()
        except (backend.PortAudioError, ValueError) as error:
            named = "" if device is None else f" by the name {device}"
            raise DeviceError(
                f"No loudspeaker can be used{named} ({error}); plug one in, name another with --play-device, or "
                "write the speech to a file with --speak."
            ) from error

    def play(self, samples: NDArray[np.float32], onset: float) -> None:
        """Play `samples` after all that waits."""
        if not len(samples):
            return
        with self._lock:
            if self._waiting:
                pause = min(max(0.0, onset - self._end), _LONGEST_PAUSE_SECONDS)
                self._waiting.append(np.zeros(round(pause * self.rate), np.float32))
            self._waiting.append(np.asarray(samples, np.float32))
            self._end = onset + len(samples) / self.rate
            self._empty.clear()

    def wait(self, seconds: float) -> bool:
        """Until everything was handed to the device, `seconds` at most; whether it was."""
        return self._empty.wait(seconds)

    def close(self) -> None:
        """Fall silent and let go of the device; closing twice does no harm."""
        self._stream.close()

    def _fill(self, outdata: NDArray[np.float32], frames: int, time: Any, status: Any) -> None:
        """PortAudio's callback: the next `frames` samples, silence where there are none."""
        outdata[:] = 0
        done = 0
        with self._lock:
            while self._waiting and done < frames:
                piece = self._waiting[0][: frames - done]
                outdata[done : done + len(piece), 0] = piece
                done += len(piece)
                self._waiting[0] = self._waiting[0][len(piece) :]
                if not len(self._waiting[0]):
                    self._waiting.pop(0)
            if not self._waiting:
                self._empty.set()
