"""Where a step of `simul train` writes: held for one step at a time, and a disk that fills up is named."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simul.errors import OutputError
from simul.evaluation.claim import locked
from simul.files import make_folder

_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG})
_NO_ROOM_BYTES = 1 << 20


@contextmanager
def held(folder: str) -> Iterator[Path]:
    """The folder of a run, made where it is missing.

    Raises:
        UsageError: another step writes there now.
        SimulError: it cannot be made or written.
    """
    place = make_folder(folder)
    with locked(place), full_disk_named(place):
        yield place


@contextmanager
def full_disk_named(place: Path) -> Iterator[None]:
    """Turn what a full disk makes writers of `place`, a folder or a file, raise into a sentence.

    Raises:
        OutputError: the disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise OutputError(f"{place} cannot be written: {error.strerror}.") from error
    except RuntimeError as error:
        # Torch says no more than that a position in the file is not the expected one.
        folder = place if place.is_dir() else place.absolute().parent
        if not folder.is_dir() or shutil.disk_usage(folder).free > _NO_ROOM_BYTES:
            raise
        raise OutputError(f"{place} cannot be written: {os.strerror(errno.ENOSPC)}.") from error
