"""What stands for CUDA graphs on a CPU: the operations of a step on a tape, replayed on the same memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

ASKING = (
    "aten::_local_scalar_dense",
    "aten::nonzero",
    "aten::masked_select",
    "aten::equal",
    "aten::is_nonzero",
)
"""Operations whose result the host has to wait for."""


class HostQuestion(AssertionError):
    """A step asked the device, or took a number from the host."""


def _tensors(values: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]


def _where(tensor: torch.Tensor) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    return tensor.data_ptr(), tuple(tensor.shape), tuple(tensor.stride())


def asks(func: Any, args: Any) -> bool:
    """Whether an operation makes the host wait for the device."""
    name = func._schema.name
    by_mask = name in ("aten::index", "aten::index_put_", "aten::index_put") and any(
        leaf.dtype == torch.bool for leaf in _tensors(args[1])
    )
    return name in ASKING or by_mask


class _Listening(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name
        if asks(func, args) or name == "aten::lift_fresh":
            raise HostQuestion(f"{name} cannot be recorded")
        found = func(*args, **(kwargs or {}))
        self.heard.append((func, args, kwargs or {}, found))
        return found


class Tape:
    """One recorded step; every tensor that it was given must stay where it was, with the shape that it had."""

    def __init__(self, heard: list[tuple[Any, Any, Any, Any]]) -> None:
        self._heard = heard
        made: set[int] = set()
        self._given: list[tuple[torch.Tensor, Any]] = []
        for _, args, kwargs, found in heard:
            self._given += [(t, _where(t)) for t in _tensors((args, kwargs)) if id(t) not in made]
            made |= {id(t) for t in _tensors(found)}

    def __call__(self) -> None:
        for tensor, place in self._given:
            assert _where(tensor) == place, "a recorded tensor has moved or changed its shape"
        for func, args, kwargs, found in self._heard:
            for old, new in zip(_tensors(found), _tensors(func(*args, **kwargs)), strict=True):
                if old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class TapeRecorder:
    """Records steps; warm: runs of each before. tapes: what was recorded."""

    def __init__(self, warm: int = 3) -> None:
        self._warm = warm
        self.tapes: list[Tape] = []

    def __call__(self, step: Callable[[], None]) -> Callable[[], None]:
        for _ in range(self._warm):
            step()
        with _Listening() as listening:
            step()
        self.tapes.append(Tape(listening.heard))
        return self.tapes[-1]
