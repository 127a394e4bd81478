"""One stream of speech: the stream core, the session around it, and the events it puts out."""

from __future__ import annotations

from simul.session.session import Session
from simul.session.stream import SessionConfig, Stream

__all__ = ["Session", "SessionConfig", "Stream"]
