"""Clients that replay recordings in real time against a server, and what they saw: one JSON report.

Every client speaks `simul.v1` or WhisperLiveKit's `/asr`. A text beside a recording (`NAME.txt`) is its reference.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from latency_metrics.quantiles import quantiles
from server import protocol as p
from server.codec import decode_server, encode
from simul.errors import ExitCode, SimulError
from simul.evaluation.word_errors import WordErrors, word_errors
from simul.units import SAMPLE_RATE

PIECE_SECONDS = 0.1
END_SECONDS = 120.0
"""How long a client waits after its last audio."""


class ServerUnreachableError(SimulError):
    """There is no server at an address, or it does not let clients in."""

    exit_code = ExitCode.CONNECTION


@dataclass(frozen=True)
class ReplayedRecording:
    """16-bit samples at 16 kHz, and what is said, where that is known."""

    name: str
    pcm: bytes
    reference: str = ""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.pcm) / 2 / SAMPLE_RATE


def read_recording(path: str) -> ReplayedRecording:
    """A recording of any kind, with the text beside it."""
    from simul.audio.files import FileSource
    from simul.audio.pcm import to_int16

    with FileSource(path) as source:
        pcm = b"".join(to_int16(samples).tobytes() for samples in source)
    beside = Path(path).with_suffix(".txt")
    try:
        reference = beside.read_text("utf-8") if beside.is_file() else ""
    except (OSError, ValueError) as error:
        raise SimulError(f"{beside}, the text of {path}, cannot be read: {error}.") from error
    return ReplayedRecording(Path(path).name, pcm, reference)


@dataclass
class ClientReport:
    """What one client saw. Times in seconds; lags from the end of what was said to the arrival of its text.

    computing: of each settled text, how long it waited for the processor and was computed, as the server says (native
    protocol only). levels: how often the server said that it decides less often.
    """

    recording: str
    seconds: float
    ready: float = 0.0
    first_text: float | None = None
    finished: float | None = None
    messages: int = 0
    bytes: int = 0
    lags: list[float] = field(default_factory=list)
    computing: list[float] = field(default_factory=list)
    levels: int = 0
    text: str = ""
    lost_samples: int = 0
    edits: int | None = None
    reference_words: int | None = None
    close_code: int | None = None
    error: str = ""

    def summary(self) -> dict[str, Any]:
        """Without the single lags."""
        found = asdict(self)
        for name, values in (("lag", found.pop("lags")), ("computing", found.pop("computing"))):
            found[f"{name}_p50"], found[f"{name}_p95"] = quantile(values, 0.5), quantile(values, 0.95)
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in found.items()}


def quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of them do not exceed; None of nothing."""
    return quantiles(values, share)[0] if values else None


@dataclass(frozen=True)
class LoadJob:
    """What to do. address: of the server, ws://HOST:PORT; stagger: seconds between two clients."""

    address: str
    clients: int = 4
    protocol: str = "native"
    source: str | None = None
    target: str | None = None
    token: str | None = None
    stagger: float = 0.0


async def run_load(job: LoadJob, recordings: Sequence[ReplayedRecording]) -> list[ClientReport]:
    """All clients at once, each with the next recording in turn."""
    play = {"native": _native, "asr": _asr}[job.protocol]

    async def client(number: int) -> ClientReport:
        recording = recordings[number % len(recordings)]
        report = ClientReport(recording.name, recording.seconds)
        await asyncio.sleep(number * job.stagger)
        try:
            await play(job, recording, report)
        except (OSError, InvalidHandshake) as error:
            raise ServerUnreachableError(f"No client is let in at {job.address}: {error}.") from error
        except (WebSocketException, TimeoutError) as error:
            report.error = report.error or str(error) or "no answer in time"
        if recording.reference and not report.error:
            errors = word_errors([(recording.reference, report.text)], job.source or "en")
            report.edits, report.reference_words = errors.edits, errors.words
        return report

    return list(await asyncio.gather(*(client(number) for number in range(job.clients))))


def to_report(job: LoadJob, reports: Sequence[ClientReport]) -> dict[str, Any]:
    """The report: each client, and all together."""
    lags = [lag for report in reports for lag in report.lags]
    computing = [lag for report in reports for lag in report.computing]
    known = [r for r in reports if r.edits is not None and r.reference_words]
    total = WordErrors(sum(r.edits or 0 for r in known), sum(r.reference_words or 0 for r in known))
    finished = [r.finished for r in reports if r.finished is not None]
    return {
        "clients": len(reports),
        "protocol": job.protocol,
        "failed": sum(bool(r.error) for r in reports),
        "lag_p50": quantile(lags, 0.5),
        "lag_p95": quantile(lags, 0.95),
        "computing_p95": quantile(computing, 0.95),
        "finished_max": round(max(finished), 3) if finished else None,
        "lost_samples": sum(r.lost_samples for r in reports),
        "word_error_rate": round(total.rate, 2) if known else None,
        "sessions": [report.summary() for report in reports],
    }


async def _send(socket: Any, pcm: bytes, began: float) -> None:
    """Audio in real time."""
    step = int(PIECE_SECONDS * SAMPLE_RATE) * 2
    for begin in range(0, len(pcm), step):
        due = began + (begin + step) / 2 / SAMPLE_RATE
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        await socket.send(pcm[begin : begin + step])


async def _native(job: LoadJob, recording: ReplayedRecording, report: ClientReport) -> None:
    subprotocols: Any = [p.SUBPROTOCOL]
    opened = time.monotonic()
    async with connect(f"{job.address}/v1/session", subprotocols=subprotocols, proxy=None) as socket:
        targets = None if job.target is None else (job.target,)
        start = p.SessionStart(source=job.source, targets=targets, token=job.token, client="simul load")
        await socket.send(encode(start))
        while report.ready == 0.0:
            report.messages += 1
            message = decode_server(str(await socket.recv()))
            if isinstance(message, p.ErrorMessage):
                report.error = message.message
                return
            if isinstance(message, p.SessionReady):
                report.ready = time.monotonic() - opened
                shown = message.config.streams[-1]
        began = time.monotonic()
        hearing = asyncio.create_task(_hear(socket, report, began, shown))
        await _send(socket, recording.pcm, began)
        await socket.send(encode(p.SessionClose()))
        ended = time.monotonic()
        await asyncio.wait_for(hearing, END_SECONDS)
        report.finished, report.close_code = time.monotonic() - ended, socket.close_code


async def _hear(socket: Any, report: ClientReport, began: float, stream: str) -> None:
    async for frame in socket:
        report.messages += 1
        report.bytes += len(frame)
        message = decode_server(str(frame))
        at = time.monotonic() - began
        if isinstance(message, p.SettledText) and message.stream == stream:
            report.first_text = at if report.first_text is None else report.first_text
            report.lags.append(at - message.t1 / 1000)
            report.computing.append((message.lag.queue + message.lag.compute) / 1000)
            report.text += message.text
        elif isinstance(message, p.ErrorMessage):
            report.error = message.message
        elif isinstance(message, p.Degraded):
            report.levels += bool(message.level)
        elif isinstance(message, p.SessionEnd):
            report.lost_samples = message.lost


async def _asr(job: LoadJob, recording: ReplayedRecording, report: ClientReport) -> None:
    pairs = {"language": job.source, "target_language": job.target, "token": job.token}
    query = "&".join(f"{name}={value}" for name, value in pairs.items() if value)
    opened = time.monotonic()
    async with connect(f"{job.address}/asr?{query}", proxy=None) as socket:
        await socket.recv()
        report.ready = time.monotonic() - opened
        began = time.monotonic()
        hearing = asyncio.create_task(_hear_states(socket, report, began))
        await _send(socket, recording.pcm, began)
        await socket.send(b"")
        ended = time.monotonic()
        await asyncio.wait_for(hearing, END_SECONDS)
        report.finished = time.monotonic() - ended


async def _hear_states(socket: Any, report: ClientReport, began: float) -> None:
    """Whole transcripts until `ready_to_stop`."""
    async for frame in socket:
        report.messages += 1
        report.bytes += len(frame)
        state = json.loads(frame)
        if state.get("type") == "ready_to_stop":
            return
        report.error = state.get("error", "")
        lines = " ".join(line.get("translation") or line["text"] or "" for line in state.get("lines", []))
        report.text = f"{lines} {state.get('buffer_transcription', '')}".strip()
        if report.text and report.first_text is None:
            report.first_text = time.monotonic() - began
