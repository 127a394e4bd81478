"""Many live streams on one device: the core, its rules, and the thread and asyncio faces around it."""

from __future__ import annotations

from simul.engine.admission import MeasuredAdmission, warm_up
from simul.engine.aio import AsyncEngine, AsyncStream
from simul.engine.cost import CostTable
from simul.engine.engine import StreamEngine
from simul.engine.ladder import Ladder, LadderConfig, Rung
from simul.engine.recording import Decided
from simul.engine.terms import Terms
from simul.engine.thread import Admission, EngineStream, EngineThread
from simul.errors import OverloadedError

__all__ = [
    "Admission",
    "AsyncEngine",
    "AsyncStream",
    "CostTable",
    "Decided",
    "EngineStream",
    "EngineThread",
    "Ladder",
    "LadderConfig",
    "MeasuredAdmission",
    "OverloadedError",
    "Rung",
    "StreamEngine",
    "Terms",
    "warm_up",
]
