"""Requests to an OpenAI-compatible address over HTTP: kept connections, retries, errors as sentences, no key shown."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from simul.errors import ExitCode, SimulError, UsageError

LONGEST_WAIT = 10.0
"""Seconds between two tries at most, whatever a server asks for."""
FIRST_WAIT = 0.5
AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


class EndpointError(SimulError):
    """A translation server cannot be reached, refuses, or answers something else than was asked for."""

    exit_code = ExitCode.CONNECTION


class Refused(EndpointError):
    """The server does not accept what a request says (400, 422)."""


class Client:
    """One server. Calls may come from several threads; each takes a kept connection or opens one.

    url: up to the version, such as http://127.0.0.1:8000/v1. key: a bearer token, or None.

    Raises:
        UsageError: `url` is no address.
    """

    def __init__(self, url: str, key: str | None = None, timeout: float = 30.0, retries: int = 3) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise UsageError(
                f"{parts.hostname or url!r} is no address; give one such as http://127.0.0.1:8000/v1."
            )
        self.host = parts.netloc
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._secure, self._path = parts.scheme == "https", parts.path.rstrip("/")
        self._key, self._timeout, self._retries = key, timeout, retries
        self._lock = threading.Lock()
        self._idle: list[http.client.HTTPConnection] = []
        self._busy: set[http.client.HTTPConnection] = set()
        self._closed = threading.Event()

    def get(self, path: str) -> dict[str, Any]:
        """The JSON object at `path`.

        Raises:
            EndpointError: there is none, also after the retries.
        """
        return self._ask("GET", path, None)

    def chat(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a chat completion.

        Raises:
            Refused: the server does not accept the request.
            EndpointError: the server failed, also after the retries.
        """
        return self._ask("POST", "/chat/completions", json.dumps(body).encode())

    def close(self) -> None:
        """End requests in flight, which raise `EndpointError`, and refuse new ones."""
        self._closed.set()
        with self._lock:
            for connection in (*self._idle, *self._busy):
                _cut(connection)
            self._idle.clear()

    def _ask(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        reason, wait = "", FIRST_WAIT
        for attempt in range(self._retries + 1):
            if attempt and self._closed.wait(wait):
                break
            try:
                status, asked_wait, raw = self._once(method, path, body)
            except (OSError, http.client.HTTPException) as error:
                reason = self._lost(error)
                wait = min(FIRST_WAIT * 2**attempt, LONGEST_WAIT)
                continue
            if status == 200:
                return self._object(raw)
            reason = self._refusal(status, raw)
            if status not in AGAIN:
                raise (Refused if status in (400, 422) else EndpointError)(reason)
            wait = min(max(FIRST_WAIT * 2**attempt, asked_wait), LONGEST_WAIT)
        if self._closed.is_set():
            raise EndpointError(f"The connection to {self.url} was closed while it was asked to translate.")
        tried = f" (tried {self._retries + 1} times)" if self._retries else ""
        raise EndpointError(reason.rstrip(".") + tried + ".")

    def _once(self, method: str, path: str, body: bytes | None) -> tuple[int, float, bytes]:
        """Status, seconds that the server wants to be left alone, and the body of its answer."""
        connection = self._take()
        try:
            headers = {"Content-Type": "application/json", "Accept": "application/json"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            connection.request(method, self._path + path, body, headers)
            answer = connection.getresponse()
            raw = answer.read()
            wait = answer.getheader("Retry-After") or ""
        except BaseException:
            self._drop(connection)
            raise
        self._give(connection, answer.will_close)
        return answer.status, float(wait) if wait.replace(".", "", 1).isdigit() else 0.0, raw

    def _take(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        with self._lock:
            if self._closed.is_set():
                raise http.client.HTTPException("closed")
            connection = self._idle.pop() if self._idle else kind(self.host, timeout=self._timeout)
            self._busy.add(connection)
            return connection

    def _give(self, connection: http.client.HTTPConnection, ends: bool) -> None:
        with self._lock:
            self._busy.discard(connection)
            if not ends and not self._closed.is_set():
                self._idle.append(connection)
                return
        connection.close()

    def _drop(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            self._busy.discard(connection)
        connection.close()

    def _lost(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"The translation server {self.url} did not answer within {self._timeout:g} s."
        if isinstance(error, ConnectionRefusedError):
            return f"The translation server {self.url} cannot be reached; is it running?"
        return f"The connection to the translation server {self.url} failed: {error or type(error).__name__}."

    def _refusal(self, status: int, raw: bytes) -> str:
        if status in (401, 403):
            known = "the API key" if self._key else "requests without an API key"
            return (
                f"The translation server {self.url} refused {known} ({status}); put the key into the environment "
                "variable that --mt-key-variable names."
            )
        said = self._said(raw)
        if status == 404:
            return f"The translation server {self.url} does not know the model or the path (404){said}."
        return f"The translation server {self.url} answered with the status {status}{said}."

    def _said(self, raw: bytes) -> str:
        """What the server's error says, on one line, without the key in case it repeats it."""
        text = raw.decode("utf-8", "replace")
        try:
            found = json.loads(text)
            inner = found.get("error", found) if isinstance(found, dict) else found
            text = str(inner.get("message", inner)) if isinstance(inner, dict) else str(inner)
        except ValueError:
            pass
        if self._key:
            text = text.replace(self._key, "…")
        text = " ".join(text.split())[:200].rstrip(".")
        return f": {text}" if text else ""

    def _object(self, raw: bytes) -> dict[str, Any]:
        try:
            found = json.loads(raw)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise EndpointError(
                f"The translation server {self.url} answered with something that is not JSON; is it an "
                "OpenAI-compatible address, up to its version (…/v1)?"
            )
        return found


def _cut(connection: http.client.HTTPConnection) -> None:
    """End a connection that another thread may be reading from."""
    import socket

    sock = connection.sock
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
