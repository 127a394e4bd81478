"""Recordings by shape: made once, forgotten in turn, and how CUDA is asked for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch", reason="what is recorded are steps of torch")

import torch

from simul.decoding.graphs import WARM, CudaRecorder, Graphs, bucket, power, recorder_for


def test_sizes_are_rounded_up() -> None:
    assert [power(n) for n in (1, 2, 3, 4, 5, 64, 65)] == [1, 2, 4, 4, 8, 64, 128]
    assert [bucket(n, (2, 5, 9)) for n in (0, 2, 3, 5, 6, 9, 11)] == [2, 2, 5, 5, 9, 9, 9]


def test_steps_are_recorded_once_and_the_longest_unused_goes() -> None:
    recorded: list[Callable[[], None]] = []
    done: list[str] = []

    def record(step: Callable[[], None]) -> Callable[[], None]:
        recorded.append(step)
        return step

    graphs = Graphs(record, kept=2)

    def use(name: str) -> int:
        graphs.prepare(name, lambda: done.append(name))
        graphs.run(name)
        return len(recorded)

    assert [use(n) for n in ("a", "b", "a", "c", "a", "b")] == [1, 2, 2, 3, 3, 4]
    assert done == ["a", "b", "a", "c", "a", "b"]
    assert graphs.recorded == 4
    graphs.clear()
    assert use("b") == 5


def test_after_a_failure_nothing_is_recorded_any_more() -> None:
    tried, done = [], []

    def record(step: Callable[[], None]) -> Callable[[], None]:
        tried.append(step)
        raise RuntimeError("no\nmore")

    graphs = Graphs(record)
    for name in ("a", "b", "a"):
        graphs.prepare(name, lambda: done.append(0))
        graphs.run(name)
    assert (len(tried), len(done), graphs.failure, graphs.recorded) == (1, 3, "no", 0)


class Cuda:
    """What `torch.cuda` is asked, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.stream_now = "main"

    def Stream(self) -> Any:
        return SimpleNamespace(wait_stream=lambda other: self.told.append("side waits"))

    def current_stream(self) -> Any:
        return SimpleNamespace(wait_stream=lambda other: self.told.append("main waits"))

    @contextmanager
    def stream(self, stream: Any) -> Iterator[None]:
        self.stream_now = "side"
        yield
        self.stream_now = "main"

    def CUDAGraph(self) -> Any:
        return SimpleNamespace(replay=lambda: self.told.append("replay"))

    @contextmanager
    def graph(self, graph: Any, pool: Any) -> Iterator[None]:
        self.stream_now = f"captured in {pool}"
        yield
        self.stream_now = "main"

    def graph_pool_handle(self) -> str:
        self.told.append("pool")
        return "pool"


def test_cuda_warms_up_beside_and_captures_in_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = Cuda()
    monkeypatch.setattr(torch, "cuda", cuda)
    record = recorder_for(torch.device("cuda"))
    assert isinstance(record, CudaRecorder)
    for _ in range(2):
        record(lambda: cuda.told.append(cuda.stream_now))()
    once = ["side waits", *["side"] * WARM, "main waits", "captured in pool", "replay"]
    assert cuda.told == ["pool", *once, *once]


def test_nothing_records_on_a_cpu() -> None:
    assert recorder_for(torch.device("cpu")) is None
