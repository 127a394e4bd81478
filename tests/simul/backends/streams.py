"""What tests of backends do with one stream."""

from __future__ import annotations

from typing import Any

from policies.base import Candidate
from simul.backends.base import Backend, DecodeRequest
from simul.units import Samples


def hear(backend: Backend[Any], stream: int, samples: Samples, end: bool = False) -> None:
    """Push samples and let the backend compute over them."""
    backend.push(stream, samples)
    if end:
        backend.end(stream)
    backend.advance([stream])


def request(backend: Backend[Any], stream: int, *prefix: Any, **more: Any) -> DecodeRequest:
    """A request on what the backend sees now."""
    return DecodeRequest(stream, 0, backend.view(stream), *prefix, **more)


def decode(backend: Backend[Any], stream: int, *prefix: Any, **more: Any) -> Candidate:
    """The candidate of a request on what the backend sees now."""
    return backend.decode([request(backend, stream, *prefix, **more)])[0]
