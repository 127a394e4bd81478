"""Our session as the remote agent that `simuleval --remote-eval` evaluates: SimulEval's service over HTTP.

`RemoteAgent` is the agent without a socket; `AgentService` serves one. As in SimulEval, one recording at a time.
"""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

from simul.adapters.appended import AppendedText
from simul.adapters.remote.wire import SegmentError, SourceSegment, TargetSegment
from simul.errors import SimulError, UsageError, failure_message

LARGEST_BODY = 64 * 2**20
"""Bytes of a segment: more than a minute of samples written as text."""
IDLE_SECONDS = 600.0
"""A connection that sends nothing for so long is closed."""
_LOG = logging.getLogger("simul.adapters.simuleval")


class RemoteAgent:
    """Takes segments of source in, computes when it is asked for its output. May be called from several threads."""

    def __init__(self, recording: AppendedText, description: str) -> None:
        self.description = description
        self._recording = recording
        self._lock = Lock()
        self.reset()

    def reset(self) -> None:
        """A new recording begins."""
        with self._lock:
            self._recording.reset()
            self._waiting: list[SourceSegment] = []
            self._over, self._failure = False, ""

    def push(self, segment: SourceSegment) -> None:
        """More of the source; what comes after the end of a recording counts for nothing until `reset`.

        Raises:
            SegmentError: the rate changes within a recording.
        """
        with self._lock:
            if len(segment.samples) and any(
                each.rate != segment.rate for each in self._waiting if len(each.samples)
            ):
                raise SegmentError(
                    "The sample_rate changes within a recording; send POST /reset before another."
                )
            self._waiting.append(segment)

    def pop(self) -> TargetSegment:
        """What is to be appended now that all that was pushed is heard.

        Raises:
            SimulError: the recording failed; until `reset` it stays so.
        """
        with self._lock:
            if self._failure:
                raise SimulError(self._failure)
            if self._over:
                return TargetSegment(finished=True)
            waiting, self._waiting = self._waiting, []
            try:
                texts = [self._heard(segment) for segment in waiting if not self._over]
            except Exception as error:
                self._failure = failure_message(error)
                raise SimulError(self._failure) from error
            return TargetSegment(" ".join(text for text in texts if text), self._over)

    def _heard(self, segment: SourceSegment) -> str:
        self._over = segment.finished
        return self._recording.take(segment.samples, segment.rate, segment.finished, segment.target)


class AgentService(ThreadingHTTPServer):
    """Serves one agent at an address; `serve_forever` until `shutdown`.

    Raises:
        UsageError: the address cannot be used.
    """

    daemon_threads = True

    def __init__(self, agent: RemoteAgent, host: str, port: int) -> None:
        self.agent = agent
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise UsageError(
                f"The agent cannot listen at {host}, port {port}: {error.strerror or error}."
            ) from error


class _Handler(BaseHTTPRequestHandler):
    """GET / and /output, POST /reset, PUT /input."""

    server: AgentService
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS

    def do_GET(self) -> None:
        if self.path == "/output":
            try:
                self._answer(HTTPStatus.OK, self.server.agent.pop().to_json())
            except SimulError as error:
                _LOG.error("The recording failed: %s", error)
                self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        elif self.path == "/":
            self._answer(HTTPStatus.OK, json.dumps({"info": self.server.agent.description}))
        else:
            self._unknown()

    def do_POST(self) -> None:
        if self._body() is None:
            return
        if self.path != "/reset":
            self._unknown()
            return
        self.server.agent.reset()
        self._answer(HTTPStatus.OK, "")

    def do_PUT(self) -> None:
        body = self._body()
        if body is None:
            return
        if self.path != "/input":
            self._unknown()
            return
        try:
            self.server.agent.push(SourceSegment.from_json(body))
        except SimulError as error:
            _LOG.error("A segment was refused: %s", error)
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        else:
            self._answer(HTTPStatus.OK, "")

    def _body(self) -> bytes | None:
        """What was sent; None where it was refused."""
        told = self.headers.get("Content-Length", "0" if self.command == "POST" else "")
        if not told.isdecimal():
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "Say the length of the segment in Content-Length.")
        elif int(told) > LARGEST_BODY:
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"A segment has at most {LARGEST_BODY >> 20} MiB; send shorter ones.",
            )
        else:
            return self.rfile.read(int(told))
        return None

    def _unknown(self) -> None:
        self._refuse(
            HTTPStatus.NOT_FOUND, f"There is no {self.command} {self.path}; see SimulEval's service."
        )

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        # What follows on this connection may be the rest of what was not read.
        self.close_connection = True
        self._answer(status, json.dumps({"error": sentence}, ensure_ascii=False))

    def _answer(self, status: HTTPStatus, body: str) -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests come twice a second; only what goes wrong is told."""
