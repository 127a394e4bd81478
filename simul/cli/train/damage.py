"""Which file of a run or of its data is damaged or missing, found out once a step has failed on one."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from simul.errors import SimulError

_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, UnicodeDecodeError, RuntimeError)
_READ_BYTES = 1 << 20


@contextmanager
def damage_named(files: Iterable[Path]) -> Iterator[None]:
    """Turn what readers of damaged files raise into a sentence; errors that none of `files` explains stay.

    Raises:
        SimulError: one of the files is damaged.
    """
    try:
        yield
    except _DAMAGE as error:
        for path in files:
            if not _is_whole(path):
                raise SimulError(f"{path} is damaged or was cut short; make or copy it again.") from error
        raise


def tables(data: str, more: Sequence[str] = ()) -> list[Path]:
    """The tables of sentence pairs in a folder of sets, and further ones."""
    return [*sorted(Path(data).glob("*/*.tsv.gz")), *map(Path, more)]


def prepared_files(run: str, languages: Sequence[str]) -> list[Path]:
    """What `prepare` wrote for these languages, and the checkpoints.

    Raises:
        SimulError: it wrote nothing for one of them.
    """
    folder = Path(run)
    found = [folder / f"{language}.{kind}" for language in languages for kind in ("model", "npz")]
    for path in found:
        if not path.is_file():
            raise SimulError(f"There is no {path}; run `simul train student prepare` for {path.stem} first.")
    return [*found, *sorted(folder.glob("checkpoint*.pt"))]


def _is_whole(path: Path) -> bool:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8") as file:
                while file.read(_READ_BYTES):
                    pass
        elif path.suffix in (".npz", ".pt"):
            with zipfile.ZipFile(path) as archive:
                return archive.testzip() is None
        elif path.suffix == ".model":
            from sentencepiece import SentencePieceProcessor

            SentencePieceProcessor(str(path))
    except (*_DAMAGE, OSError):
        return False
    return True
