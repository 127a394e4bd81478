"""Streaming sessions: speech in, timed text and speech out. A name is imported when it is first used.

make_session = SessionFactory(StreamOptions(source="en", target="de"))
with make_session() as session:
    for samples in audio:
        for event in session.feed(samples): ...
    session.finish()
"""

from __future__ import annotations

from simul.early import runs_command_line as _runs_command_line

# isort: split
from importlib import import_module
from importlib import util as _util
from os import path as _path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simul.audio.files import FileSource as FileSource
    from simul.audio.microphone import MicrophoneSource as MicrophoneSource
    from simul.backends.base import Backend as Backend
    from simul.backends.families import LoadedBackend as LoadedBackend
    from simul.backends.families import load_backend as load_backend
    from simul.clock import MeteredClock as MeteredClock
    from simul.clock import WallClock as WallClock
    from simul.config import ModelConfig as ModelConfig
    from simul.config import StreamOptions as StreamOptions
    from simul.errors import SimulError as SimulError
    from simul.session.drive import drive as drive
    from simul.session.events import End as End
    from simul.session.events import Error as Error
    from simul.session.events import Event as Event
    from simul.session.events import Lag as Lag
    from simul.session.events import Late as Late
    from simul.session.events import Retract as Retract
    from simul.session.events import SegmentEnd as SegmentEnd
    from simul.session.events import Settled as Settled
    from simul.session.events import Skipped as Skipped
    from simul.session.events import Speech as Speech
    from simul.session.events import SpokenIn as SpokenIn
    from simul.session.events import Start as Start
    from simul.session.events import Tail as Tail
    from simul.session.events import TimedWord as TimedWord
    from simul.session.factory import SessionFactory as SessionFactory
    from simul.session.session import Session as Session
    from simul.session.stream import SessionConfig as SessionConfig
    from simul.session.transcript import Transcript as Transcript
    from simul.units import SAMPLE_RATE as SAMPLE_RATE

_NAMES = {
    "audio.files": "FileSource",
    "audio.microphone": "MicrophoneSource",
    "backends.base": "Backend",
    "backends.families": "LoadedBackend load_backend",
    "clock": "MeteredClock WallClock",
    "config": "ModelConfig StreamOptions",
    "errors": "SimulError",
    "session.drive": "drive",
    "session.events": "End Error Event Lag Late Retract SegmentEnd Settled Skipped "
    "Speech SpokenIn Start Tail TimedWord",
    "session.factory": "SessionFactory",
    "session.session": "Session",
    "session.stream": "SessionConfig",
    "session.transcript": "Transcript",
    "units": "SAMPLE_RATE",
}
"""The public names, by the module that holds them."""

_HOME = {name: f"simul.{module}" for module, names in _NAMES.items() for name in names.split()}

__all__ = sorted(_HOME)


def __dir__() -> list[str]:
    return [*globals(), *__all__]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module 'simul' has no attribute {name!r}")
        return getattr(import_module(_HOME[name]), name)


def _refuse_hidden() -> None:
    """All of the toolkit rests on `policies`; that another module hides it is told here rather than by what fails."""
    try:
        spec = _util.find_spec("policies")
    except (ImportError, ValueError):
        return
    places = list(spec.submodule_search_locations or ()) if spec is not None else [""]
    if spec is None or any(_path.isfile(_path.join(place, "registry.py")) for place in places):
        return
    hidden = import_module("simul.install").hidden_package("policies")
    if _runs_command_line():
        raise SystemExit(f"simul: {hidden}")
    raise ImportError(hidden, name="policies")


_refuse_hidden()
