"""The toolkit's own folder of models in the user's cache: files written whole or not at all, hashes remembered."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from simul.errors import ModelDamagedError, ModelMissingError
from simul.models.catalogue.entries import Entry, ModelFile

Progress = Callable[[str, int], None]
"""Told a file's name and the bytes that came since it was last told."""
_STAMPS = "stamps.json"
_BLOCK = 1 << 20


def unheard(name: str, count: int) -> None:
    """Progress that nobody watches."""


def user_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Where the toolkit keeps models: XDG_CACHE_HOME/simul/models, or ~/.cache/simul/models."""
    env = os.environ if environment is None else environment
    base = Path(env["XDG_CACHE_HOME"]) if env.get("XDG_CACHE_HOME") else Path("~/.cache")
    return base.expanduser() / "simul" / "models"


def blocks_of(path: Path) -> Iterable[bytes]:
    """The content of a file, a MiB at a time."""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


class Store:
    """A folder with a subfolder for each model that was joined or fetched, and the hashes of files seen before.

    A hash is remembered with the file's size and time of change, for files anywhere; a file that has changed is
    hashed anew. Where the folder cannot be written nothing is remembered.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, entry: Entry) -> Path:
        """Where the model is or would be."""
        return self.root / entry.slug

    def hashes(self, paths: Iterable[Path], progress: Progress = unheard) -> dict[Path, str]:
        """The SHA-256 of files, as remembered where they have not changed since.

        Raises:
            OSError: one cannot be read.
        """
        stamps, found, read = self._stamps(), {}, []
        for path in paths:
            known = stamps.get(str(path))
            if isinstance(known, list) and known[:2] == _stamp(path):
                found[path] = str(known[2])
                progress(path.name, known[0])
            else:
                found[path] = _sha256([path], progress)
                read.append(path)
        if read:
            self._remember({str(path): [*_stamp(path), found[path]] for path in read})
        return found

    def sha256(self, pieces: Sequence[Path], progress: Progress = unheard) -> str:
        """The SHA-256 of a file that lies in `pieces`, read anew; of a whole file it is remembered.

        Raises:
            OSError: one cannot be read.
        """
        found = _sha256(pieces, progress)
        if len(pieces) == 1:
            self._remember({str(pieces[0]): [*_stamp(pieces[0]), found]})
        return found

    def write(
        self,
        entry: Entry,
        contents: Mapping[str, Callable[[], Iterable[bytes]]],
        progress: Progress = unheard,
    ) -> Path:
        """Put a model's files, given as blocks of bytes by name, into its folder; whole and checked, or not at all.

        What another process has put there meanwhile is kept.

        Raises:
            ModelDamagedError: a file is not the one that the catalogue knows.
            ModelMissingError: the folder cannot be written.
        """
        import filelock

        folder = self.folder(entry)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(self.root / f".{entry.slug}.lock"):
                if self.holds(entry):
                    return folder
                return self._write(entry, contents, progress)
        except OSError as error:
            raise ModelMissingError(
                f"The model {entry.name} cannot be written to {folder}: {error.strerror or error}; free some space, "
                "or set XDG_CACHE_HOME to a folder that can be written."
            ) from error

    def holds(self, entry: Entry) -> bool:
        """Whether the model is in its folder, every file with the right hash."""
        expected = {self.folder(entry) / file.name: file.sha256 for file in entry.files}
        try:
            return self.hashes(expected) == expected
        except OSError:
            return False

    def remove(self, entry: Entry) -> int:
        """Delete the model's folder; the bytes that were in it (0 if there was none)."""
        folder = self.folder(entry)
        if not folder.is_dir():
            return 0
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        shutil.rmtree(folder)
        self._remember({})
        return size

    def _write(
        self, entry: Entry, contents: Mapping[str, Callable[[], Iterable[bytes]]], progress: Progress
    ) -> Path:
        folder = self.folder(entry)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{entry.slug}.", dir=self.root))
        try:
            found = {}
            for file in entry.files:
                target = unfinished / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                found[file.name] = _copy(file, contents[file.name](), target, entry.name, progress)
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(unfinished, folder)
            folder.chmod(0o755)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        self._remember(
            {str(folder / name): [*_stamp(folder / name), sha256] for name, sha256 in found.items()}
        )
        return folder

    def _stamps(self) -> dict[str, object]:
        try:
            stamps = json.loads((self.root / _STAMPS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return stamps if isinstance(stamps, dict) else {}

    def _remember(self, news: Mapping[str, object]) -> None:
        """Add stamps and drop those of files that are gone.

        Of two processes at once one may lose its news, which costs reading a file again.
        """
        kept = {path: stamp for path, stamp in self._stamps().items() if os.path.exists(path)}
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".stamps.", dir=self.root)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({**kept, **news}, file, indent=0)
            os.replace(name, self.root / _STAMPS)
        except OSError:
            return


def _stamp(path: Path) -> list[int]:
    """What tells that a file has changed: its size and the time of its last change."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _sha256(pieces: Sequence[Path], progress: Progress) -> str:
    digest = hashlib.sha256()
    for path in pieces:
        for block in blocks_of(path):
            digest.update(block)
            progress(path.name, len(block))
    return digest.hexdigest()


def _copy(file: ModelFile, blocks: Iterable[bytes], target: Path, model: str, progress: Progress) -> str:
    """Write one file and check it while it goes by; no more is written than it should have."""
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as out:
        for block in blocks:
            size += len(block)
            if size > file.size:
                break
            out.write(block)
            digest.update(block)
            progress(file.name, len(block))
    if size != file.size:
        more = "more than " if size > file.size else ""
        raise ModelDamagedError(
            f"The file {file.name} of {model} has {more}{min(size, file.size)} bytes where the catalogue knows "
            f"{file.size}; nothing was kept of it."
        )
    if digest.hexdigest() != file.sha256:
        raise ModelDamagedError(
            f"The file {file.name} of {model} has the SHA-256 {digest.hexdigest()}, expected was {file.sha256}; "
            "nothing was kept of it."
        )
    return digest.hexdigest()
