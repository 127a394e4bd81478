"""Freed memory goes back to the system."""

import ctypes
import gc
import subprocess
import sys
from pathlib import Path

import pytest

from simul import memory


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only the GNU C library is asked")
def test_freed_blocks_leave_the_process() -> None:
    if memory._function("malloc_trim", ctypes.c_size_t) is None:
        pytest.skip("this C library has no malloc_trim")
    # Blocks below the mapping threshold lie in the heap; the last one holds the top, so that freeing returns nothing.
    blocks = [bytearray(100_000) for _ in range(400)]
    top = bytearray(100_000)
    before = resident()
    blocks.clear()
    memory.release()
    assert resident() < before - 20_000_000
    assert len(top) == 100_000


def test_a_system_without_it_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    memory._function.cache_clear()
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    try:
        assert memory._function("malloc_trim", ctypes.c_size_t) is None
        memory.release()
        memory.settle_allocator()
    finally:
        memory._function.cache_clear()


LARGE_BLOCKS = """
from simul import memory
from tests.simul.test_memory import resident
memory.settle_allocator()
held = []
for size in (1_000_000, 4_000_000, 16_000_000) * 3:
    block = bytearray(size)
    held.append(bytearray(1000))
    before = resident()
    del block
    assert before - resident() > 0.9 * size, size
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only the GNU C library is asked")
def test_large_blocks_leave_the_process_when_they_are_freed() -> None:
    if memory._function("mallopt", ctypes.c_int, ctypes.c_int) is None:
        pytest.skip("this C library has no mallopt")
    subprocess.run([sys.executable, "-c", LARGE_BLOCKS], check=True)


def test_a_table_takes_its_memory_at_once_where_that_is_wanted() -> None:
    mallopt = memory._function("mallopt", ctypes.c_int, ctypes.c_int)
    if mallopt is None:
        pytest.skip("this C library has no mallopt")
    library = ctypes.CDLL(None)
    library.calloc.restype, library.calloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t, ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]

    def taken() -> int:
        before = resident()
        block = library.calloc(40_000_000, 1)
        try:
            return resident() - before
        finally:
            library.free(block)

    assert taken() < 4_000_000
    with memory.tables_in_memory():
        assert taken() > 36_000_000
    assert taken() < 4_000_000


LOADED = """
import contextlib, sys
from simul.models.embedded import sphinx
from tests.simul.test_memory import resident
if sys.argv[1] == "lazily":
    sphinx.tables_in_memory = contextlib.nullcontext
before = resident()
recognizer = sphinx.SphinxRecognizer()
print(resident() - before)
"""


def test_the_recogniser_takes_the_memory_of_its_tables_when_it_is_loaded() -> None:
    pytest.importorskip("pocketsphinx", reason="the embedded recogniser needs pocketsphinx")
    if memory._function("mallopt", ctypes.c_int, ctypes.c_int) is None:
        pytest.skip("this C library has no mallopt")

    def taken(how: str) -> int:
        done = subprocess.run([sys.executable, "-c", LOADED, how], check=True, capture_output=True, text=True)
        return int(done.stdout)

    # 60,000 word exits with 20 scores of four bytes each, and the exits themselves.
    assert taken("at once") > taken("lazily") + 60_000 * 20 * 4


def test_garbage_is_collected_between_segments_only_after_freezing() -> None:
    collected: list[int] = []

    def note(phase: str, about: dict[str, int]) -> None:
        collected.append(about["generation"])

    gc.unfreeze()
    gc.callbacks.append(note)
    try:
        memory.release()
        assert 2 not in collected
        memory.freeze()
        collected.clear()
        memory.release()
        assert 2 in collected
    finally:
        gc.callbacks.remove(note)
        gc.unfreeze()


def resident() -> int:
    """Bytes of this process in memory."""
    import resource

    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_a_host_gives_memory_back_every_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    monkeypatch.setattr(memory, "release", lambda: given.append(1))
    keeping = memory.Housekeeping(every=100)
    counts = []
    for heard in (0, 50, 99, 100, 150, 420, 430, 10, 20):
        keeping.heard(heard)
        counts.append(len(given))
    assert counts == [0, 0, 0, 1, 1, 2, 2, 3, 3]
