"""A server without sockets and without time: a host, workers that compute inline, clients in memory, a clock to turn.

Every message that a client hears is validated against the committed schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from jsonschema import Draft202012Validator

import server
from server import protocol as p
from server.codec import decode_server, encode
from server.dialects.base import Dialect, Frame
from server.dialects.native import NativeDialect
from server.host import Host
from server.hosted import HostLimits
from server.port import ClientPort, Keys
from server.workers.core import WorkerCore, WorkerModels
from server.workers.messages import Answer, Command, Offer
from server.workers.pool import PoolListener
from simul.clock import VirtualClock
from simul.config import StreamOptions
from simul.units import Samples
from tests.server.proof import ProofModels

SCHEMA = json.loads((Path(server.__file__).parent / "data" / "schema.json").read_text("utf-8"))
TO_CLIENT = Draft202012Validator({**SCHEMA, "oneOf": [{"$ref": "#/$defs/server"}]})
TO_SERVER = Draft202012Validator({**SCHEMA, "oneOf": [{"$ref": "#/$defs/client"}]})


class InlineWorkers:
    """Workers that compute when they are run; a lost one is replaced by a fresh one."""

    def __init__(
        self, clock: VirtualClock, amount: int, make: Callable[[], WorkerModels], ready: bool
    ) -> None:
        self.listener: PoolListener | None = None
        self._clock, self._make = clock, make
        self._cores: list[WorkerCore | None] = [None] * amount
        self._answers: list[tuple[int, Answer]] = []
        self.offer = Offer("")
        if ready:
            for number in range(amount):
                self._start(number)

    @property
    def count(self) -> int:
        return len(self._cores)

    def is_ready(self, worker: int) -> bool:
        return self._cores[worker] is not None

    def _start(self, number: int) -> Offer:
        core = WorkerCore(self._make(), self._clock.now)
        self.offer = core.load().offer
        self._cores[number] = core
        return self.offer

    def load(self) -> None:
        """Every worker that is not ready becomes it."""
        for number, core in enumerate(self._cores):
            if core is None:
                offer = self._start(number)
                assert self.listener is not None
                self.listener.ready(number, offer)

    def kill(self, worker: int) -> None:
        """A worker dies with all that it had not said."""
        self._cores[worker] = None
        self._answers = [pair for pair in self._answers if pair[0] != worker]
        assert self.listener is not None
        self.listener.lost(worker, "killed")

    def send(self, worker: int, command: Command) -> None:
        core = self._cores[worker]
        if core is not None:
            self._answers += [(worker, answer) for answer in core.handle(command)]

    def run(self) -> None:
        """Compute until there is nothing to do, and hand over the answers."""
        for number, core in enumerate(self._cores):
            while core is not None and core.busy:
                self._answers += [(number, answer) for answer in core.step()]
        answers, self._answers = self._answers, []
        for number, answer in answers:
            assert self.listener is not None
            self.listener.answered(number, answer)
        if answers:
            self.run()


@dataclass
class MemoryClient:
    """A client in memory. It keeps what it hears, audio it sent, and the settled text by stream."""

    rig: Rig
    port: ClientPort
    frames: list[Frame] = field(default_factory=list)
    messages: list[p.ServerMessage] = field(default_factory=list)
    closed: tuple[int, str] | None = None

    def say(self, message: p.ClientMessage) -> MemoryClient:
        """Send a message."""
        text = encode(message)
        TO_SERVER.validate(json.loads(text))
        return self.send(text)

    def send(self, frame: Frame) -> MemoryClient:
        """Send a frame."""
        if self.closed is None:
            self.port.receive(frame, self.rig.clock.now())
            self.rig.settle()
        return self

    def play(self, samples: Samples, piece: int = 1600) -> MemoryClient:
        """Send audio (16-bit, 16 kHz) in real time."""
        pcm = np.rint(samples * 32768).astype("<i2").tobytes()
        for begin in range(0, len(pcm), 2 * piece):
            self.rig.pass_time(piece / 16_000)
            self.send(pcm[begin : begin + 2 * piece])
        return self

    def hear(self) -> None:
        """Take what the server has for the client."""
        while self.closed is None and (frame := self.port.next_frame()) is not None:
            self.frames.append(frame)
            if self.rig.native and isinstance(frame, str):
                TO_CLIENT.validate(json.loads(frame))
                self.messages.append(decode_server(frame))
        if self.port.closing is not None:
            self.closed = self.closed or self.port.closing

    def vanish(self) -> None:
        """The connection breaks."""
        self.closed = (1006, "")
        self.port.leave(self.rig.clock.now())

    def of(self, kind: type[Any]) -> list[Any]:
        """The messages of a kind."""
        return [message for message in self.messages if isinstance(message, kind)]

    def speech(self, stream: str) -> bytes:
        """The speech of a stream, put together by position: what is announced, then its samples, then its end."""
        found = bytearray()
        frames = iter(self.frames)
        for frame in frames:
            begin = decode_server(frame) if isinstance(frame, str) else None
            if isinstance(begin, p.SpeechBegin) and begin.stream == stream:
                pcm = b""
                while len(pcm) < 2 * begin.samples and isinstance(part := next(frames, None), bytes):
                    pcm += part
                assert 2 * begin.position <= len(found), "speech is missing"
                found[2 * begin.position : 2 * begin.position + len(pcm)] = pcm
        return bytes(found)

    def text(self, stream: str = p.SOURCE) -> str:
        """What was settled."""
        return settled(self.messages, stream)


def settled(messages: Iterable[p.ServerMessage], stream: str = p.SOURCE) -> str:
    """The settled text of a stream."""
    return "".join(m.text for m in messages if isinstance(m, p.SettledText) and m.stream == stream)


class Rig:
    """A host with everything around it."""

    def __init__(
        self,
        workers: int = 1,
        limits: HostLimits | None = None,
        stream: StreamOptions | None = None,
        make: Callable[[], WorkerModels] = ProofModels,
        ready: bool = True,
        native: bool = True,
        tokens: Iterable[str] = (),
    ) -> None:
        self.clock, self.native = VirtualClock(100.0), native
        self.workers = InlineWorkers(self.clock, workers, make, ready)
        numbers = count(1)
        options = stream or StreamOptions(source="en", target="en", chunk_ms=400)
        self.host = Host(options, self.workers, self.clock.now, lambda: f"name-{next(numbers)}", limits, "0")
        self.host.offer = self.workers.offer
        self.keys = Keys(tokens)
        self.clients: list[MemoryClient] = []

    def connect(
        self, dialect: Dialect | None = None, address: str = "here", token: str | None = None
    ) -> MemoryClient:
        """A client whose socket is open."""
        port = ClientPort(
            self.host, dialect or NativeDialect({}), self.keys, address, token, self.clock.now()
        )
        client = MemoryClient(self, port)
        self.clients.append(client)
        port.open(self.clock.now())
        self.settle()
        return client

    def settle(self) -> None:
        """Compute, and let everybody hear."""
        self.workers.run()
        for client in self.clients:
            client.hear()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, a tenth of a second at a time."""
        until = self.clock.now() + seconds
        while self.clock.now() < until - 1e-9:
            self.clock.advance(min(0.1, until - self.clock.now()))
            self.host.tick(self.clock.now())
            for client in self.clients:
                if client.closed is None:
                    client.port.tick(self.clock.now())
            self.settle()


def noise(seconds: float, seed: int = 1) -> Samples:
    """Audio that is never twice the same, in 16-bit steps."""
    values = np.random.default_rng(seed).integers(-20_000, 20_000, int(seconds * 16_000))
    return (values / 32768).astype(np.float32)
