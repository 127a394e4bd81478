"""Clients of `/asr` at once against `simul serve`, and against WhisperLiveKit's own server on the same weights.

    python -m benchmarks.serving LIST... [--first N] [--shortest S] [--longest S] [--seconds S] [--clients 1,2,4,8]
        [--waves N] [--peer PYTHON --checkpoint base.pt] [--output FILE]

Lists and thirds as in benchmarks/whisper.py. Each session is a recording, or, with `--seconds`, so many joined that it
is as long. A wave is as many sessions at once as there are clients. The servers run one after the other, each in
processes of its own; the clients are this process. Lags are from the end of a word on the clock of
benchmarks/word_lag.py to its arrival, computing and waiting included. Prints JSON; `--checkpoint` is made by
benchmarks/openai_checkpoint.py.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.asr_client import Seen, Talk, figures, play, together
from benchmarks.cases import run_cases
from benchmarks.whisper import list_names, list_parser, listed
from benchmarks.whisper_robustness import read
from benchmarks.word_lag import LONGEST, word_clock
from simul.models.catalogue import locate

PACKAGES = ("websockets", "ctranslate2", "onnxruntime")
MODEL = "whisper-base"
TICK = os.sysconf("SC_CLK_TCK")
START_SECONDS = 120.0
PEER = "import sys; sys.argv[0] = 'wlk'; from whisperlivekit.basic_server import main; main()"
HEADS = "import whisperlivekit.whisper as w; print(w._ALIGNMENT_HEADS['base'].decode(), end='')"


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> int:
    """The status of an address of the server; 0 while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)
    except OSError:
        return 0


class Server:
    """A server that is started and ended; `ready` is how long it took to take sessions."""

    def __init__(self, command: Sequence[str], path: str, port: int, variables: dict[str, str]) -> None:
        began = time.monotonic()
        environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment | variables
        )
        while get(port, path) != 200:
            if self._process.poll() is not None or time.monotonic() - began > START_SECONDS:
                raise SystemExit(f"{' '.join(command[:4])} … does not come up.")
            time.sleep(0.05)
        self.ready = round(time.monotonic() - began, 2)
        self.address = f"ws://127.0.0.1:{port}/asr?language=en"

    def cpu(self) -> float:
        """Seconds of processor time of the process and of all that it started."""
        return sum(_cpu(pid) for pid in _family(self._process.pid))

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _fields(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["?", "0", *["0"] * 20]


def _cpu(pid: int) -> float:
    fields = _fields(pid)
    return (int(fields[11]) + int(fields[12])) / TICK


def _family(pid: int) -> list[int]:
    parents = {int(p.name): int(_fields(int(p.name))[1]) for p in Path("/proc").glob("[0-9]*")}
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found


@contextmanager
def serving(name: str, given: argparse.Namespace) -> Iterator[Server]:
    """Ours, or the peer's, on a port of its own."""
    port = free_port()
    model = str(locate(MODEL))
    if name == "ours":
        command = [sys.executable, "-m", "simul", "serve", "--port", str(port), "--model", model, "-q"]
        server = Server([*command, "--source", "en", "--target", "en"], "/readyz", port, {})
    else:
        heads = subprocess.run([given.peer, "-c", HEADS], stdout=subprocess.PIPE, text=True, check=True)
        command = [given.peer, "-c", PEER, "--host", "127.0.0.1", "--port", str(port), "--pcm-input"]
        command += ["--backend", "faster-whisper", "--backend-policy", "simulstreaming", "--lan", "en"]
        command += ["--decoder-model-path", str(given.checkpoint), "--encoder-model-path", model]
        command += ["--custom-alignment-heads", heads.stdout, "--warmup-file", ""]
        server = Server(command, "/health", port, {"PYTHONPATH": "", "HF_HUB_OFFLINE": "1"})
    try:
        yield server
    finally:
        server.stop()


def talks(given: argparse.Namespace) -> list[Talk]:
    """The recordings asked for, joined where they are to be longer, with the clock of their words."""
    rows = [row for rows in listed(given) for row in rows if given.shortest <= row.seconds <= given.longest]
    rows = rows[: given.clips]
    sounds = [read(row.file) for row in rows]
    clocks = word_clock(locate(MODEL), list(zip(rows, sounds, strict=True)), given.language)
    found: list[Talk] = []
    parts: list[Talk] = []
    for row, sound, clock in zip(rows, sounds, clocks, strict=True):
        before = sum(part.seconds for part in parts)
        pcm = np.rint(np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes()
        parts.append(Talk(row.file.stem, pcm, row.text, [(word, before + end) for word, end in clock]))
        if sum(part.seconds for part in parts) >= given.seconds:
            found.append(joined(parts))
            parts = []
    return found


def joined(parts: Sequence[Talk]) -> Talk:
    """Talks in a row as one."""
    clock = [word for part in parts for word in part.clock]
    names, texts = "+".join(part.name for part in parts), " ".join(part.text for part in parts)
    return Talk(names, b"".join(part.pcm for part in parts), texts, clock)


def measure(server: Server, found: Sequence[Talk], clients: int, waves: int) -> dict[str, Any]:
    """So many sessions at once, wave after wave."""
    seen: list[Seen] = []
    loads, cpu, seconds = [os.getloadavg()[0]], server.cpu(), 0.0

    async def wave(sessions: Sequence[Seen]) -> None:
        await asyncio.gather(*(play(server.address, each.talk, each) for each in sessions))

    for number in range(waves):
        now = [Seen(found[(number * clients + i) % len(found)]) for i in range(clients)]
        asyncio.run(wave(now))
        seconds += sum(each.talk.seconds for each in now)
        seen += now
    sessions = [figures(each, "en") for each in seen]
    row = together(sessions)
    row |= {"cpu_seconds_per_second": round((server.cpu() - cpu) / seconds, 3)}
    row |= {"load": [round(load, 1) for load in (*loads, os.getloadavg()[0])]}
    return row | {"server_ready": server.ready, "each": sessions}


def case(name: str, clients: int, found: Sequence[Talk], given: argparse.Namespace) -> dict[str, Any]:
    """One server, started for it, under so many clients."""
    with serving(name, given) as server:
        return measure(server, found, clients, given.waves)


def main() -> None:
    """Measure, and keep."""
    p = list_parser(__doc__)
    p.add_argument("--shortest", type=float, default=0.0, help="seconds of a recording at least")
    p.add_argument("--longest", type=float, default=LONGEST, help="seconds of a recording at most")
    p.add_argument("--seconds", type=float, default=0.0, help="join recordings to sessions of so many")
    p.add_argument("--clients", default="4", help="clients at once, by commas")
    p.add_argument("--waves", type=int, default=1, help="how often so many sessions are played")
    p.add_argument("--peer", metavar="PYTHON", help="interpreter that WhisperLiveKit is installed for")
    p.add_argument("--checkpoint", type=Path, help="the same weights for openai-whisper")
    p.add_argument("--output", type=Path, default=Path("benchmarks/results/serving.json"))
    given = p.parse_args()
    found = talks(given)
    names = ["ours"] + (["WhisperLiveKit"] if given.peer else [])
    cases = {
        f"{name}, {clients} x {given.waves}": partial(case, name, clients, found, given)
        for clients in map(int, given.clients.split(","))
        for name in names
    }
    common = {"lists": list_names(given), "model": MODEL}
    report = run_cases(given.output, cases, PACKAGES, common)
    rows = {name: {k: v for k, v in row.items() if k != "each"} for name, row in report["cases"].items()}
    print(json.dumps(rows, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
