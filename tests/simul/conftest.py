"""What tests of several backends share: the tiny Whisper model, and torch on one thread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without models besides those that are shipped; the hub cache, which is empty."""
    from simul.models.catalogue import lookup

    hub = tmp_path / "hub"
    hub.mkdir()
    monkeypatch.setenv("HF_HUB_CACHE", str(hub))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(lookup.FOLDERS_VARIABLE, raising=False)
    monkeypatch.setattr(lookup, "_packaged", lambda entry: None)
    return hub


@pytest.fixture(scope="session")
def tiny_whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stored tiny model for CTranslate2; the original lies beside it in `transformers`."""
    for name in ("torch", "transformers", "faster_whisper"):
        pytest.importorskip(name)
    from tests import tiny_models

    return tiny_models.save_whisper(tiny_models.trained_whisper(), tmp_path_factory.mktemp("tiny-whisper"))


@pytest.fixture(scope="session")
def torch_whisper(tiny_whisper: Path) -> Path:
    """The tiny model in the transformers format."""
    return tiny_whisper.parent / "transformers"


@pytest.fixture(scope="session")
def network(torch_whisper: Path) -> Any:
    """The tiny model as the transformers package itself runs it, with plain attention."""
    from transformers import WhisperForConditionalGeneration

    made = WhisperForConditionalGeneration.from_pretrained(torch_whisper, attn_implementation="eager")
    return made.eval()


@pytest.fixture(scope="module")
def one_torch_thread() -> Iterator[None]:
    """Tiny models lose time to several threads."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
