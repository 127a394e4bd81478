"""Every backend with tiny weights, for the tests that each of them must pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simul.backends.base import Backend
from simul.backends.scripted import ScriptedBackend
from simul.evaluation.trace.record import RecordingBackend
from tests.policies.scripts import script
from tests.simul.backends.test_cascade import SCRIPT, ScriptedRecognizer, UpperCase
from tests.simul.tone_speech import Loud


def scripted() -> Backend[Any]:
    return ScriptedBackend(script(11)[0])


def recording() -> Backend[Any]:
    return RecordingBackend(scripted())


def cascade() -> Backend[Any]:
    from simul.backends.cascade import CascadeBackend

    return CascadeBackend(lambda: ScriptedRecognizer(SCRIPT * 4), UpperCase())


@pytest.fixture(scope="module")
def whisper(tiny_whisper: Path) -> Callable[[], Backend[Any]]:
    from simul.backends.whisper import WhisperBackend
    from simul.models.whisper.ctranslate2 import WhisperModel

    model = WhisperModel(tiny_whisper, "cpu", "float32", threads=1, window="bucket")
    return lambda: WhisperBackend(model, activity=Loud)


@pytest.fixture(scope="module")
def onnx_whisper(tiny_whisper: Path) -> Callable[[], Backend[Any]]:
    from simul.backends.whisper import WhisperBackend
    from simul.models.whisper.onnxruntime.model import OnnxWhisper

    model = OnnxWhisper(tiny_whisper, "float32", 1, window="bucket")
    return lambda: WhisperBackend(model, activity=Loud)


@pytest.fixture(scope="module")
def causal_whisper(tiny_whisper: Path) -> Callable[[], Backend[Any]]:
    """With an encoder that was not trained for blocks: what is heard is worth little, but the books are the same."""
    from simul.backends.whisper import WhisperBackend
    from simul.models.whisper.onnxruntime.model import OnnxWhisper

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simul.models.whisper.onnxruntime.model.live_encoder", lambda weights, folder: {})
        model = OnnxWhisper(tiny_whisper, "float32", 1, window="causal", block=25)
    return lambda: WhisperBackend(model, activity=Loud)


@pytest.fixture(scope="module")
def whisper_cascade(tiny_whisper: Path) -> Callable[[], Backend[Any]]:
    from simul.backends.cascade import CascadeBackend
    from simul.backends.whisper_recognizer import WhisperRecognizer
    from simul.models.whisper.ctranslate2 import WhisperModel

    model = WhisperModel(tiny_whisper, "cpu", "float32", threads=1, window="bucket")
    return lambda: CascadeBackend(lambda: WhisperRecognizer(model, "en", activity=Loud), UpperCase())


@pytest.fixture(scope="module")
def torch_whisper_backend(torch_whisper: Path, one_torch_thread: None) -> Callable[[], Backend[Any]]:
    from simul.backends.whisper import WhisperBackend
    from simul.models.whisper.torch import TorchWhisper

    model = TorchWhisper(torch_whisper, "cpu", "float32", window="bucket")
    return lambda: WhisperBackend(model, activity=Loud)


@pytest.fixture(scope="module")
def torch_causal(torch_whisper: Path, one_torch_thread: None) -> Callable[[], Backend[Any]]:
    """In slots, with an encoder that was not trained for blocks, like `causal_whisper`."""
    from simul.backends.whisper import WhisperBackend
    from simul.models.whisper.torch import TorchWhisper

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simul.models.whisper.transformers_encoder.live_encoder", lambda weights, folder: {})
        model = TorchWhisper(torch_whisper, "cpu", "float32", window="causal", block=25)
    return lambda: WhisperBackend(model, activity=Loud)


@pytest.fixture(scope="module")
def torch_recorded(torch_whisper: Path, one_torch_thread: None) -> Callable[[], Backend[Any]]:
    """Like `torch_causal`, but all steps are replayed from recordings, as on a GPU."""
    from simul.backends.whisper import WhisperBackend
    from simul.models.whisper.torch import TorchWhisper
    from tests.simul.decoding.tape import TapeRecorder

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simul.models.whisper.transformers_encoder.live_encoder", lambda weights, folder: {})
        model = TorchWhisper(
            torch_whisper, "cpu", "float32", window="causal", block=25, record=lambda device: TapeRecorder()
        )
    return lambda: WhisperBackend(model, activity=Loud)


@pytest.fixture(scope="module")
def seamless(tmp_path_factory: pytest.TempPathFactory, one_torch_thread: None) -> Callable[[], Backend[Any]]:
    from simul.backends.seamless import SeamlessBackend
    from simul.models.seamless.model import SeamlessModel
    from tests import tiny_seamless

    _, folder = tiny_seamless.save(tmp_path_factory.mktemp("seamless"))
    model = SeamlessModel(folder, "cpu", "float32")
    return lambda: SeamlessBackend(model, activity=Loud)


@pytest.fixture(
    params=[
        "scripted",
        "recording",
        "cascade",
        "whisper",
        "onnx_whisper",
        "causal_whisper",
        "whisper_cascade",
        "torch",
        "torch_causal",
        pytest.param("torch_recorded", marks=pytest.mark.long),
        "seamless",
    ]
)
def make(request: pytest.FixtureRequest) -> Callable[[], Backend[Any]]:
    named = {"scripted": scripted, "recording": recording, "cascade": cascade}
    if request.param in named:
        return named[request.param]
    fixture = "torch_whisper_backend" if request.param == "torch" else request.param
    return request.getfixturevalue(fixture)  # type: ignore[no-any-return]
