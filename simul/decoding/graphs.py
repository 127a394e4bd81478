"""Steps of fixed shape that are recorded once and replayed, as a GPU does with CUDA graphs.

A step is a function without arguments that reads and writes tensors which stay where they are, asks the device nothing
and bakes in no number of the host that may change. What goes in is copied into such tensors before, what comes out is
copied out of them after. Recording runs a step several times, so it is done before anything that matters is in them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence

import torch

Step = Callable[[], None]
Recorder = Callable[[Step], Step]
"""Records a step, after which what it gives does the same without the host's work."""
KEPT = 256
"""Recordings that are kept; the one that was not used for longest goes."""
WARM = 3
"""Runs before a recording, in which libraries choose their kernels and take what memory they need."""


class CudaRecorder:
    """Records with CUDA graphs, which share the memory of what they compute in between: no two run at once."""

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, step: Step) -> Step:
        side, main = torch.cuda.Stream(), torch.cuda.current_stream()
        side.wait_stream(main)
        with torch.cuda.stream(side):
            for _ in range(WARM):
                step()
        main.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            step()
        return graph.replay


def recorder_for(device: torch.device) -> Recorder | None:
    """What records steps on a device; None: nothing does."""
    return CudaRecorder() if device.type == "cuda" else None


class Graphs:
    """Recordings of steps by their shapes.

    failure: why recording is not possible here, once that is known; from then on steps just run.
    """

    def __init__(self, record: Recorder, kept: int = KEPT) -> None:
        self._record, self._most = record, kept
        self._kept: OrderedDict[Hashable, Step] = OrderedDict()
        self.failure = ""
        self.recorded = 0

    def prepare(self, key: Hashable, step: Step) -> None:
        """Record a step unless there is a recording under `key`; nothing that matters is in its tensors yet."""
        if key not in self._kept:
            self._kept[key] = self._recording(step)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)

    def _recording(self, step: Step) -> Step:
        if self.failure:
            return step
        try:
            recording = self._record(step)
        except RuntimeError as error:
            self.failure = str(error).partition("\n")[0] or type(error).__name__
            return step
        self.recorded += 1
        return recording

    def run(self, key: Hashable) -> None:
        """Do what was prepared last under `key`."""
        self._kept[key]()

    def clear(self) -> None:
        """Forget all recordings: tensors that they read or write are no more."""
        self._kept.clear()


def bucket(count: int, sizes: Sequence[int]) -> int:
    """The smallest of the rising `sizes` that holds `count`; the last holds all."""
    return sizes[min(bisect_left(sizes, count), len(sizes) - 1)]


def power(count: int) -> int:
    """The smallest power of two that is not below `count`."""
    return 1 << max(0, count - 1).bit_length()
