"""Model folders: what a folder holds, which models the user's hub cache has, and explicit downloads.

The cache is walked here, not by `huggingface_hub.scan_cache_dir`: that package comes with extras only, takes 27 MB with
what it needs and 0.12 s to import, and the walk over 20 repositories takes 1.5 ms here and 12 there.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from simul.errors import ModelMissingError
from simul.install import install_hint

WHISPER_PACKAGE = install_hint("whisper")
TRANSFORMERS_PACKAGE = install_hint("hf")
MULTILINGUAL_VOCABULARY = 51865
"""Entries of the smallest multilingual Whisper vocabulary; an English-only one has at least one less."""
_CTRANSLATE2 = {"WhisperSpec": "whisper", "TransformerSpec": "translation"}
_READING_FILES = ("*.json", "*vocabulary*", "*.spm", "*.model", "*.txt", "*.jinja")
"""What a model needs besides its weights."""
_WEIGHT_FILES = (
    "model.bin",
    "model.safetensors",
    "model-*-of-*.safetensors",
    "pytorch_model.bin",
    "pytorch_model-*-of-*.bin",
)
"""Weights by name, in order of preference; the first one is CTranslate2's."""
_STUDENTS = (("model.*.bin", "*vocab*.spm"), ("encoder.npz", "source.spm"))
"""Weights and vocabulary of Firefox students: of one pair, and of one encoder with decoders for several languages."""


@dataclass(frozen=True)
class FoundModel:
    """A model on disk.

    `kind` is what `classify` says; `name` the hub's name or the folder's; `size` the bytes of its weights.
    """

    kind: str
    path: Path
    name: str
    size: int


def classify(folder: Path) -> str | None:
    """What model a folder holds, judged by its files; None when it is none that is known.

    A CTranslate2 file names its architecture in its first bytes: "whisper" or "translation". The config.json of a
    folder in the transformers format names its own: "hf-causal" is a language model, any other "hf-" and its
    model_type. A "student" is one of Firefox's translation models, or one made like them.
    """
    if any(any(folder.glob(file)) and any(folder.glob(words)) for file, words in _STUDENTS):
        return "student"
    if (folder / "model.bin").is_file():
        return _CTRANSLATE2.get(_ctranslate2_spec(folder / "model.bin"))
    config = _json_object(folder / "config.json")
    family, named = config.get("model_type"), config.get("architectures")
    if family and weights(folder):
        causal = isinstance(named, list) and any(str(name).endswith("ForCausalLM") for name in named)
        return "hf-causal" if causal else f"hf-{family}"
    return None


def describe_folder(folder: Path, name: str | None = None) -> FoundModel | None:
    """The model in `folder`, or None."""
    kind = classify(folder)
    if kind is None:
        return None
    if kind == "student":
        files = [*folder.glob("model.*.bin"), *folder.glob("*.npz")]
    else:
        files = [folder / "model.bin"] if kind in _CTRANSLATE2.values() else weights(folder)
    return FoundModel(kind, folder, name or folder.name, sum(f.stat().st_size for f in files))


def hub_cache(environment: Mapping[str, str] | None = None) -> Path:
    """Where the hub's client keeps its files, by the variables it obeys."""
    env = os.environ if environment is None else environment
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if env.get(variable):
            return Path(os.path.expandvars(env[variable])).expanduser()
    if env.get("HF_HOME"):
        return Path(os.path.expandvars(env["HF_HOME"])).expanduser() / "hub"
    base = Path(env["XDG_CACHE_HOME"]) if env.get("XDG_CACHE_HOME") else Path("~/.cache")
    return base.expanduser() / "huggingface" / "hub"


def find_models(folders: Iterable[Path] = (), cache: Path | None = None) -> list[FoundModel]:
    """The models in `folders` (each itself, then its subfolders), then those in the hub cache, by name.

    Of each cached repository only the revision that the cache calls main counts (else the newest); revisions
    whose weights have not arrived are left out.
    """
    found: list[FoundModel] = []
    for folder in folders:
        candidates = [folder, *sorted(p for p in folder.iterdir() if p.is_dir())] if folder.is_dir() else []
        found += [model for path in candidates if (model := describe_folder(path)) is not None]
    root = hub_cache() if cache is None else cache
    repositories = sorted(root.glob("models--*")) if root.is_dir() else []
    for repository in repositories:
        name = repository.name.removeprefix("models--").replace("--", "/")
        for snapshot in snapshots(repository):
            model = describe_folder(snapshot, name)
            if model is not None:
                found.append(model)
                break
    return found


def is_multilingual(folder: Path) -> bool:
    """Whether a Whisper folder knows more than English, told by the size of its vocabulary."""
    size = _json_object(folder / "config.json").get("vocab_size")
    if isinstance(size, int):
        return size >= MULTILINGUAL_VOCABULARY
    try:
        listed = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        try:
            listed = (folder / "vocabulary.txt").read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return not folder.name.endswith(".en")
    return len(listed) >= MULTILINGUAL_VOCABULARY


def resolve(
    name: str,
    option: str,
    download: bool = False,
    found: Iterable[FoundModel] | None = None,
    aliases: Callable[[], Mapping[str, str]] = dict,
) -> FoundModel:
    """The model that `name` means: a folder, or a hub name found in the cache or, when asked, downloaded.

    option: where the name was given, for the message. aliases: short names of repositories; a slash is in no such name.

    Raises:
        ModelMissingError: there is no such model on this machine (or the download failed).
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return _described(path)
    identifier = name if "/" in name else aliases().get(name, name)
    for model in find_models() if found is None else found:
        if model.name in (name, identifier):
            return model
    if download:
        return _described(_download(identifier), identifier)
    looks_like_path = name.startswith((".", "/", "~")) or name.count("/") > 1
    hint = (
        "check the path"
        if looks_like_path
        else f"give a folder, or fetch it once with {option} {name} --download"
    )
    raise ModelMissingError(
        f"There is no model {name!r} on this machine: no such folder, and not in the hub cache; {hint}."
    )


def whisper_names() -> Mapping[str, str]:
    """Short names of Whisper-class models and the hub repositories they stand for.

    Raises:
        ModelMissingError: faster-whisper is not installed.
    """
    try:
        from faster_whisper import utils
    except ImportError as error:
        raise ModelMissingError(
            "Whisper-class models need the package faster-whisper, which is not installed; "
            f"run: {WHISPER_PACKAGE}"
        ) from error
    return dict(utils._MODELS)


def _described(folder: Path, name: str | None = None) -> FoundModel:
    model = describe_folder(folder, name)
    if model is None:
        raise ModelMissingError(
            f"The folder {folder} holds no model that is known: a CTranslate2 model is a folder with model.bin "
            "and its config.json, vocabulary and tokenizer files."
        )
    return model


def _download(identifier: str) -> Path:
    """Fetch a repository into the hub cache; only ever called because the user asked for it."""
    try:
        import huggingface_hub

        files = needed_files(huggingface_hub.list_repo_files(identifier))
        return Path(huggingface_hub.snapshot_download(identifier, allow_patterns=files))
    except ImportError as error:
        raise ModelMissingError(
            f"A download needs the package huggingface-hub, which is not installed; run: {WHISPER_PACKAGE}"
        ) from error
    except (
        Exception
    ) as error:  # the hub's client raises many kinds, by its version and by what the network did
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ModelMissingError(
            f"The model {identifier!r} could not be downloaded ({reason}); check the name and the network, "
            "or copy a model folder here and give its path."
        ) from error


def needed_files(names: Sequence[str]) -> list[str]:
    """Of the files of a repository those that a model is loaded from, without the weights' other formats."""
    top = [name for name in names if "/" not in name]
    choices = ([n for n in top if fnmatchcase(n, pattern)] for pattern in _WEIGHT_FILES)
    chosen = next((found for found in choices if found), [])
    return [n for n in top if n in chosen or any(fnmatchcase(n, pattern) for pattern in _READING_FILES)]


def snapshots(repository: Path) -> list[Path]:
    """Revisions of a cached repository, the one called main first, then newest first."""
    folder = repository / "snapshots"
    if not folder.is_dir():
        return []
    snapshots = sorted(
        (p for p in folder.iterdir() if p.is_dir()), key=lambda p: (-p.stat().st_mtime, p.name)
    )
    try:
        main = (repository / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return snapshots
    return sorted(snapshots, key=lambda p: p.name != main)


def _ctranslate2_spec(path: Path) -> str:
    """The name of the architecture at the head of a CTranslate2 file ("" if it is no such file)."""
    with path.open("rb") as file:
        head = file.read(6)
        if len(head) < 6:
            return ""
        version, length = struct.unpack("<IH", head)
        if not 2 <= version < 100 or not 0 < length < 100:
            return ""
        return file.read(length).rstrip(b"\0").decode("ascii", "replace")


def weights(folder: Path) -> list[Path]:
    """The files of a transformers folder that hold weights."""
    patterns = ("*.safetensors", "pytorch_model*.bin")
    return [p for pattern in patterns for p in folder.glob(pattern) if p.is_file()]


def _json_object(path: Path) -> dict[str, object]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
