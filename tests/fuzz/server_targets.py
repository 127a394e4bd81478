"""What the server reads from sockets: frames of every dialect, and bytes that need not be a WebSocket at all."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from server import protocol as p
from server.dialects.base import Dialect
from server.dialects.deepgram import DeepgramDialect
from server.dialects.native import NativeDialect
from server.dialects.openai import OpenAITranscription, OpenAITranslation
from server.dialects.simulstream import SimulstreamDialect
from server.dialects.vosk import VoskDialect
from server.dialects.whisperlivekit import WhisperLiveKitDialect
from tests.server.rig import Rig
from tests.server.test_gateway import serving

DIALECTS: tuple[type[Dialect], ...] = (
    NativeDialect,
    WhisperLiveKitDialect,
    OpenAITranscription,
    OpenAITranslation,
    DeepgramDialect,
    VoskDialect,
    SimulstreamDialect,
)
PATIENCE_SECONDS, QUIET_SECONDS = 5.0, 0.05


class ServerFault(AssertionError):
    """The server did something that no input may make it do."""


class Complaints(logging.Handler):
    """Errors that were logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        cause = record.exc_info[1] if record.exc_info else ""
        self.found.append(f"{record.getMessage()} {cause!r}")


def frames(data: bytes, folder: Path) -> None:
    """A line is a frame: the first says which dialect by its length, one that begins with `b` is bytes, others text."""
    first, *lines = data.split(b"\n")
    kind = DIALECTS[len(first) % len(DIALECTS)]
    complaints = Complaints()
    log = logging.getLogger("simul.server")
    log.addHandler(complaints)
    try:
        rig = Rig(native=kind is NativeDialect)
        client = rig.connect(kind({}))
        for line in lines:
            client.send(line[1:] if line[:1] == b"b" else line.decode("utf-8", "replace"))
        rig.pass_time(0.2)
        if client.closed is None:
            client.vanish()
        for hosted in list(rig.host.sessions.values()):
            rig.host.drop(hosted.live)
    finally:
        log.removeHandler(complaints)
    if complaints.found or any(m.code == "internal" for m in client.of(p.ErrorMessage)):
        raise ServerFault("; ".join(complaints.found))
    if rig.host.active:
        raise ServerFault("a place is lost")


def raw_bytes(data: bytes, folder: Path) -> None:
    """Bytes on a connection; the server answers or closes, and serves the next one."""
    asyncio.run(_knock(data))


async def _knock(data: bytes) -> None:
    complaints = Complaints()
    for name in ("simul.server", "asyncio"):
        logging.getLogger(name).addHandler(complaints)
    try:
        async with serving() as served:
            await knock(served.port, data)
            if b"200" not in await knock(served.port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"):
                raise ServerFault("the next one is not served")
            if served.host.active:
                raise ServerFault("a place is lost")
    finally:
        for name in ("simul.server", "asyncio"):
            logging.getLogger(name).removeHandler(complaints)
    if complaints.found:
        raise ServerFault("; ".join(complaints.found))


async def knock(port: int, data: bytes, quiet: float = QUIET_SECONDS) -> bytes:
    """Send bytes and nothing more; what comes back until the server has nothing more to say."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer, patience = b"", PATIENCE_SECONDS if data.startswith(b"GET /health") else quiet
    with suppress(OSError, TimeoutError):
        writer.write(data)
        await writer.drain()
        while piece := await asyncio.wait_for(reader.read(65_536), patience):
            answer += piece
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return answer
