"""Sessions of real speech on a real model, live, beside the same recordings as files: is the text the same?

python -m benchmarks.reliability.real RECORDING... [--seconds 300] [--model NAME] [--chunk-ms MS]: each is a session
of `simul serve`, all at once in real time, its first so many seconds; then `simul translate` hears each. `computing`:
seconds that a settled text waited for the processor and was computed; `levels`: how often a session was told that
decisions became rarer, as they do where the processors do not suffice, and texts may then be others.
Prints JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe
from benchmarks.serving import Server, free_port
from server.client.load import LoadJob, ReplayedRecording, read_recording, run_load, to_report
from simul.audio.wav import WavWriter
from simul.config import StreamOptions
from simul.evaluation.word_errors import word_errors
from simul.units import SAMPLE_RATE

LANGUAGES = ("--source", "en", "--target", "en")


def cut(path: str, seconds: float) -> ReplayedRecording:
    """The beginning of a recording; nothing says what is said in it."""
    whole = read_recording(path)
    return ReplayedRecording(whole.name, whole.pcm[: 2 * int(seconds * SAMPLE_RATE)])


def as_file(recording: ReplayedRecording, options: Sequence[str]) -> str:
    """What `simul translate` hears."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "talk.wav"
        with WavWriter(path, SAMPLE_RATE) as wav:
            wav.write(np.frombuffer(recording.pcm, "<i2").astype(np.float32) / 32768)
        command = [sys.executable, "-m", "simul", "translate", str(path), *options, "-q", "--threads", "1"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return " ".join(done.stdout.split())


def main() -> None:
    """Measure, and print."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("files", nargs="+", metavar="RECORDING")
    p.add_argument("--seconds", type=float, default=300.0)
    p.add_argument("--model", default="whisper-base")
    p.add_argument("--chunk-ms", type=int, default=StreamOptions.chunk_ms)
    given = p.parse_args()
    recordings = [cut(path, given.seconds) for path in given.files]
    port = free_port()
    options = [*LANGUAGES, "--model", given.model, "--chunk-ms", str(given.chunk_ms)]
    command = [sys.executable, "-m", "simul", "serve", "--port", str(port), "-q"]
    server, load = Server([*command, *options], "/readyz", port, {}), os.getloadavg()[0]
    try:
        job = LoadJob(f"ws://127.0.0.1:{port}", len(recordings), source="en", target="en")
        reports = asyncio.run(run_load(job, recordings))
        cpu = server.cpu()
    finally:
        server.stop()
    found: dict[str, Any] = to_report(job, reports)
    after = os.getloadavg()[0]
    for recording, session in zip(recordings, found["sessions"], strict=True):
        session["text"] = " ".join(session["text"].split())
        text = as_file(recording, options)
        errors = word_errors([(text, session["text"])], "en")
        session |= {"equal": session["text"] == text, "differing": errors.edits, "words": errors.words}
    seconds = sum(recording.seconds for recording in recordings)
    report = {
        "machine": describe(("ctranslate2", "faster-whisper")),
        "date": time.strftime("%Y-%m-%d"),
        "model": given.model,
        "chunk_ms": given.chunk_ms,
        "seconds": [round(recording.seconds, 1) for recording in recordings],
        "equal": sum(session["equal"] for session in found["sessions"]),
        "differing": sum(session["differing"] for session in found["sessions"]),
        "words": sum(session["words"] for session in found["sessions"]),
        "cpu_seconds_per_second": round(cpu / seconds, 3),
        "load_before": round(load, 1),
        "load_after": round(after, 1),
        **found,
    }
    print(json.dumps(report, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
