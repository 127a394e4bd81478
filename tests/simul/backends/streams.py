"""What tests of backends do with one stream."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from policies.base import Candidate
from simul.backends.base import Backend, DecodeRequest
from simul.session import Session
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


def through_files(stored: Any) -> Any:
    """What comes back of plain values and arrays that were written as JSON and as an archive of arrays."""
    arrays: list[np.ndarray] = []

    def put_aside(value: Any) -> dict[str, int]:
        assert isinstance(value, np.ndarray), f"{value!r} is neither a plain value nor an array"
        arrays.append(value)
        return {"array": len(arrays) - 1}

    text, archive = json.dumps(stored, default=put_aside), io.BytesIO()
    np.savez(archive, *arrays)
    archive.seek(0)
    kept = np.load(archive, allow_pickle=False)
    return json.loads(text, object_hook=lambda d: kept[f"arr_{d['array']}"] if d.keys() == {"array"} else d)


def moved(session: Session, make: Callable[[], Backend[Any]]) -> Session:
    """The session's stream on another backend, whose files alone went there."""
    stored = through_files(session.dump())
    session.close()
    other = Session(session.policy, make(), session.clock, session.config, session.beside)
    other.load(stored)
    return other
