"""What `simul version` and `simul devices` print."""

from __future__ import annotations

import json
from importlib.metadata import version

from server import protocol
from simul.session.events import SCHEMA_VERSION
from tests.simul.scripted_cli import command


def test_versions_for_people() -> None:
    code, out, _ = command("version")
    assert code == 0
    lines = dict(line.split(" ", 1) for line in out.replace("event schema", "events").splitlines())
    assert lines["simul"] == version("simul")
    assert lines["protocol"] == protocol.VERSION
    assert lines["events"] == str(SCHEMA_VERSION)


def test_versions_for_programs_name_every_file_of_the_models_by_its_hash() -> None:
    code, out, _ = command("version", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["protocol"] == protocol.VERSION
    assert found["events"] == SCHEMA_VERSION
    listed = json.loads(command("models", "--format", "json")[1])
    assert set(found["models"]) == {model["name"] for model in listed if model["installed"]}
    for files in found["models"].values():
        assert files
        assert all(len(value) == 64 for value in files.values())


def test_devices_are_those_of_the_microphone() -> None:
    for arguments in ((), ("--json",)):
        assert command("devices", *arguments) == command("mic", "--list-devices", *arguments)
