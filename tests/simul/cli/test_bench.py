"""`simul bench engine`: the table, JSON and the picture, on a model whose computing is made up; wrong use."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from simul.backends.base import Limits
from simul.backends.scripted import LANGUAGES, ScriptedBackend
from tests.simul.scripted_cli import command
from tests.simul.session.test_session import TALK


class MadeUp:
    """Computing that takes 40 ms a batch and 30 ms a stream."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def meter(self) -> float:
        return self.seconds

    def decode(self, size: int) -> None:
        self.seconds += 0.04 + 0.03 * size


def load(config: Any, source: str, target: str, needs: Any) -> Any:
    made_up = MadeUp()
    limits = Limits(LANGUAGES, LANGUAGES, trims=True, exports=True, meter=made_up.meter)
    backend = ScriptedBackend(TALK, on_decode=made_up.decode, limits=limits)
    return SimpleNamespace(backend=backend, description="Made-up model.")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    soundfile.write(path, np.zeros(5 * 16_000, np.float32), 16_000)
    return path


def test_the_engine_holds_more_streams_than_a_lock_and_loses_nothing(recording: Path) -> None:
    code, out, _ = command("bench", "engine", recording, "--seconds", 8, "--json", loader=load)
    assert code == 0
    found = json.loads(out)
    streams = found["streams"]
    # Alone a decision takes 70 ms of half a second.
    assert streams["lock"] == 7
    assert streams["engine"] > streams["lock"]
    assert streams["engine"] >= streams["window"]
    worker = found["workers"][0]
    assert worker["seconds_per_decision"] == pytest.approx(0.07)
    assert worker["at_capacity"]["in_time"] >= 0.95
    for over in ("over_admitted", "over_laddered"):
        assert (worker[over]["lost_samples"], worker[over]["failed"]) == (0, 0)
    assert worker["over_admitted"]["refused"] > 0
    assert "streams use" in worker["over_admitted"]["refusal"]
    assert worker["over_laddered"]["streams"] == 3 * streams["engine"]
    assert found["machine"]["cores"]


def test_people_get_a_table_and_a_picture(recording: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "capacity.png"
    code, out, _ = command("bench", "engine", recording, "--seconds", 4, "-o", picture, loader=load)
    assert code == 0
    assert "a lock around one model" in out
    assert "Made-up model." in out
    assert "0 samples were lost" in out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_measured_is_said(tmp_path: Path) -> None:
    short = tmp_path / "short.wav"
    soundfile.write(short, np.zeros(16_000, np.float32), 16_000)
    code, _, err = command("bench", "engine", short, loader=load)
    assert code == 2
    assert "4 seconds or more" in err
    assert command("bench", "motor")[0] == 2
    assert "Name what to measure" in command("bench")[2]
    assert "engine" in command("bench", "--help")[1]
