"""A microphone for other programs: what PulseAudio is asked for, and that nothing of it is left."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from simul.audio.virtual_microphone import SINK, SOURCE, VirtualMicrophone, pactl
from simul.errors import DeviceError


class Pulse:
    """Modules by number; `failing` is the name of one that cannot be loaded."""

    def __init__(self, failing: str = "") -> None:
        self.failing = failing
        self.modules: dict[str, list[str]] = {}
        self.count = 20

    def __call__(self, arguments: Sequence[str]) -> str:
        command, name, *given = arguments
        if name == self.failing:
            raise DeviceError("refused")
        if command == "unload-module":
            del self.modules[name]
            return ""
        self.count += 1
        self.modules[str(self.count)] = [name, *given]
        return str(self.count)


def test_what_is_played_goes_to_a_sink_whose_monitor_is_the_microphone() -> None:
    pulse, environ = Pulse(), {"HOME": "/"}
    with VirtualMicrophone(pulse, environ, "linux") as microphone:
        sink, source = pulse.modules.values()
        assert sink[0] == "module-null-sink"
        assert f"sink_name={SINK}" in sink
        assert source[0] == "module-remap-source"
        assert {f"master={SINK}.monitor", f"source_name={SOURCE}"} <= set(source)
        assert environ["PULSE_SINK"] == SINK
        assert microphone.device == "pulse"
    assert pulse.modules == {}
    assert environ == {"HOME": "/"}


def test_closing_twice_or_after_pulseaudio_has_gone_does_no_harm() -> None:
    pulse, environ = Pulse(), dict[str, str]()
    microphone = VirtualMicrophone(pulse, environ, "linux")
    pulse.failing = next(reversed(pulse.modules))
    microphone.close()
    microphone.close()
    assert len(pulse.modules) == 1, "the one that could not be taken away"
    assert environ == {}


def test_half_a_microphone_is_taken_away_again() -> None:
    pulse, environ = Pulse("module-remap-source"), dict[str, str]()
    with pytest.raises(DeviceError, match="refused"):
        VirtualMicrophone(pulse, environ, "linux")
    assert pulse.modules == {}
    assert environ == {}


@pytest.mark.parametrize(("platform", "cable"), [("darwin", "BlackHole"), ("win32", "VB-CABLE")])
def test_elsewhere_the_cable_to_install_is_named(platform: str, cable: str) -> None:
    with pytest.raises(DeviceError, match=cable):
        VirtualMicrophone(Pulse(), {}, platform)


def test_without_the_control_program_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DeviceError, match="pulseaudio-utils"):
        pactl(["info"])


def test_a_control_program_that_cannot_be_run_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bin")
    (folder / "pactl").write_bytes(b"no program")
    (folder / "pactl").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(DeviceError, match="cannot be run"):
        pactl(["info"])


@pytest.mark.parametrize(("script", "said"), [("echo gone >&2; exit 1", "gone"), ("exit 1", "no reason")])
def test_a_refusal_is_a_sentence(
    script: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bin")
    (folder / "pactl").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "pactl").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(DeviceError, match=said):
        pactl(["info"])
