"""What the server answers to plain HTTP: the page and its parts, health, metrics, documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib.resources import files
from typing import Any

from server.host import Host
from server.schema import asyncapi, json_schema
from server.specs import two_languages

KINDS = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "json": "application/json",
    "webmanifest": "application/manifest+json",
}
"""Of files of the page, by suffix; others are not served."""

SAFE = {
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; "
    "worker-src 'self' blob:; media-src 'self' blob:; frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class HttpAnswer:
    """Of HTTP."""

    status: HTTPStatus
    body: bytes
    kind: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


def answer_json(value: Any, status: HTTPStatus = HTTPStatus.OK) -> HttpAnswer:
    """A JSON document."""
    return HttpAnswer(status, json.dumps(value, ensure_ascii=False).encode(), KINDS["json"])


def say(status: HTTPStatus, sentence: str) -> HttpAnswer:
    """A sentence."""
    return HttpAnswer(status, (sentence + "\n").encode())


class Pages:
    """Answers by path; `lag` says how late the event loop is, in seconds."""

    def __init__(self, host: Host, lag: Callable[[], float] = lambda: 0.0) -> None:
        self._host, self._lag = host, lag
        self._routes: dict[str, Callable[[], HttpAnswer]] = {
            "/health": self._health,
            "/healthz": self._health,
            "/readyz": self._ready,
            "/metrics": self._metrics,
            "/v1/info": lambda: answer_json(self.info()),
            "/v1/capacity": self._capacity,
            "/v1/schema": lambda: answer_json(json_schema()),
            "/v1/asyncapi": lambda: answer_json(asyncapi()),
        }

    def get(self, path: str) -> HttpAnswer:
        """What stands at a path."""
        if path in self._routes:
            return self._routes[path]()
        return page_file(path) or say(HTTPStatus.NOT_FOUND, f"There is nothing at {path:.100}.")

    def info(self) -> dict[str, Any]:
        """What the server is and does."""
        options, host = self._host.stream, self._host
        transcribes = options.source == options.target
        return {
            "server": host.version,
            "model": host.offer.description,
            "ready": host.ready_workers > 0,
            "source": options.source,
            "targets": [] if transcribes else [options.target],
            "languages": {
                side: sorted(codes)
                for side, codes in (("source", host.offer.sources), ("target", host.offer.targets))
                if codes
            },
            "policy": options.policy,
            "policies": list(host.offer.policies),
            "speech": sorted(host.offer.voices),
            "voices": host.offer.voices,
            "terms": host.offer.terms,
            "two_way": list(two_languages(options)),
            "chunk_ms": options.chunk_ms,
            "audio": {"rate": [8000, 48000], "encodings": ["pcm_s16le", "pcm_f32le", "mulaw", "alaw"]},
            "stage": host.stage and {"watch": "watch", "qr": "v1/watch/qr.svg"},
        }

    def _health(self) -> HttpAnswer:
        late = self._lag()
        state = {"status": "ok" if late < 1 else "late", "ready": self._host.ready_workers > 0}
        status = HTTPStatus.OK if late < 1 else HTTPStatus.SERVICE_UNAVAILABLE
        return answer_json({**state, "loop_lag_ms": round(late * 1000, 1)}, status)

    def _ready(self) -> HttpAnswer:
        host = self._host
        reasons = []
        if not host.ready_workers:
            reasons.append("the models are being loaded")
        if host.draining is not None:
            reasons.append("the server is stopping")
        if host.active >= host.limits.sessions:
            reasons.append("every place is taken")
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        return answer_json({"ready": not reasons, "reasons": reasons}, status)

    def _capacity(self) -> HttpAnswer:
        host = self._host
        free = max(0, host.limits.sessions - host.active)
        return answer_json({"sessions": host.active, "limit": host.limits.sessions, "free": free})

    def _metrics(self) -> HttpAnswer:
        text = self._host.metrics.text()
        return HttpAnswer(HTTPStatus.OK, text.encode(), "text/plain; version=0.0.4; charset=utf-8")


def page_file(path: str) -> HttpAnswer | None:
    """A file of the page, by a name that has no folders but those of the page."""
    name = {"/": "index.html", "/watch": "watch.html"}.get(path, path.removeprefix("/"))
    kind = KINDS.get(name.rpartition(".")[2])
    parts = name.split("/")
    if kind is None or any(not part or part.startswith(".") or "\\" in part for part in parts):
        return None
    found = files("server").joinpath("page", *parts)
    return HttpAnswer(HTTPStatus.OK, found.read_bytes(), kind, SAFE) if found.is_file() else None
