# ruff: noqa: E501 -- the sentences are lines of the page
"""Makes docs/reliability.md from what the commands of this folder printed: python -m benchmarks.reliability.table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "reliability"
WANTED_MS = 20
"""That text comes after the audio it rests on with 100 sessions on two cores, on a machine that does nothing else."""
PAGE = ROOT / "docs" / "reliability.md"
HEAD = """# What the server bears

Made by `python -m benchmarks.reliability.table` from `benchmarks/results/reliability/`. Real processes and real sockets on one
machine; the engine is the proof engine of the tests (`tests/server/proof.py`), whose words are checksums of the samples, so
that one sample lost, doubled or mixed up is another text. `equal` is how many sessions said exactly what was to be said.
Other jobs ran on the machine at the time: `load` is the system's load average, on {cores} cores. Times are upper bounds.
"""


def result(name: str) -> dict[str, Any] | None:
    """What a command printed, if it is there."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def table(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Iterator[str]:
    """Lines of a table, numbers to the right."""
    yield f"| {' | '.join(header)} |"
    yield f"| {' | '.join(['---'] + ['---:'] * (len(header) - 1))} |"
    for row in rows:
        yield f"| {' | '.join(str(value) for value in row)} |"
    yield ""


def faults(found: dict[str, Any]) -> Iterator[str]:
    """Every kind of fault."""
    kinds = found["kinds"]
    equal, seeds = sum(k["equal"] for k in kinds), sum(k["seeds"] for k in kinds)
    yield from ("## Faults", "")
    yield f"`python -m benchmarks.reliability.faults`: {len(kinds)} kinds, recordings of {found['recording_seconds']:g} s "
    yield f"in real time, {equal} of {seeds} runs equal."
    yield ""
    header = ("fault", "runs", "equal", "tracebacks in the server", "load")
    yield from table(header, [
        (k["kind"], k["seeds"], k["equal"], len(k["tracebacks"]), k["load"]) for k in kinds
    ])  # fmt: skip


def load(kills: dict[str, Any], drain: dict[str, Any]) -> Iterator[str]:
    """Workers that are killed, and a drain."""
    minutes = kills["seconds"] / 60
    yield from ("## Workers that are killed, and a server that is told to stop", "")
    yield f"`python -m benchmarks.reliability.load kills`: {kills['kills']} kills in {minutes:.0f} minutes under "
    yield f"{kills['sessions']} sessions; {kills['equal']} equal, the gateway started {kills['gateway_starts']} time; the next "
    yield f"text came after {kills['next_text']['p50_ms']:.0f} ms in the middle, {kills['next_text']['p95_ms']:.0f} ms in "
    yield f"95 of 100 cases (load {kills['load_before']:g} to {kills['load_after']:g})."
    yield ""
    codes = ", ".join(map(str, drain["close_codes"]))
    yield f"`python -m benchmarks.reliability.load drain`: SIGTERM under {drain['sessions']} sessions; {drain['equal']} settled "
    yield f"to the last sample taken in, closed with {codes}, the process over after {drain['exit_seconds']:.1f} s of the "
    yield f"{drain['deadline_seconds']} s it has."
    yield ""


def capacity(found: dict[str, Any]) -> Iterator[str]:
    """Sessions at once."""
    yield from ("## Sessions at once", "")
    yield f"`python -m benchmarks.reliability.load capacity`: {found['sessions']} sessions in real time for "
    yield f"{found['seconds']:.0f} s in all, {found['equal']} equal. From the sending of the last sample that a text rests on to "
    yield f"its arrival: {found['p50_ms']} ms in the middle, {found['p95_ms']} ms (95 of 100), {found['p99_ms']} ms (99). Shares "
    yield f"of a core: gateway {found['gateway_core_share']}, workers {found['worker_core_share']}, clients "
    yield f"{found['client_core_share']}; {found['gateway_mib_per_session']} MiB of the gateway for each session (load "
    yield f"{found['load_before']:g} to {found['load_after']:g})."
    if found["p95_ms"] > WANTED_MS:
        yield ""
        ran = (found["gateway_core_share"] + found["worker_core_share"]) * found["seconds"]
        yield f"The {WANTED_MS} ms (95 of 100) that are wanted are not shown by this: the threads of the server ran for {ran:.1f} s and"
        yield f"stood in the queue for a processor for {found['waited_for_processor_seconds']:.1f} s."
    yield ""


def audience(found: dict[str, Any]) -> Iterator[str]:
    """Watchers of a stage."""
    late = found["after_the_first"]
    yield from ("## An audience", "")
    yield f"`python -m benchmarks.reliability.load audience`: {found['watchers']} watchers in two languages; "
    yield f"{found['watchers_with_every_line']} saw every one of {found['lines']} lines, {late['p95_ms']} ms (95 of 100) after the "
    yield f"first who did. The gateway took {found['gateway_core_share']} of a core (load {found['load_before']:g})."
    yield ""


def fuzz(streams: dict[str, Any] | None, messages: dict[str, Any] | None) -> Iterator[str]:
    """Mutations."""
    yield from ("## Random input", "")
    if streams:
        s = streams["byte_streams"]
        alone, beside = s["neighbour_alone"], s["neighbour_beside"]
        yield f"`python -m benchmarks.reliability.fuzz`: {s['streams']} mutated byte streams, 40 connections at once, in "
        yield f"{s['seconds']:.0f} s: {len(s['tracebacks'])} tracebacks, {s['sessions_left']:g} places left taken, "
        yield f"{s['neighbours_equal']} of {s['neighbours']} neighbours equal. A neighbour's text came after {alone['p50_ms']} ms "
        yield f"(p95 {alone['p95_ms']}) alone and {beside['p50_ms']} ms (p95 {beside['p95_ms']}) beside them (load {s['load']})."
        yield ""
    if messages:
        m = messages["mutated_messages"]
        yield f"{m['messages']} mutated messages of the native protocol and the dialects: {len(m['exceptions'])} exceptions, every "
        yield "answer valid against the schema, no place lost, the neighbours equal. Kept inputs: `tests/fuzz/seeds/server-*`."
        yield ""


def page() -> str:
    """The whole page."""
    found = {
        name: result(name)
        for name in ("faults", "kills", "drain", "capacity", "audience", "streams", "messages")
    }
    cores = next(each["machine"]["cores"] for each in found.values() if each)
    lines = [HEAD.format(cores=cores)]
    if found["faults"]:
        lines += faults(found["faults"])
    if found["kills"] and found["drain"]:
        lines += load(found["kills"], found["drain"])
    for name, make in (("capacity", capacity), ("audience", audience)):
        each = found[name]
        lines += make(each) if each else []
    lines += fuzz(found["streams"], found["messages"])
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
