"""How well a conversation goes: recordings of people in two languages, in turns drawn by a seed, played to
`simul serve --two-way` in real time.

python -m benchmarks.two_way CLIPS.tsv --between en,es --model whisper-base prints JSON with the machine described: for
how many utterances the language was found, words wrong, and how long after an utterance its translation came. CLIPS.tsv
has columns file, lang, seconds and text; clips of 2 to 6 s and four words or more are drawn, a second apart or more.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import random
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import connect

from benchmarks.human_translation import load
from benchmarks.machine import describe
from benchmarks.serving import free_port, get
from simul.evaluation.word_errors import word_errors

RATE = 16_000
SECONDS, FEWEST_WORDS = (2.0, 6.0), 4


@dataclass
class Turn:
    """One utterance: its language, its text, its samples [begin, end) of the talk."""

    language: str
    text: str
    begin: int
    end: int


def talk(table: Path, between: list[str], count: int, seed: int) -> tuple[bytes, list[Turn]]:
    """So many utterances in turns: the sound, 16-bit at 16 kHz, and what is said."""
    rng = random.Random(seed)
    with open(table, encoding="utf-8", newline="") as lines:
        rows = [r for r in csv.DictReader(lines, delimiter="\t") if len(r["text"].split()) >= FEWEST_WORDS]
    rows = [r for r in rows if SECONDS[0] <= float(r["seconds"]) <= SECONDS[1]]
    clips = {code: [r for r in rows if r["lang"] == code] for code in between}
    for listed in clips.values():
        rng.shuffle(listed)
    parts: list[np.ndarray] = []
    turns: list[Turn] = []
    at = 0
    for _ in range(count):
        code = rng.choice(between)
        row = clips[code].pop()
        sound = load(table.parent / row["file"])
        pause = np.zeros(RATE + rng.randrange(RATE // 2), sound.dtype)
        turns.append(Turn(code, row["text"], at, at + len(sound)))
        parts += [sound, pause]
        at += len(sound) + len(pause)
    pcm = np.rint(np.clip(np.concatenate(parts), -1, 1) * 32767).astype("<i2").tobytes()
    return pcm, turns


async def heard(port: int, pcm: bytes) -> list[dict[str, Any]]:
    """The ends of segments, each with the seconds after the beginning at which it came."""
    found = []
    address = f"ws://127.0.0.1:{port}/v1/session"
    async with connect(address, proxy=None, max_size=None) as socket:
        await socket.send(json.dumps({"type": "session.start", "want": {"tail": False}}))
        began = time.monotonic()

        async def play() -> None:
            for begin in range(0, len(pcm), 3200):
                await socket.send(pcm[begin : begin + 3200])
                await asyncio.sleep(max(0.0, began + (begin + 3200) / (2 * RATE) - time.monotonic()))
            await socket.send(json.dumps({"type": "end"}))

        playing = asyncio.create_task(play())
        async for frame in socket:
            message = json.loads(frame)
            if message["type"] == "segment.end":
                found.append({**message, "at": time.monotonic() - began})
        await playing
    return found


def report(turns: list[Turn], ends: list[dict[str, Any]], between: list[str]) -> dict[str, Any]:
    """What of the turns was found."""
    said = [end for end in ends if end["stream"] == "source"]
    told = {end["segment"]: end["at"] for end in ends if end["stream"] != "source"}
    right, delays = 0, []
    pairs: dict[str, list[tuple[str, str]]] = {code: [] for code in between}
    for turn in turns:
        begin, end = turn.begin * 1000 / RATE, turn.end * 1000 / RATE
        own = [s for s in said if begin <= (s["t0"] + s["t1"]) / 2 <= end]
        right += {s["language"] for s in own} == {turn.language}
        pairs[turn.language].append((turn.text, " ".join(s["text"] for s in own)))
        delays += [told[s["segment"]] - end / 1000 for s in own if s["segment"] in told]
    return {
        "utterances": len(turns),
        "language_right": right,
        "word_errors_percent": {code: round(word_errors(pairs[code], code).rate, 1) for code in between},
        "translated": len(delays),
        "seconds_to_translation": {
            "median": round(statistics.median(delays), 1) if delays else None,
            "most": round(max(delays), 1) if delays else None,
        },
    }


def main() -> None:
    """Measure, and print."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("table", type=Path)
    p.add_argument("--between", default="en,es")
    p.add_argument("--utterances", type=int, default=24)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--model", default="whisper-base")
    given = p.parse_args()
    between, port = given.between.split(","), free_port()
    pcm, turns = talk(given.table, between, given.utterances, given.seed)
    serve = [sys.executable, "-m", "simul", "serve", "--port", str(port), "--model", given.model, "-q"]
    with subprocess.Popen([*serve, "--workers", "1", "--two-way", given.between]) as server:
        try:
            while get(port, "/readyz") != 200:
                time.sleep(0.05)
            ends = asyncio.run(heard(port, pcm))
        finally:
            server.terminate()
    machine = describe(("websockets", "ctranslate2", "faster-whisper"))
    found = report(turns, ends, between)
    print(json.dumps({"machine": machine, "model": given.model, "seed": given.seed, **found}, indent=1))


if __name__ == "__main__":
    main()
