"""Pieces of work for tests with processes; imports little, since every process imports it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any


def dies_on_three(number: int) -> int:
    """Ten times the number; ends its process at 3 and fails at 5."""
    if number == 3:
        os._exit(7)
    if number == 5:
        raise ValueError("five is no good")
    return number * 10


def meets(task: tuple[Path, str, str]) -> bool:
    """Whether the other piece of work is there at the same time."""
    folder, own, other = task
    (folder / own).touch()
    for _ in range(1200):
        if (folder / other).exists():
            return True
        time.sleep(0.05)
    return False


class Company:
    """A result for a recording "a" or "b" only while the other one is being worked on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, item: Any) -> dict[str, float]:
        if not meets((self.folder, item.name, "b" if item.name == "a" else "a")):
            raise ValueError("nobody came")
        return {"length": 1.0}


def sleeps(name: Path) -> None:
    """Says that it began, and after 20 seconds that it was not stopped; then its process ends."""
    name.with_suffix(".began").touch()
    time.sleep(20)
    name.with_suffix(".slept").touch()
    os._exit(0)


class Unreadable:
    """Work that no process can read."""

    def __call__(self, task: int) -> int:
        return task

    def __getstate__(self) -> dict[str, int]:
        return {"x": 1}

    def __setstate__(self, state: dict[str, int]) -> None:
        os._exit(9)


def length_of(item: Any) -> dict[str, float]:
    """A result for the runner's tests: how long the recording's name is; the name "bad" fails."""
    name = item.name
    if name == "bad":
        raise ValueError("it is bad")
    return {"length": float(len(name))}
