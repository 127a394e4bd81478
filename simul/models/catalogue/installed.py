"""Models of the catalogue as the loaders of models want them: found, checked, and told apart by their folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from simul.errors import ModelDamagedError, ModelMissingError, UsageError
from simul.models.catalogue.accepted import accepted
from simul.models.catalogue.downloads import pull
from simul.models.catalogue.entries import ENTRIES, Entry
from simul.models.catalogue.lookup import Places, find, known
from simul.models.hub import FoundModel, classify, find_models

Say = Callable[[str], None]


def named_model(name: str, download: bool = False, places: Places | None = None) -> FoundModel | None:
    """The model of the catalogue that `name` means, checked; None for any other name, and for a folder.

    download: fetch it where it is not on this machine.

    Raises:
        ModelMissingError: it is not on this machine, or not with the right files.
        DownloadError: it could not be fetched.
        UsageError: it is none that recognises or translates.
    """
    places = places or Places.of_user()
    entry = None if Path(name).expanduser().is_dir() else known(name, places.store)
    if entry is None:
        return None
    located = pull(entry, places) if download else find(entry, places)
    model = _described(entry, located.path)
    if model is None:
        raise UsageError(f"The model {entry.name} is for {entry.task}; it cannot be given here.")
    return model


def installed_models(say: Say = lambda sentence: None, places: Places | None = None) -> list[FoundModel]:
    """The models on this machine: recognisers of the catalogue, then others of the hub cache.

    say: told a sentence about each that is here with wrong files, which is left out.
    """
    places = places or Places.of_user()
    found = _installed([e for e in ENTRIES.values() if e.task == "recognition"], places, say)
    # What the catalogue knows counts with its hashes only.
    return found + [model for model in find_models(cache=places.hub) if known(model.name) is None]


def installed_translators(
    source: str, target: str, say: Say = lambda sentence: None, places: Places | None = None
) -> list[FoundModel]:
    """The translators of the catalogue on this machine for a pair of languages; `say` as above."""
    places = places or Places.of_user()
    entries = [*ENTRIES.values(), *accepted(places.store).values()]
    pair = (source, target)
    return _installed([e for e in entries if e.task == "translation" and e.languages == pair], places, say)


def _installed(entries: list[Entry], places: Places, say: Say) -> list[FoundModel]:
    found = []
    for entry in entries:
        try:
            model = _described(entry, find(entry, places).path)
        except ModelDamagedError as error:
            say(str(error))
        except ModelMissingError:
            continue
        else:
            found += [model] if model is not None else []
    return found


def _described(entry: Entry, folder: Path) -> FoundModel | None:
    kind = classify(folder)
    return None if kind is None else FoundModel(kind, folder, entry.name, max(f.size for f in entry.files))
