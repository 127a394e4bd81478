"""The search of the GPU's benchmark: it ends at its time, and finds where decisions begin to be late."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.engine_gpu import SHAPES, Measurement, alone, most_until, network_folder, stages
from simul.engine.cost import CostTable
from simul.engine.scheduler import Due


@pytest.mark.parametrize(("holds", "found"), [(0, 0), (1, 1), (5, 5), (9, 9)])
def test_the_most_streams_are_found(holds: int, found: int) -> None:
    assert most_until(lambda n: float(n <= holds), time.monotonic() + 1000, 1) == (found, True)


def test_a_search_that_is_cut_off_says_so() -> None:
    streams, ended = most_until(lambda n: 1.0, time.monotonic() - 1, 8)
    assert (streams, ended) == (0, False)


def test_a_lock_takes_whoever_came_first() -> None:
    due = [Due(1, 9.0, 2.0, 100), Due(2, 3.0, 1.0, 100)]
    assert [each.number for each in alone(due, 0.0, CostTable())] == [2]


def test_streams_are_counted_only_when_batches_of_their_size_have_occurred(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served: list[tuple[str, int]] = []

    def serve(self: Measurement, way: str, streams: int) -> Any:
        served.append((way, streams))
        return SimpleNamespace(share=float(len(served)))

    monkeypatch.setattr(Measurement, "serve", serve)
    measurement = Measurement(SimpleNamespace(loaded=SimpleNamespace(backend=None)), None)  # type: ignore[arg-type]
    assert [measurement.share("engine", n) for n in (3, 4, 5)] == [2.0, 3.0, 5.0]
    assert measurement.share("lock", 4) == 7.0


def test_stages_are_timed_as_they_come_and_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers", reason="the networks are those of transformers")
    pytest.importorskip("faster_whisper", reason="the tiny tokenizer is made with it")
    from tests.simul.decoding.tape import TapeRecorder

    recorder = TapeRecorder(warm=1)
    monkeypatch.setattr("simul.decoding.graphs.recorder_for", lambda device: recorder)
    folder = network_folder(SHAPES["toy"], tmp_path)
    found = stages(folder, "cpu", "float32", np.ones(32_000, np.float32) / 9, (1,))
    assert len(recorder.tapes) >= 3
    for way in ("as they come", "replayed"):
        assert found[way]["failures"] == []
        assert min(found[way]["1"].values()) > 0
