"""Live and causal windows on torch: whose encoder, and the same as on onnxruntime."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the torch backend needs torch")
pytest.importorskip("transformers", reason="the torch backend needs transformers")
pytest.importorskip("onnxruntime", reason="what it is compared with is computed by onnxruntime")

from simul.backends.families import load_backend
from simul.backends.whisper import WhisperBackend
from simul.config import ModelConfig
from simul.decoding.interface import Prompt
from simul.errors import ModelMissingError, UsageError
from simul.models.whisper.live import FILE, TEACHER, fingerprint
from simul.models.whisper.onnxruntime.model import OnnxWhisper
from simul.models.whisper.torch import TorchWhisper
from simul.models.whisper.weights import FileWeights, save_variables
from tests.simul.tone_speech import audio, head
from tests.tiny_models import RATE

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture(scope="module")
def folders(tiny_whisper: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The tiny model for CTranslate2 and for transformers, each with an encoder for live windows beside it."""
    place = tmp_path_factory.mktemp("live")
    weights = FileWeights(tiny_whisper / "model.bin")
    rng = np.random.default_rng(0)
    taught = {
        name: weights[name] + (rng.normal(0, 0.05, weights[name].shape).astype(np.float32))
        for name in weights
        if name.startswith("encoder/") and name.endswith(("/weight", "/bias", "/gamma", "/beta"))
    }
    mark = {TEACHER: np.frombuffer(fingerprint(weights), np.uint8)}
    for name in ("ctranslate2", "transformers"):
        shutil.copytree(tiny_whisper.parent / name, place / name)
        save_variables(place / name / FILE, {**taught, **mark})
    return place / "ctranslate2", place / "transformers"


@pytest.mark.parametrize("window", ["live", "causal"])
def test_torch_hears_and_writes_what_onnxruntime_does(folders: tuple[Path, Path], window: str) -> None:
    theirs = OnnxWhisper(folders[0], "float32", 1, window=window, block=10)
    ours = TorchWhisper(folders[1], "cpu", window=window, block=10)
    plain = TorchWhisper(folders[1], "cpu", window="bucket")
    differ = 0
    for samples in audio(3, 21):
        prompts = [Prompt(head(ours), (), 15)]
        found, expected, other = (
            model.generate(model.encode([samples]), prompts)[0] for model in (ours, theirs, plain)
        )
        assert found.ids == expected.ids
        np.testing.assert_allclose(found.logprobs, expected.logprobs, atol=1e-4)
        assert found.attention is not None
        assert expected.attention is not None
        np.testing.assert_allclose(found.attention, expected.attention, atol=1e-4)
        assert other.attention is not None
        differ += found.ids != other.ids or not np.allclose(found.attention, other.attention, atol=1e-2)
    assert differ


def test_growing_windows_write_what_they_write_on_onnxruntime(folders: tuple[Path, Path]) -> None:
    theirs = OnnxWhisper(folders[0], "float32", 1, window="causal", block=10)
    ours = TorchWhisper(folders[1], "cpu", window="causal", block=10)
    sounds = [np.concatenate([*audio(1, seed), *audio(1, seed + 9)]) for seed in (1, 2)]
    mine, others = ([model.start() for _ in sounds] for model in (ours, theirs))
    for share in (0.3, 0.4, 0.7, 1.0):
        windows = [sound[: round(share * len(sound))] for sound in sounds]
        prompts = [Prompt(head(ours), (), 15)] * 2
        found = ours.generate(ours.grow(mine, windows), prompts)
        expected = theirs.generate(theirs.grow(others, windows), prompts)
        assert [h.ids for h in found] == [h.ids for h in expected]
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a.logprobs, b.logprobs, atol=1e-3)


def test_blocks_are_as_long_as_the_configuration_says(folders: tuple[Path, Path]) -> None:
    config = ModelConfig(model=str(folders[1]), device="cpu", window="causal", threads=1, block_ms=500)
    backend = load_backend(config, "en", "en").backend
    assert isinstance(backend, WhisperBackend)
    assert backend.model.grows
    window = backend.model.start()  # type: ignore[attr-defined]
    backend.model.grow([window], [np.zeros(RATE * 5 // 4, np.float32)])  # type: ignore[attr-defined]
    assert window.heard.frames == 50


def test_a_model_without_such_an_encoder_says_so(folders: tuple[Path, Path], tmp_path: Path) -> None:
    bare = shutil.copytree(folders[1], tmp_path / "bare")
    (bare / FILE).unlink()
    with pytest.raises(UsageError, match="no encoder for live windows of the Whisper model bare"):
        TorchWhisper(bare, "cpu", window="causal")
    save_variables(bare / FILE, {TEACHER: np.zeros(32, np.uint8)})
    with pytest.raises(ModelMissingError, match="another model than the one beside it"):
        TorchWhisper(bare, "cpu", window="live")
    with pytest.raises(UsageError, match="no window 'round'"):
        TorchWhisper(bare, "cpu", window="round")
