"""A network that misbehaves: a relay on loopback which delays, slices, starves, holds back and cuts connections."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from contextlib import suppress

BLOCK = 65_536


class FaultProxy:
    """Relays one client's connections to a port. All of the conditions may be changed at any time.

    delay, jitter: seconds that data is on its way, give or take. up, down: bytes a second, 0: as many as there are.
    slices: of the next bytes to the server, how many go one to seven at a time. cut_after: bytes to the server until
    a reset. hole: second on the loop's clock until which nothing gets through.
    """

    def __init__(self, port: int, seed: int) -> None:
        self._target, self._random = port, random.Random(seed)
        self.delay = self.jitter = 0.0
        self.up = self.down = 0
        self.slices = 0
        self.cut_after: int | None = None
        self.hole = 0.0
        self._server: asyncio.Server | None = None
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen; the port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def stop(self) -> None:
        """Cut everything."""
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        if self._server is not None:
            self._server.close()

    def cut(self) -> None:
        """Reset all connections."""
        for pair in list(self._pairs):
            for writer in pair:
                _reset(writer)
        self._pairs.clear()

    def finish(self) -> None:
        """End the way to the server without a word, as a client whose process is gone."""
        for ours, theirs in list(self._pairs):
            with suppress(OSError, RuntimeError):
                theirs.write_eof()
            _reset(ours)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._through()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        for each in (writer, far_writer):
            each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pairs.add((writer, far_writer))
        for task in (
            asyncio.create_task(self._relay(reader, far_writer, True)),
            asyncio.create_task(self._relay(far_reader, writer, False)),
        ):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _through(self) -> None:
        loop = asyncio.get_running_loop()
        while self.hole > loop.time():
            await asyncio.sleep(self.hole - loop.time())

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, up: bool) -> None:
        """What is read goes on in order, each piece at its time."""
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)
        sending = asyncio.create_task(self._send(pieces, writer, up))
        self._tasks.add(sending)
        due = 0.0
        try:
            while data := await reader.read(BLOCK):
                late = self.delay + self._random.uniform(-self.jitter, self.jitter)
                due = max(due, loop.time() + late)
                await pieces.put((due, data))
            await pieces.put((due, b""))
            await sending
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            sending.cancel()
            self._tasks.discard(sending)

    async def _send(
        self, pieces: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, up: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError, RuntimeError):
            while True:
                due, data = await pieces.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                await self._through()
                if not data:
                    writer.close()
                    return
                if up and self.cut_after is not None:
                    data = await self._count_down(data, writer)
                await self._write(data, writer, up)

    async def _count_down(self, data: bytes, writer: asyncio.StreamWriter) -> bytes:
        assert self.cut_after is not None
        if len(data) < self.cut_after:
            self.cut_after -= len(data)
            return data
        part, self.cut_after = data[: self.cut_after], None
        writer.write(part)
        await writer.drain()
        self.cut()
        raise ConnectionResetError

    async def _write(self, data: bytes, writer: asyncio.StreamWriter, up: bool) -> None:
        rate = self.up if up else self.down
        while data:
            size = len(data)
            if up and self.slices > 0:
                size = self._random.randint(1, 7)
                self.slices -= size
            elif rate:
                size = max(1, rate // 20)
            writer.write(data[:size])
            await writer.drain()
            if rate:
                await asyncio.sleep(len(data[:size]) / rate)
            data = data[size:]


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side sees a reset."""
    with suppress(OSError, AttributeError):
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
