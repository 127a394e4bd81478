"""Addresses as sources, against a server on this machine: whole, cut off, live, as HLS, and unusable."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from simul.audio.addresses import AddressSource, address_stem, is_address
from simul.clock import VirtualClock
from simul.errors import AudioError
from tests.simul.audio.recordings import Track, container, tone, wav
from tests.simul.audio.test_joined import loudness

LOW, HIGH = tone(2.0, 400), tone(2.0, 1600)


def mp3(sound: np.ndarray) -> bytes:
    return container("mp3", [Track([(0.0, sound)], "libmp3lame")], id3v2_version="0", write_xing="0")


class Server:
    """Answers on a free port of this machine as `answer(handler, path, visit)` does; visits count from 0 per path."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler, str, int], None]) -> None:
        self.visits: dict[str, int] = {}
        self.ranges: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                visit = outer.visits.get(self.path, 0)
                outer.visits[self.path] = visit + 1
                outer.ranges.append(self.headers.get("Range"))
                answer(self, self.path, visit)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(answer: Callable[[BaseHTTPRequestHandler, str, int], None]) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def send(
    handler: BaseHTTPRequestHandler, data: bytes, length: int | None = None, kind: str = "audio/mpeg"
) -> None:
    """A complete answer, or with `length` one that announces another length."""
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(data) if length is None else length))
    handler.end_headers()
    handler.wfile.write(data)


def heard(address: str, **options) -> tuple[np.ndarray, AddressSource]:
    source = AddressSource(address, 100, clock=VirtualClock(), timeout_seconds=5.0, **options)
    return np.concatenate(list(source)), source


@pytest.mark.parametrize("kind", ["mp3", "wav", "ogg", "mp4"])
def test_a_recording_on_a_web_server(serve, kind):
    codec = {"mp3": "libmp3lame", "ogg": "libopus", "mp4": "aac"}.get(kind)
    data = wav(tone(2.0, 400, 16_000)) if codec is None else container(kind, [Track([(0.0, LOW)], codec)])
    server = serve(lambda handler, path, visit: send(handler, data))
    samples, source = heard(server.address(f"talk.{kind}?a=b&c=[d]"))
    assert abs(len(samples) / 16_000 - 2.0) < 0.15
    assert loudness(samples, 400, 0.2, 1.8) > 0.4
    assert source.notices == []


def test_a_connection_that_breaks_goes_on_where_it_was(serve):
    data = mp3(np.concatenate([LOW, HIGH]))

    def answer(handler, path, visit):
        if visit == 0:
            send(handler, data[: len(data) // 2], len(data))
            return
        start = int((handler.headers.get("Range") or "bytes=0-").split("=")[1].split("-")[0])
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        handler.send_header("Content-Length", str(len(data) - start))
        handler.end_headers()
        handler.wfile.write(data[start:])

    server = serve(answer)
    samples, _ = heard(server.address("talk.mp3"))
    assert server.visits["/talk.mp3"] >= 2
    assert abs(len(samples) / 16_000 - 4.0) < 0.2
    assert loudness(samples, 400, 0.2, 1.8) > 0.4
    assert loudness(samples, 1600, 2.3, 3.7) > 0.4


def chunked(handler: BaseHTTPRequestHandler, data: bytes, whole: bool) -> None:
    """An answer without a length, in chunks; broken off within one unless it is `whole`."""
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Content-Type", "audio/mpeg")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    handler.wfile.write(b"0\r\n\r\n" if whole else b"4000\r\nshort")
    handler.close_connection = True


def test_a_live_stream_that_breaks_is_opened_anew(serve):
    def answer(handler, path, visit):
        chunked(handler, mp3(LOW if visit == 0 else HIGH), whole=visit > 0)

    server = serve(answer)
    samples, source = heard(server.address("radio"))
    assert loudness(samples, 400, 0.2, 1.8) > 0.4
    assert loudness(samples, 1600, len(samples) / 16_000 - 1.7, len(samples) / 16_000 - 0.3) > 0.4
    assert server.visits["/radio"] == 2
    assert source.duration_samples is None


def test_a_stream_that_does_not_come_back_gives_what_was_heard_then_the_error(serve):
    def answer(handler, path, visit):
        if visit == 0:
            send(handler, mp3(LOW), 1_000_000)
        else:
            handler.send_error(404)

    server = serve(answer)
    source = AddressSource(
        server.address("radio.mp3"), 100, clock=VirtualClock(), attempts=2, timeout_seconds=5.0
    )
    pieces: list[np.ndarray] = []
    with pytest.raises(
        AudioError, match=r"The connection to http.* was lost after \d\.\d s and did not come back"
    ):
        pieces.extend(source)
    assert abs(sum(map(len, pieces)) / 16_000 - 2.0) < 0.2


def test_a_playlist_of_segments(serve):
    segments = {
        f"/{number}.ts": container("mpegts", [Track([(2.0 * number, sound)], "aac")])
        for number, sound in enumerate((LOW, HIGH))
    }
    playlist = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:3\n" + "".join(
        f"#EXTINF:2.0,\n{number}.ts\n" for number in range(2)
    )
    files = {"/live.m3u8": (playlist + "#EXT-X-ENDLIST\n").encode(), **segments}
    server = serve(lambda handler, path, visit: send(handler, files[path], kind="application/octet-stream"))
    samples, _ = heard(server.address("live.m3u8"))
    assert loudness(samples, 400, 0.3, 1.8) > 0.4
    assert loudness(samples, 1600, 2.4, 3.7) > 0.4


@pytest.mark.parametrize(
    ("path", "told"),
    [("none.mp3", "404|not found|Not Found"), ("page.html", "cannot be read|no audio track")],
)
def test_an_address_without_sound(serve, path, told):
    def answer(handler, path, visit):
        if path == "/none.mp3":
            handler.send_error(404)
        else:
            send(handler, b"<html><p>Not a recording.</p></html>" * 30, kind="text/html")

    server = serve(answer)
    with pytest.raises(AudioError, match=told) as caught:
        AddressSource(server.address(path), timeout_seconds=5.0)
    assert server.address(path) in str(caught.value)


def test_nobody_answers_and_protocols_that_are_not_known():
    with pytest.raises(AudioError, match=r"cannot be read .*check the address"):
        AddressSource("http://127.0.0.1:9/a.mp3", timeout_seconds=5.0)
    with pytest.raises(AudioError, match=r"knows no foo; let FFmpeg read it \(`ffmpeg -i foo://a/b -f wav -"):
        AddressSource("foo://a/b")


@pytest.mark.parametrize(
    ("name", "address", "stem"),
    [
        ("https://example.org/talks/opening.mp3?key=1", True, "opening"),
        ("rtsp://camera.example:554/", True, "camera.example"),
        ("srt://10.0.0.1:9000?mode=caller", True, "10.0.0.1"),
        ("https://example.org/a%20b.m3u8", True, "a b"),
        ("talk.mp3", False, None),
        ("folder/talk://a", False, None),
        ("C:/talk.mp3", False, None),
    ],
)
def test_what_is_an_address_and_what_its_outputs_are_called(name, address, stem):
    assert is_address(name) is address
    if address:
        assert address_stem(name) == stem
