"""The command that adds an extra of this toolkit, by how this copy of it was installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def install_hint(extra: str) -> str:
    """The pip command that adds `extra`: to a checkout, when the running code is one, else to the distribution."""
    return f'pip install -e ".[{extra}]"' if from_checkout() else f'pip install "simul[{extra}]"'


def from_checkout() -> bool:
    """Whether the running code lies in a checkout, as it does after an editable installation."""
    return (Path(__file__).resolve().parent.parent / "pyproject.toml").is_file()


EXTRA_OF = {
    "espeakng_loader": "embedded",
    "faster_whisper": "whisper",
    "hibari": "voice-en",
    "huggingface_hub": "whisper",
    "matplotlib": "plot",
    "onnxruntime": "whisper",
    "pocketsphinx": "embedded",
    "pypdf": "pdf",
    "ray": "ray",
    "segno": "serve",
    "simuleval": "peers",
    "simulstream": "peers",
    "sounddevice": "mic",
    "tokenizers": "whisper",
    "torch": "hf",
    "transformers": "hf",
    "websockets": "serve",
    "cryptography": "serve",
}
"""The extra that brings a module which the plain installation lacks."""

PACKAGES = ("dictation", "latency_metrics", "policies", "segmenter", "server", "tts")
"""The packages beside `simul`, whose names a file of the user's may have."""


def hidden_package(name: str) -> str | None:
    """What to do when another module `name` is found before the package of this toolkit; None when none is."""
    own = Path(__file__).resolve().parent.parent / name / "__init__.py"
    found = sys.modules.get(name)
    try:
        spec = found.__spec__ if found is not None else importlib.util.find_spec(name)
        origin = getattr(found, "__file__", None) or (None if spec is None else spec.origin)
    except (ImportError, ValueError, AttributeError):
        return None
    if origin is None or not own.is_file() or Path(origin).resolve() == own:
        return None
    return f"{origin} hides the package {name} that simul needs; rename it, or start in another folder."


def explain_import(error: ImportError) -> str | None:
    """The sentence for an import that failed: a package is hidden, or an extra is not installed; None where neither."""
    root = (error.name or "").partition(".")[0]
    if root in PACKAGES:
        return hidden_package(root)
    extra = EXTRA_OF.get(root)
    if not extra or not isinstance(error, ModuleNotFoundError):
        return None
    return f"This needs the package {root}, which is missing; run: {install_hint(extra)}"
