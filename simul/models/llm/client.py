"""Requests to an OpenAI-compatible address by httpx: retries, errors as sentences, no key shown."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

import httpx

from simul.errors import ExitCode, SimulError, UsageError

LONGEST_WAIT = 10.0
"""Seconds between two tries at most, whatever a server asks for."""
FIRST_WAIT = 0.5
AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


class EndpointError(SimulError):
    """A translation server cannot be reached, refuses, or answers something else than was asked for."""

    exit_code = ExitCode.CONNECTION


class Refused(EndpointError):
    """The server does not accept what a request says (400, 422)."""


class Client:
    """One server. Calls may come from several threads.

    url: up to the version, such as http://127.0.0.1:8000/v1. key: a bearer token, or None. A proxy that the environment
    names is used for other machines than this one.

    Raises:
        UsageError: `url` is no address, or `key` holds what no header may.
    """

    def __init__(self, url: str, key: str | None = None, timeout: float = 30.0, retries: int = 3) -> None:
        try:
            parts = httpx.URL(url)
        except httpx.InvalidURL:
            parts = httpx.URL()
        if parts.scheme not in ("http", "https") or not parts.host or parts.userinfo or parts.query:
            raise UsageError(
                f"{parts.host or url!r} is no address; give one such as http://127.0.0.1:8000/v1."
            )
        if key and not (key.isascii() and key.isprintable()):
            raise UsageError("The API key holds characters that no key has; is there a line break in it?")
        self.host, self.url = parts.netloc.decode(), str(parts).rstrip("/")
        self._key, self._timeout, self._retries = key, timeout, retries
        self._closed = threading.Event()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=timeout,
            trust_env=parts.host not in _THIS_MACHINE,
        )

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
        return self._ask("POST", "/chat/completions", body)

    def close(self) -> None:
        """End requests in flight, which raise `EndpointError`, and refuse new ones."""
        self._closed.set()
        for connected in list(self._sockets):
            # Closing a socket does not wake the thread that reads from it.
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)
        self._http.close()

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        reason, wait = "", 0.0
        for attempt in range(self._retries + 1):
            if self._closed.wait(wait):
                break
            wait = min(FIRST_WAIT * 2**attempt, LONGEST_WAIT)
            try:
                answer = self._http.request(method, path, json=body, extensions={"trace": self._trace})
            except httpx.HTTPError as error:
                reason = self._lost(error)
                continue
            except RuntimeError:
                if not self._closed.is_set():
                    raise
                break
            if answer.status_code == 200:
                return self._object(answer)
            reason = self._refusal(answer)
            if answer.status_code not in AGAIN:
                raise (Refused if answer.status_code in (400, 422) else EndpointError)(reason)
            asked = answer.headers.get("Retry-After", "")
            if asked.replace(".", "", 1).isdigit():
                wait = min(max(wait, float(asked)), LONGEST_WAIT)
        if self._closed.is_set():
            raise EndpointError(f"The connection to {self.url} was closed while it was asked to translate.")
        if self._retries:
            reason = f"{reason.rstrip('.')} (tried {self._retries + 1} times)."
        raise EndpointError(reason)

    def _trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Keep the sockets that connections use."""
        if name in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._sockets.add(info["return_value"].get_extra_info("socket"))

    def _lost(self, error: httpx.HTTPError) -> str:
        if isinstance(error, httpx.TimeoutException):
            return f"The translation server {self.url} did not answer within {self._timeout:g} s."
        if isinstance(error, httpx.ConnectError):
            return f"The translation server {self.url} cannot be reached ({error}); is it running?"
        return f"The connection to the translation server {self.url} failed: {error or type(error).__name__}."

    def _refusal(self, answer: httpx.Response) -> str:
        status = answer.status_code
        if status in (401, 403):
            known = "the API key" if self._key else "requests without an API key"
            return (
                f"The translation server {self.url} refused {known} ({status}); put the key into the environment "
                "variable that --mt-key-variable names."
            )
        said = self._said(answer)
        if status == 404:
            return f"The translation server {self.url} does not know the model or the path (404){said}."
        return f"The translation server {self.url} answered with the status {status}{said}."

    def _said(self, answer: httpx.Response) -> str:
        """What the server's error says, on one line, without the key in case it repeats it."""
        text = answer.text
        with contextlib.suppress(ValueError):
            found = json.loads(text)
            inner = found.get("error", found) if isinstance(found, dict) else found
            text = str(inner.get("message", inner)) if isinstance(inner, dict) else str(inner)
        if self._key:
            text = text.replace(self._key, "…")
        text = " ".join(text.split())[:200].rstrip(".")
        return f": {text}" if text else ""

    def _object(self, answer: httpx.Response) -> dict[str, Any]:
        found = None
        with contextlib.suppress(ValueError):
            found = answer.json()
        if not isinstance(found, dict):
            raise EndpointError(
                f"The translation server {self.url} answered with something that is not JSON; is it an "
                "OpenAI-compatible address, up to its version (…/v1)?"
            )
        return found
