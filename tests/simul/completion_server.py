"""A chat completion server on loopback that answers as a script says and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Any] | tuple[int, Any, dict[str, str]]
"""Status, body (an object is sent as JSON) and headers."""


@dataclass
class Asked:
    """One request: path, headers in lower case, and the JSON that came with it."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Server:
    """Answers each request with `answer(request)`."""

    answer: Callable[[Asked], Answer]
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    @property
    def chats(self) -> list[dict[str, Any]]:
        """The chat requests, without the one by which the server is tried."""
        bodies = [a.body for a in self.asked if a.path.endswith("/chat/completions")]
        return [b for b in bodies if "numbers from one to six" not in b["messages"][0]["content"]]


@contextmanager
def serving(answer: Callable[[Asked], Answer]) -> Iterator[Server]:
    """A server that runs for the time of the context."""
    server = Server(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply()

        def do_POST(self) -> None:
            self._reply()

        def _reply(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(
                self.path, {k.lower(): v for k, v in self.headers.items()}, json.loads(raw) if raw else {}
            )
            server.asked.append(asked)
            status, body, *more = server.answer(asked)
            sent = body if isinstance(body, bytes) else json.dumps(body).encode()
            try:
                self.send_response(status)
                for name, value in (more[0] if more else {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            return

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def chat(text: str, tokens: list[str] | None = None, finish: str = "stop", score: float = -0.25) -> Answer:
    """The answer with one choice; tokens: each with a log-probability, falling by `score`."""
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": finish,
    }
    if tokens is not None:
        choice["logprobs"] = {
            "content": [
                {"token": t, "logprob": score * (i + 1), "bytes": list(t.encode("utf-8", "surrogateescape"))}
                for i, t in enumerate(tokens)
            ]
        }
    return 200, {"object": "chat.completion", "choices": [choice]}
