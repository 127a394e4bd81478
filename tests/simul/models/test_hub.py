"""Model folders are told apart by their files, the hub cache is searched, and names lead to folders."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simul.errors import ModelMissingError
from simul.models.hub import classify, find_models, hub_cache, resolve, whisper_names
from tests.simul.models.folders import cached, ctranslate2_folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("HF_HUB_CACHE", str(folder))
    return folder


def test_folders_are_classified_by_what_their_files_say(tmp_path: Path) -> None:
    assert classify(ctranslate2_folder(tmp_path / "w", "WhisperSpec")) == "whisper"
    assert classify(ctranslate2_folder(tmp_path / "t", "TransformerSpec")) == "translation"
    assert classify(ctranslate2_folder(tmp_path / "x", "Wav2Vec2Spec")) is None
    (tmp_path / "junk").mkdir()
    assert classify(tmp_path / "junk") is None
    (tmp_path / "junk" / "model.bin").write_bytes(b"PK")
    assert classify(tmp_path / "junk") is None
    transformers = tmp_path / "hf"
    transformers.mkdir()
    (transformers / "config.json").write_text('{"model_type": "whisper"}')
    assert classify(transformers) is None
    (transformers / "model.safetensors").write_bytes(b"x")
    assert classify(transformers) == "hf-whisper"
    (transformers / "config.json").write_text('{"model_type": "marian"}')
    assert classify(transformers) == "hf-marian"
    (transformers / "config.json").write_text(
        '{"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}'
    )
    assert classify(transformers) == "hf-causal"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HF_HUB_CACHE": "/a", "HUGGINGFACE_HUB_CACHE": "/b", "HF_HOME": "/c"}, "/a"),
        ({"HUGGINGFACE_HUB_CACHE": "/b", "HF_HOME": "/c"}, "/b"),
        ({"HF_HOME": "/c", "XDG_CACHE_HOME": "/d"}, "/c/hub"),
        ({"XDG_CACHE_HOME": "/d"}, "/d/huggingface/hub"),
        ({}, str(Path.home() / ".cache/huggingface/hub")),
    ],
)
def test_the_hub_cache_is_where_the_hub_s_client_puts_it(environment: dict[str, str], expected: str) -> None:
    assert hub_cache(environment) == Path(expected)


def test_our_cache_rule_agrees_with_the_client_itself() -> None:
    pytest.importorskip("huggingface_hub")
    # In a process of its own, since the client reads the environment once, when it is imported.
    told = [sys.executable, "-c", "from huggingface_hub.constants import HF_HUB_CACHE; print(HF_HUB_CACHE)"]
    assert Path(subprocess.check_output(told, text=True).strip()) == hub_cache()


def test_of_a_cached_repository_the_main_revision_counts_and_broken_ones_do_not(cache: Path) -> None:
    cached(cache, "Systran/faster-whisper-tiny", "a" * 40, main=True, size=5)
    newer = cached(cache, "Systran/faster-whisper-tiny", "b" * 40, main=False, size=7)
    os.utime(newer, (2e9, 2e9))
    dangling = cache / "models--x--y" / "snapshots" / "c"
    dangling.mkdir(parents=True)
    (dangling / "model.bin").symlink_to(cache / "blobs-that-never-came")
    models = find_models()
    assert [(m.name, m.kind, m.path.name) for m in models] == [
        ("Systran/faster-whisper-tiny", "whisper", "a" * 40)
    ]
    assert models[0].size == (models[0].path / "model.bin").stat().st_size


def test_explicit_folders_and_their_subfolders_are_searched_first(tmp_path: Path, cache: Path) -> None:
    cached(cache, "Systran/faster-whisper-tiny")
    ctranslate2_folder(tmp_path / "models" / "mine", "WhisperSpec")
    ctranslate2_folder(tmp_path / "models" / "de", "TransformerSpec")
    names = [(m.name, m.kind) for m in find_models([tmp_path / "models", tmp_path / "missing"])]
    assert names == [("de", "translation"), ("mine", "whisper"), ("Systran/faster-whisper-tiny", "whisper")]


def test_names_resolve_to_the_cache_and_to_folders(tmp_path: Path, cache: Path) -> None:
    pytest.importorskip("faster_whisper")
    snapshot = cached(cache, "Systran/faster-whisper-small")
    for name in ("small", "Systran/faster-whisper-small"):
        model = resolve(name, "--model", aliases=whisper_names)
        assert (model.path, model.name) == (snapshot, "Systran/faster-whisper-small")
    translation = ctranslate2_folder(tmp_path / "opus", "TransformerSpec")
    assert resolve(str(translation), "--mt").kind == "translation"
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelMissingError, match="holds no model"):
        resolve(str(tmp_path / "empty"), "--model")


def test_a_missing_name_says_how_to_get_it_and_nothing_is_fetched_unasked(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faster_whisper")
    hub = pytest.importorskip("huggingface_hub")

    def never(*_: object, **__: object) -> str:
        raise AssertionError("a download was tried")

    monkeypatch.setattr(hub, "list_repo_files", never)
    monkeypatch.setattr(hub, "snapshot_download", never)
    with pytest.raises(ModelMissingError, match=r"--asr small --download"):
        resolve("small", "--asr", aliases=whisper_names)
    with pytest.raises(ModelMissingError, match="check the path"):
        resolve("./no/such/folder", "--model")


class Remote:
    """A hub with one repository, whose files are those of a folder; only what is allowed arrives."""

    def __init__(self, folder: Path, place: Path) -> None:
        self.folder, self.place = folder, place
        self.asked: list[str] = []

    def list_repo_files(self, name: str) -> list[str]:
        self.asked.append(name)
        return sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("*") if p.is_file())

    def snapshot_download(self, name: str, *, allow_patterns: list[str]) -> str:
        from huggingface_hub.utils import filter_repo_objects

        for file in filter_repo_objects(self.list_repo_files(name), allow_patterns=allow_patterns):
            (self.place / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.folder / file, self.place / file)
        return str(self.place)


def serve(hub: Any, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("list_repo_files", "snapshot_download"):
        monkeypatch.setattr(hub, name, getattr(remote, name))


def test_a_download_happens_on_demand_and_its_failure_is_one_sentence(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faster_whisper")
    hub = pytest.importorskip("huggingface_hub")
    remote = Remote(ctranslate2_folder(tmp_path / "remote", "WhisperSpec"), tmp_path / "arrived")
    serve(hub, remote, monkeypatch)
    assert resolve("small", "--model", download=True, aliases=whisper_names).path == tmp_path / "arrived"
    assert set(remote.asked) == {"Systran/faster-whisper-small"}

    def fail(name: str) -> list[str]:
        raise OSError("Name or service not known\nsecond line")

    monkeypatch.setattr(hub, "list_repo_files", fail)
    with pytest.raises(ModelMissingError) as caught:
        resolve("small", "--model", download=True, aliases=whisper_names)
    assert "Name or service not known" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        ('{"model_type": "whisper"}', "hf-whisper"),
        ('{"model_type": "seamless_m4t_v2"}', "hf-seamless_m4t_v2"),
        ('{"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}', "hf-causal"),
    ],
)
def test_a_repository_of_the_transformers_format_comes_with_one_kind_of_weights(
    family: str, kind: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    hub = pytest.importorskip("huggingface_hub")
    files = {"config.json", "tokenizer.json", "merges.txt", "chat_template.jinja", "sentencepiece.bpe.model"}
    files |= {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}
    others = {"pytorch_model.bin", "model.fp32-00001-of-00002.safetensors", "flax_model.msgpack", "README.md"}
    for name in (*files, *others, "onnx/config.json", "original/model.safetensors"):
        (tmp_path / "remote" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "remote" / name).write_text(family if name == "config.json" else "x")
    serve(hub, Remote(tmp_path / "remote", tmp_path / "arrived"), monkeypatch)
    model = resolve("some/model", "--model", download=True)
    assert (model.kind, model.name) == (kind, "some/model")
    assert {str(p.relative_to(model.path)) for p in model.path.rglob("*") if p.is_file()} == files


def test_without_faster_whisper_the_package_to_install_is_named(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(ModelMissingError, match=r'pip install -e "\.\[whisper\]"'):
        resolve("small", "--model", aliases=whisper_names)
