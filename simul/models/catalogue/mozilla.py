"""Firefox pairs outside the catalogue: what Mozilla offers for a pair, taken only at the user's word.

Firefox reads its list of models from Mozilla's Remote Settings, collection translations-models: one record for each
file, with languages, version, file type (model, lex, vocab, or srcvocab and trgvocab) and an attachment with size,
SHA-256 and place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from simul.errors import DownloadError, UsageError
from simul.models.catalogue.accepted import firefox_entry
from simul.models.catalogue.downloads import TIMEOUT_SECONDS, reason
from simul.models.catalogue.entries import MOZILLA_ATTACHMENTS, Entry, ModelFile

RECORDS = (
    "https://firefox.settings.services.mozilla.com/v1/buckets/main/collections/translations-models/records"
)
_VERSION = re.compile(r"\d+(?:\.\d+)*")
_SAFE_NAME = re.compile(r"[\w.-]+")
_KINDS = ({"model", "lex", "vocab"}, {"model", "lex", "srcvocab", "trgvocab"})
"""File types that make a whole model."""


def offered(
    source: str, target: str, records: str = RECORDS, attachments: str = MOZILLA_ATTACHMENTS
) -> Entry:
    """What Mozilla offers for a pair in its newest version, as an entry; asks Mozilla's server.

    Raises:
        DownloadError: the server cannot be reached, or its answer is not understood.
        UsageError: Mozilla has no model for the pair.
    """
    import httpx

    try:
        answer = httpx.get(records, follow_redirects=True, timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        listed = answer.json()["data"]
        return _newest(source, target, listed, attachments)
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise DownloadError(
            f"Mozilla's list of models could not be read from {records} ({reason(error)}); check the network and "
            "try again."
        ) from error


def _newest(source: str, target: str, listed: Iterable[Mapping[str, Any]], attachments: str) -> Entry:
    versions: dict[str, dict[str, Mapping[str, Any]]] = {}
    for record in listed:
        kind, version = record.get("fileType"), str(record.get("version"))
        pair = (record.get("fromLang"), record.get("toLang"))
        # Versions such as 2.1a1 are trials.
        if (
            pair == (source, target)
            and _VERSION.fullmatch(version)
            and any(kind in kinds for kinds in _KINDS)
        ):
            versions.setdefault(version, {})[str(kind)] = record
    whole = [version for version, files in versions.items() if set(files) in _KINDS]
    if not whole:
        raise UsageError(f"Mozilla has no Firefox model from {source!r} into {target!r}.")
    version = max(whole, key=lambda text: [int(part) for part in text.split(".")])
    files, addresses = [], {}
    for record in versions[version].values():
        name, attachment = str(record["name"]), record["attachment"]
        if not _SAFE_NAME.fullmatch(name):
            raise ValueError(f"a file is called {name!r}")
        files.append(ModelFile(name, int(attachment["size"]), str(attachment["hash"])))
        addresses[name] = attachments + str(attachment["location"])
    about = f"Firefox student {source}→{target}, version {version}."
    return firefox_entry(source, target, tuple(files), addresses, about)
