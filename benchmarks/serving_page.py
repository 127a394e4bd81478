# ruff: noqa: E501 -- the sentences are lines of the page
"""Writes docs/serving-figures.md from the results of benchmarks.serving: python -m benchmarks.serving_page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

RESULTS = Path("benchmarks/results")
PAGE = Path("docs/serving-figures.md")
ROW = "| {name} | {sessions} | {wer} | {missing} of {words} | {settled_p50}, {settled_p95} | {shown_p50}, {shown_p95} | {finished_most} | {failed} | {cpu_seconds_per_second} | {load} |"
HEAD = """# Serving in figures

Made by `python -m benchmarks.serving_page` from the results of the commands below; do not edit by hand. Clients of
WhisperLiveKit's `/asr` in a process of their own send 16-bit samples in real time, then an empty message, on {cores} cores of a
shared server processor. Other jobs waited meanwhile: `load` is the system's, and the servers and clients went before them
(scheduling group with nice -15).

**Lag** is from the end of a word, on a clock that is the same for all (the transcript aligned with its audio), to the moment
from which it stood in the client's text for good, computing and waiting included: in a line (settled), or in a line or a
buffer (shown); median and 95 of 100, seconds. **End**: seconds from the end of the audio to `ready_to_stop`, the latest
session. **Missing**: words of the transcript that nothing was written for; a number in digits counts for one word. **CPU**: seconds
of processor time for a second of one session.
"""
FOUR = """## Four clients at once

```sh no-run
python -m benchmarks.serving clips.tsv... --first 1 --shortest 8 --longest 20 --clips 24 --clients 4 --waves 6
```

{sessions} recordings of people reading and speaking English, 8 to 20 s each, of a third that nothing was tuned on, four at a
time; `simul serve --model whisper-base --source en --target en`, up {ready:g} s after the command. Nearly all errors are names,
numbers in digits ("27" for "chapter twenty seven") and spelling ("traveling").
[As JSON](../benchmarks/results/serving.json).
"""
PEERS = """## Beside WhisperLiveKit

```sh no-run
python -m benchmarks.openai_checkpoint "$(simul models where whisper-base)" base.pt
python -m benchmarks.serving clips.tsv... --first 1 --seconds 20 --clips 24 --clients 1,2,4,8 \\
  --peer PYTHON --checkpoint base.pt --output benchmarks/results/serving_peers.json
```

The same recordings joined to sessions of 20 s or more, the same weights, the same clients, one server after the other.
WhisperLiveKit 0.2.26 is its own server (`whisperlivekit-server --pcm-input --backend faster-whisper --backend-policy simulstreaming`,
otherwise its defaults) with the encoder of faster-whisper and the decoder on torch. A session without an end {patience:.0f} s after its audio
counts as failed; its words up to there count. One session is {one} words, too few to compare errors.
[As JSON](../benchmarks/results/serving_peers.json).
"""


def rows(cases: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A line for each case."""
    yield "| server | sessions | word errors % | missing | settled, s | shown, s | end, s | failed | CPU | load |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name, case in cases.items():
        said = {**case, "name": name.partition(",")[0], "load": " to ".join(f"{x:g}" for x in case["load"])}
        yield ROW.format(**{key: "none" if value is None else value for key, value in said.items()})
    yield ""


def page() -> str:
    """The whole page."""
    from benchmarks.asr_client import END_SECONDS

    four, peers = (
        json.loads((RESULTS / f"{name}.json").read_text("utf-8")) for name in ("serving", "serving_peers")
    )
    [case] = four["cases"].values()
    parts = [HEAD.format(cores=four["machine"]["cores"])]
    parts += [FOUR.format(sessions=case["sessions"], ready=case["server_ready"]), *rows(four["cases"])]
    one = next(iter(peers["cases"].values()))["words"]
    parts += [PEERS.format(patience=END_SECONDS, one=one), *rows(peers["cases"])]
    return "\n".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
