"""A client of `simul.v1` that plays a recording in real time, comes back whenever it is thrown out, and compares."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from server import protocol as p
from server.codec import CloseCode, encode
from simul.units import Samples
from tests.server.proof import expected

RATE = 16_000
PIECE = 1_600
SILENT_SECONDS = 12.0
"""Without a message for so long, a connection counts as lost; audio is acknowledged once a second."""
PATIENCE_SECONDS = 120.0
NUMBERED = frozenset(kind.type for kind in p.ServerMessage.__subclasses__() if kind.numbered)
LOST = (OSError, ConnectionClosed, InvalidHandshake, InvalidMessage, TimeoutError, EOFError)


class SessionGone(Exception):
    """The session cannot be gone on with: why."""


@dataclass
class ProofClient:
    """One session. hears: called with every message and when it came; waits: before it reads the next message.

    speed: how many times as fast as real time it speaks.
    late: seconds from the sending of the last sample that a settled text rests on to its arrival. closes: codes of its
    connections.
    """

    address: str
    audio: Samples
    seed: int
    targets: tuple[str, ...] = ()
    sent: dict[int, float] = field(default_factory=dict)
    late: list[float] = field(default_factory=list)
    closes: list[int] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    session: str = ""
    token: str = ""
    seq: int = 0
    at: int = 0
    acknowledged: int = 0
    resumes: int = 0
    moving: bool = False
    end: dict[str, Any] | None = None
    socket: ClientConnection | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    deaf: asyncio.Event | None = None
    race: bool = False
    away: float = 0.0
    speed: float = 1.0
    hears: Callable[[dict[str, Any], float], None] = lambda message, at: None

    def __post_init__(self) -> None:
        self.pcm = np.rint(self.audio * 32768).astype("<i2").tobytes()
        self.random = random.Random(self.seed)
        self._began = 0.0
        self._moment = asyncio.Event()

    @property
    def played(self) -> float:
        """Seconds of the recording that are there to be sent."""
        return (time.monotonic() - self._began) * self.speed if self._began else 0.0

    async def run(self) -> None:
        """Play to the end, whatever happens."""
        until = time.monotonic() + len(self.audio) / RATE + PATIENCE_SECONDS
        while self.end is None and not self.problems:
            if time.monotonic() > until:
                self.problems.append("no end came in time")
                return
            try:
                await self._connected()
            except SessionGone as error:
                self.problems.append(str(error))
            except LOST as error:
                self._note_close(error)
            if self.end is None:
                await asyncio.sleep(self.away or self.random.uniform(0.05, 0.3))
                self.away = 0.0

    def _note_close(self, error: BaseException) -> None:
        code = self.socket.close_code if self.socket is not None else None
        if code is not None:
            self.closes.append(code)
        if code is not None and code >= 4400 and code not in (CloseCode.TAKEN_OVER, CloseCode.TOO_SLOW):
            self.problems.append(f"closed with {code}: {error}")

    async def _connected(self) -> None:
        subprotocols: Any = [p.SUBPROTOCOL]
        where = f"{self.address}/v1/session"
        async with connect(
            where,
            subprotocols=subprotocols,
            proxy=None,
            open_timeout=SILENT_SECONDS,
            ping_interval=None,
            close_timeout=1,
        ) as socket:
            self.socket = socket
            await self._begin(socket)
            sending = asyncio.create_task(self._send(socket))
            try:
                await self._hear(socket)
            finally:
                sending.cancel()
            if self.end is not None:
                await asyncio.wait_for(socket.wait_closed(), SILENT_SECONDS)
                self.closes.append(socket.close_code or 0)

    async def _begin(self, socket: ClientConnection) -> None:
        """Start the session, or go on with it; a rival with the same token is to lose."""
        if not self.session:
            await socket.send(encode(p.SessionStart(targets=self.targets, client="proof")))
        else:
            await socket.send(encode(p.SessionResume(self.session, self.token, self.seq, 0)))
            if self.race:
                self.race = False
                await self._rival()
        while True:
            frame = await asyncio.wait_for(socket.recv(), SILENT_SECONDS)
            message = json.loads(frame)
            if message["type"] in ("session.ready", "session.resumed"):
                break
            self._refused(message)
        if message["type"] == "session.resumed":
            self.resumes += 1
            self.at = message["next_sample"]
            if message.get("gap"):
                self.problems.append(f"a gap: {message['gap']}")
        self.session, self.token = message["session"], message["resume_token"]
        self._began = self._began or time.monotonic()
        self.ready.set()

    async def _rival(self) -> None:
        """The same token on another connection: one of the two gets in."""
        if not await self.tries(self.token):
            raise SessionGone("two connections resumed with one token")

    async def tries(self, token: str) -> bool:
        """Whether a connection with this token is turned away."""
        async with connect(f"{self.address}/v1/session", proxy=None) as other:
            await other.send(encode(p.SessionResume(self.session, token, 0, 0)))
            try:
                message = json.loads(await asyncio.wait_for(other.recv(), SILENT_SECONDS))
                await asyncio.wait_for(other.wait_closed(), SILENT_SECONDS)
            except ConnectionClosed:
                pass
            return other.close_code == CloseCode.UNAUTHORIZED and bool(message.get("message"))

    def _refused(self, message: dict[str, Any]) -> None:
        if (
            message["type"] == "error"
            and message["fatal"]
            and message["code"] not in ("draining", "overloaded")
        ):
            raise SessionGone(f"{message['code']}: {message['message']}")

    async def _send(self, socket: ClientConnection) -> None:
        size = len(self.audio)
        try:
            while self.at < size:
                there = min(
                    size, int(self.played * RATE) // PIECE * PIECE if self.played * RATE < size else size
                )
                if there <= self.at:
                    due = self._began + (self.at + PIECE) / RATE / self.speed
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
                    continue
                step = min(there - self.at, 8 * PIECE)
                await socket.send(self.pcm[2 * self.at : 2 * (self.at + step)])
                self.at += step
                self.sent[self.at] = time.monotonic()
            await socket.send(encode(p.SessionClose()))
        except LOST:
            return

    async def _hear(self, socket: ClientConnection) -> None:
        while self.end is None:
            if self.deaf is not None:
                await self.deaf.wait()
            async with asyncio.timeout(SILENT_SECONDS):
                frame = await socket.recv()
            self._take(json.loads(frame), time.monotonic())

    def _take(self, message: dict[str, Any], now: float) -> None:
        kind = message["type"]
        if kind in NUMBERED:
            if message["seq"] != self.seq + 1:
                self.problems.append(f"number {message['seq']} came after {self.seq}")
            self.seq = message["seq"]
        if kind == "settled":
            stream = message["stream"]
            self.texts[stream] = self.texts.get(stream, "") + message["text"]
            self._note_lag(message, now)
        elif kind == "snapshot":
            self.seq = message["seq"]
            for state in message["streams"]:
                done = " ".join(state["segments"])
                self.texts[state["stream"]] = f"{done} {state['text']}".strip() if state["text"] else done
        elif kind == "gap":
            self.gaps.append((message["t0"], message["t1"]))
        elif kind == "audio.ack":
            self.acknowledged = max(self.acknowledged, message["samples"])
        elif kind == "session.moving":
            self.moving = True
        elif kind == "error":
            self._refused(message)
        elif kind == "session.end":
            self.end = message
        self.hears(message, now)

    def _note_lag(self, message: dict[str, Any], now: float) -> None:
        self.arrivals.append(now)
        rests = (message["t1"] + message["lag"].get("policy", 0)) * RATE // 1000
        sent = self.sent.get(rests)
        if sent is not None:
            self.late.append(now - sent)

    def faults(self, heard: int | None = None) -> list[str]:
        """What differs from what was to be said of the recording, or of its first `heard` samples."""
        found = list(self.problems)
        if self.end is None:
            found.append("the session did not end")
        elif self.end["lost"]:
            found.append(f"{self.end['lost']} samples lost")
        if self.gaps:
            found.append(f"gaps: {self.gaps}")
        for target in self.targets or ("",):
            said = self.texts.get(target or p.SOURCE, "")
            wanted = expected(self.audio[:heard], target)
            if said != wanted:
                found.append(
                    f"{target or 'source'}: {len(said.split())} words, not {len(wanted.split())}, or others"
                )
        return found
