"""What is asked of the C library and of the garbage collector, and when."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from simul import memory

Calls = list[tuple[Any, ...]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What the C library is asked for, while it is not asked."""
    made: Calls = []

    def found(name: str, *arguments: Any) -> Callable[..., int]:
        return lambda *given: made.append((name, *given)) or 1  # type: ignore[func-returns-value]

    monkeypatch.setattr(memory, "_function", found)
    return made


def test_the_functions_exist_in_the_gnu_library() -> None:
    if not (sys.platform.startswith("linux") and hasattr(ctypes.CDLL(None), "gnu_get_libc_version")):
        pytest.skip("only the GNU C library has them")
    trim, mallopt = (
        memory._function("malloc_trim", ctypes.c_size_t),
        memory._function("mallopt", ctypes.c_int, ctypes.c_int),
    )
    assert trim(0) in (0, 1)
    assert mallopt(memory.FILL_NEW_BLOCKS, 0) == 1
    assert memory._function("no_such_function") is None


def test_a_system_without_them_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    memory._function.cache_clear()
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    try:
        assert memory._function("malloc_trim", ctypes.c_size_t) is None
        memory.release()
        memory.settle_allocator()
        with memory.tables_in_memory():
            pass
    finally:
        memory._function.cache_clear()


def test_the_allocator_gets_every_setting(calls: Calls) -> None:
    memory.settle_allocator()
    assert calls == [("mallopt", -8, 1), ("mallopt", -3, 1 << 19), ("mallopt", -1, 1 << 26)]


def test_tables_are_filled_only_within(calls: Calls) -> None:
    with memory.tables_in_memory():
        assert calls == [("mallopt", -6, 1)]
    assert calls == [("mallopt", -6, 1), ("mallopt", -6, 0)]
    with pytest.raises(RuntimeError), memory.tables_in_memory():
        raise RuntimeError
    assert calls[2:] == [("mallopt", -6, 1), ("mallopt", -6, 0)]


def test_free_blocks_are_given_back(calls: Calls) -> None:
    memory.release()
    assert calls == [("malloc_trim", 0)]


def test_a_host_gives_back_once_in_so_many_samples(calls: Calls) -> None:
    keeping = memory.Housekeeping(every=100)
    given = []
    for sample in (0, 99, 100, 150, 199, 200, 555, 654, 655, 10, 109, 110):
        keeping.heard(sample)
        given.append(len(calls))
    assert given == [0, 0, 1, 1, 1, 2, 3, 3, 4, 5, 5, 6]


def test_the_recogniser_takes_the_memory_of_its_tables_when_it_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("pocketsphinx", reason="the embedded recogniser needs pocketsphinx")
    from simul.models.embedded import sphinx

    happened = []

    @contextmanager
    def filling() -> Iterator[None]:
        happened.append("filling")
        yield
        happened.append("filled")

    import pocketsphinx

    class Decoder(pocketsphinx.Decoder):  # type: ignore[misc]
        def __init__(self, *given: Any, **more: Any) -> None:
            happened.append("loading")
            super().__init__(*given, **more)

    monkeypatch.setattr(sphinx, "tables_in_memory", filling)
    monkeypatch.setattr(pocketsphinx, "Decoder", Decoder)
    sphinx.SphinxRecognizer()
    assert happened == ["filling", "loading", "filled"]


def test_garbage_is_collected_only_after_freezing(calls: Calls) -> None:
    collected: list[int] = []

    def note(phase: str, about: dict[str, int]) -> None:
        collected.append(about["generation"])

    gc.unfreeze()
    gc.disable()
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
        gc.enable()
        gc.unfreeze()
