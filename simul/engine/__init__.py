"""Many live streams on one device: the core, and the thread and asyncio faces around it."""

from __future__ import annotations

from simul.engine.aio import AsyncEngine, AsyncStream
from simul.engine.engine import StreamEngine
from simul.engine.terms import Terms
from simul.engine.thread import Admission, EngineStream, EngineThread
from simul.errors import OverloadedError

__all__ = [
    "Admission",
    "AsyncEngine",
    "AsyncStream",
    "EngineStream",
    "EngineThread",
    "OverloadedError",
    "StreamEngine",
    "Terms",
]
