"""The engine's tests run on every backend with tiny weights."""

from __future__ import annotations

from tests.simul.backends.conftest import (  # noqa: F401
    causal_whisper,
    make,
    onnx_whisper,
    seamless,
    torch_causal,
    torch_recorded,
    torch_whisper_backend,
    whisper,
    whisper_cascade,
)
