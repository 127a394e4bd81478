"""What tests of several backends share: the trained tiny Whisper model, and torch on one thread."""

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
def tiny_whisper(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The trained model for CTranslate2, made once and kept in pytest's cache; `transformers` lies beside it.

    It has learned from windows of two to three seconds, so that buckets of five would be strange to it.
    """
    for name in ("torch", "transformers", "faster_whisper"):
        pytest.importorskip(name)
    from tests import tiny_models

    cache = getattr(request.config, "cache", None)
    place = cache.mkdir("tiny-whisper") if cache is not None else tmp_path_factory.mktemp("tiny-whisper")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simul.models.whisper.features.BUCKET", 100)
        yield tiny_models.trained_whisper(Path(place))


@pytest.fixture(scope="session")
def torch_whisper(tiny_whisper: Path) -> Path:
    """The trained model in the transformers format."""
    return tiny_whisper.parent / "transformers"


@pytest.fixture(scope="session")
def network(torch_whisper: Path) -> Any:
    """The trained model as the transformers package itself runs it, with plain attention."""
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
