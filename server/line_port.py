"""A plain TCP port that speaks lines, beside the WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from server.dialects.lines import LineDialect
from server.host import Host
from server.port import ClientPort, Keys

READ_BYTES = 1 << 16
SEND_SECONDS = 5.0
FULL_SECONDS = 0.1


class LinePort:
    """Listens for connections whose bytes are audio. Its clients give no token, so it is for this machine only."""

    def __init__(self, host: Host, now: Callable[[], float]) -> None:
        self._host, self._now = host, now
        self._server: asyncio.Server | None = None

    async def start(self, address: str, port: int) -> int:
        """Listen; the port that was taken.

        Raises:
            OSError: the address cannot be listened at.
        """
        self._server = await asyncio.start_server(self._serve, address, port)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def stop(self) -> None:
        """Close."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = ClientPort(self._host, LineDialect({}), Keys(), "lines", None, self._now())
        wake = asyncio.Event()
        port.on_change = wake.set
        reading = asyncio.create_task(self._read(reader, port))
        try:
            port.open(self._now())
            await self._write(writer, port, wake)
        except (OSError, TimeoutError):
            writer.transport.abort()
        finally:
            reading.cancel()
            port.leave(self._now())
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader, port: ClientPort) -> None:
        while port.closing is None:
            data = await reader.read(READ_BYTES)
            port.receive(data, self._now())
            if not data:
                return
            while port.full:
                await asyncio.sleep(FULL_SECONDS)

    async def _write(self, writer: asyncio.StreamWriter, port: ClientPort, wake: asyncio.Event) -> None:
        while port.closing is None or port.waiting:
            await wake.wait()
            wake.clear()
            while (frame := port.next_frame()) is not None:
                writer.write(frame if isinstance(frame, bytes) else frame.encode())
            async with asyncio.timeout(SEND_SECONDS):
                await writer.drain()
