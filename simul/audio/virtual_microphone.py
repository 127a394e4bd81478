"""A microphone that other programs can choose and that hears what is spoken here (PulseAudio, PipeWire)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, MutableMapping, Sequence

from simul.closing import Closing
from simul.errors import DeviceError

VIRTUAL = "virtual"
"""The name of an output device that stands for the virtual microphone."""
SINK = "simul_speech"
SOURCE = "simul_microphone"
TITLE = "Simul-translation"
"""What other programs show; PulseAudio's properties take no spaces here."""
PULSE = "pulse"
"""PortAudio's device that PulseAudio is behind."""
_ELSEWHERE = {
    "darwin": "On macOS install a virtual cable such as BlackHole and name it: --play-device BlackHole.",
    "win32": "On Windows install a virtual cable such as VB-CABLE and name it: --play-device CABLE.",
}

Run = Callable[[Sequence[str]], str]


def pactl(arguments: Sequence[str]) -> str:
    """What PulseAudio's control program answers.

    Raises:
        DeviceError: it is not installed, or PulseAudio refuses.
    """
    try:
        done = subprocess.run(["pactl", *arguments], capture_output=True, text=True, timeout=10, check=True)
    except FileNotFoundError:
        raise DeviceError(
            "A virtual microphone needs pactl, which talks to PulseAudio and PipeWire; install "
            "pulseaudio-utils, or name an output device of your own with --play-device NAME."
        ) from None
    except OSError as error:
        raise DeviceError(
            f"pactl, which makes the virtual microphone, cannot be run: {error.strerror}."
        ) from error
    except subprocess.CalledProcessError as error:
        said = " ".join(str(error.stderr).split()) or "no reason given"
        raise DeviceError(f"PulseAudio makes no virtual microphone ({said}); does it run?") from error
    except subprocess.TimeoutExpired:
        raise DeviceError("PulseAudio does not answer; is it running?") from None
    return done.stdout.strip()


class VirtualMicrophone(Closing):
    """Makes the microphone, and takes it away when it is closed.

    What this process plays goes into it from then on, and not to the loudspeaker: `PULSE_SINK` of `environ` says so.

    Raises:
        DeviceError: this system has none, or PulseAudio refuses; the sentence says what to install.
    """

    device = PULSE

    def __init__(
        self, run: Run = pactl, environ: MutableMapping[str, str] | None = None, platform: str = sys.platform
    ) -> None:
        if platform in _ELSEWHERE:
            raise DeviceError(f"A virtual microphone is made on Linux only. {_ELSEWHERE[platform]}")
        self._run = run
        self._environ = os.environ if environ is None else environ
        self._modules: list[str] = []
        try:
            self._load(
                "module-null-sink", f"sink_name={SINK}", f"sink_properties=device.description={TITLE}-speech"
            )
            self._load(
                "module-remap-source",
                f"master={SINK}.monitor",
                f"source_name={SOURCE}",
                f"source_properties=device.description={TITLE}",
            )
        except DeviceError:
            self.close()
            raise
        self._environ["PULSE_SINK"] = SINK

    def _load(self, *module: str) -> None:
        self._modules.append(self._run(["load-module", *module]))

    def close(self) -> None:
        """Take the microphone away; closing twice does no harm."""
        if self._environ.get("PULSE_SINK") == SINK:
            del self._environ["PULSE_SINK"]
        while self._modules:
            try:
                self._run(["unload-module", self._modules.pop()])
            except DeviceError:
                # PulseAudio has gone, and its modules with it.
                continue
