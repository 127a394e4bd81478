"""Audio over plain TCP, lines back."""

from __future__ import annotations

import asyncio

from server.line_port import LinePort
from tests.server.proof import expected
from tests.server.test_gateway import AUDIO, PCM, Served, run


def test_bytes_in_lines_out_and_the_connection_closes() -> None:
    async def test(served: Served) -> None:
        lines = LinePort(served.host, served.gateway.now)
        port = await lines.start("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(PCM)
        writer.write_eof()
        found = (await reader.read()).decode().splitlines()
        assert " ".join(line.split(" ", 2)[2] for line in found) == expected(AUDIO)
        assert served.host.active == 0
        writer.close()
        await lines.stop()

    run(test)


def test_a_full_server_says_so_in_a_line() -> None:
    async def test(served: Served) -> None:
        lines = LinePort(served.host, served.gateway.now)
        port = await lines.start("127.0.0.1", 0)
        first = await asyncio.open_connection("127.0.0.1", port)
        while not served.host.active:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert b"error: The server is full" in await reader.read()
        for each in (writer, first[1]):
            each.close()
        await lines.stop()

    run(test, sessions=1, wait=0.1)
