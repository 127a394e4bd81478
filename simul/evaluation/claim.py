"""A folder of results belongs to one run: locked while it writes, and not overwritten by another run unasked."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from simul.errors import SimulError, UsageError
from simul.files import create, make_folder

SETTINGS = "settings.json"
"""What produced the results of a folder."""

LOCK = ".lock"
"""Held by the run that writes into the folder."""

REMEDY = "choose another folder, or replace them (--overwrite)."

_RESULTS = ("instances.log", "results.jsonl", "items.jsonl", "scores.json")


@contextlib.contextmanager
def claimed(
    folder: str | os.PathLike[str], settings: Mapping[str, Any] | None, overwrite: bool = False
) -> Iterator[Path]:
    """The folder, made where it is missing, and held for one run, which notes its settings there.

    Args:
        folder: where the run writes.
        settings: what the results depend on; the same settings again may replace them. None: nothing is the same,
            as with a microphone.
        overwrite: replace the results of another run.

    Raises:
        UsageError: another run writes there now, or the folder holds another run's results.
        SimulError: it cannot be made or written.
    """
    place = make_folder(folder)
    with locked(place):
        check_claim(place, settings, overwrite)
        write_settings(place, settings or {})
        yield place


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`.

    Raises:
        UsageError: another run holds it.
        SimulError: the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(f"{folder} is in use by another run; give each run a folder of its own.") from None
    except OSError as error:
        raise SimulError(f"{folder} cannot be written: {error.strerror}; choose another place.") from error
    except NotImplementedError:  # A file system without locks.
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / LOCK).unlink()
        lock.release()


def check_claim(
    folder: Path, settings: Mapping[str, Any] | None, overwrite: bool = False, file: str = "instances.log"
) -> None:
    """Refuse a folder with results of other settings; `file`: one more that would be results.

    Raises:
        UsageError: it holds some.
    """
    if overwrite or not any(_filled(folder / name) for name in (file, *_RESULTS)):
        return
    before = earlier_settings(folder)
    if before is None or settings is None:
        raise UsageError(f"{folder} holds the results of another run; {REMEDY}")
    wanted = json.loads(json.dumps(settings))
    if before != wanted:
        raise UsageError(
            f"{folder} holds the results of another run ({_difference(before, wanted)}); {REMEDY}"
        )


def earlier_settings(folder: Path) -> dict[str, Any] | None:
    """What the folder says of the run that wrote it; None where it says nothing that can be read."""
    try:
        found = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def write_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Note in the folder what its results depend on.

    Raises:
        SimulError: it cannot be written.
    """
    with create(folder / SETTINGS) as file:
        file.write(json.dumps(settings, ensure_ascii=False, indent=1) + "\n")


def _filled(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first setting that differs, both ways."""
    for name in [*now, *before]:
        ours, theirs = now.get(name), before.get(name)
        if ours != theirs:
            if isinstance(ours, dict) and isinstance(theirs, dict):
                return _difference(theirs, ours)
            return f"{name} {_short(theirs)} there, {_short(ours)} here"
    return "other settings"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
