"""A server on the loopback address that gives out files, as a plain server and as the model hub."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server:
    """`files` by path; `asked` are the requests so far. A path that ends in a hub revision's file has its headers."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files, self.asked = dict(files), []
        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._httpd.server_address[1]}"

    def _handler(server: Any) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                content = server.files.get(self.path)
                server.asked.append((self.command, self.path))
                self.send_response(404 if content is None else 200)
                body = content or b""
                self.send_header("Content-Length", str(len(body)))
                if "/resolve/" in self.path:
                    self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
                    self.send_header("X-Repo-Commit", self.path.split("/resolve/")[1].split("/")[0])
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        return Handler


@contextlib.contextmanager
def serving(files: Mapping[str, bytes]) -> Iterator[Server]:
    """A running server."""
    server = Server(files)
    thread = threading.Thread(target=server._httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server._httpd.shutdown()
        server._httpd.server_close()
        thread.join()
