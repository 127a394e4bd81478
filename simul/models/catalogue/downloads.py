"""Downloads of models, made only when the user asks for one: from the model hub, or from public addresses."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from simul.errors import DownloadError, ModelMissingError
from simul.install import install_hint
from simul.models.catalogue.entries import Entry, HubSource
from simul.models.catalogue.lookup import Located, Places, find, how_to_get
from simul.models.catalogue.store import Progress, unheard

TIMEOUT_SECONDS = 30.0
"""How long a server may be silent."""


def pull(entry: Entry, places: Places | None = None, progress: Progress = unheard) -> Located:
    """The model, fetched unless it is on this machine; every file is checked before it counts.

    A model of the hub goes into the hub cache, others into the toolkit's own.

    Raises:
        DownloadError: it could not be fetched.
        ModelDamagedError: what came is not what the catalogue knows.
        ModelMissingError: there is no address to fetch it from.
    """
    places = places or Places.of_user()
    with contextlib.suppress(ModelMissingError):
        return find(entry, places, progress)
    if entry.hub is not None:
        _from_hub(entry, entry.hub, places.hub, progress)
    elif entry.addresses:
        contents = {name: partial(_stream, address) for name, address in entry.addresses.items()}
        places.store.write(entry, contents, progress)
    else:
        raise ModelMissingError(
            f"The model {entry.name} has no public address; get it with: {how_to_get(entry)}"
        )
    return find(entry, places)


def _stream(address: str) -> Iterator[bytes]:
    """The content at an address."""
    import httpx

    try:
        with httpx.stream("GET", address, follow_redirects=True, timeout=TIMEOUT_SECONDS) as answer:
            answer.raise_for_status()
            yield from answer.iter_bytes(1 << 20)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DownloadError(
            f"{address} could not be fetched ({reason(error)}); check the network and try again."
        ) from error


def reason(error: Exception) -> str:
    """What went wrong on the way to a server, in one phrase."""
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        return f"the server answers {error.response.status_code} {error.response.reason_phrase}".strip()
    if isinstance(error, httpx.TimeoutException):
        return f"no answer within {TIMEOUT_SECONDS:.0f} s"
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _from_hub(entry: Entry, hub: HubSource, cache: Path, progress: Progress) -> None:
    """Fetch the files of one revision into the hub cache."""
    try:
        import huggingface_hub
    except ImportError as error:
        raise ModelMissingError(
            f"A download from the hub needs the package huggingface-hub; run: {install_hint('whisper')}"
        ) from error
    # Versions that cannot report their progress draw a bar of their own.
    reports = "tqdm_class" in inspect.signature(huggingface_hub.hf_hub_download).parameters
    for file in entry.files:
        watched: dict[str, Any] = {"tqdm_class": _watched(file.name, progress)} if reports else {}
        try:
            huggingface_hub.hf_hub_download(
                hub.repository, file.name, revision=hub.revision, cache_dir=cache, **watched
            )
        except (
            Exception
        ) as error:  # the hub's client raises many kinds, by its version and by what the network did
            raise DownloadError(
                f"The file {file.name} of {hub.repository} could not be downloaded from the hub ({reason(error)}); "
                f"check the network, or get it with: {how_to_get(entry, pull=False)}"
            ) from error


def _watched(name: str, progress: Progress) -> type:
    """A bar for the hub's client that draws nothing and hands on what arrives."""
    from tqdm import tqdm

    class Watched(tqdm):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            progress(name, int(n or 0))
            return None

    return Watched
