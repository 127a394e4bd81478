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
    yield f"{found['load_before']:g} to {found['load_after']:g}). Server and clients went before other jobs (scheduling group with nice -15)."
    if found["p95_ms"] > WANTED_MS:
        yield ""
        ran = (found["gateway_core_share"] + found["worker_core_share"]) * found["seconds"]
        yield f"The {WANTED_MS} ms (95 of 100) that are wanted are not shown by this: the threads of the server ran for {ran:.1f} s and"
        yield f"stood in the queue for a processor for {found['waited_for_processor_seconds']:.1f} s."
    yield ""


def connecting(found: dict[str, Any]) -> Iterator[str]:
    """Many who come at once."""
    ready = found["ready"]
    yield from ("## Many who come at once", "")
    yield "From here on to Ray, server and clients went before other jobs of the machine (scheduling group with nice -15)."
    yield ""
    yield f"`python -m benchmarks.reliability.crowd connect` ({found['date']}): {found['sessions']} sessions of 2 s, 50 a second; the session "
    yield f"was ready after {ready['p50_ms']} ms in the middle, {ready['p95_ms']} ms (95 of 100); {found['equal']} equal, "
    yield f"{found['places_left'].get('sessions', 0)} places left taken (load {found['load_before']:g} to {found['load_after']:g})."
    yield ""


def overload(found: dict[str, Any]) -> Iterator[str]:
    """More than there is room for."""
    alone, beside, after = found["alone"], found["beside"], found["refused_after"]
    refused = sum(count for said, count in found["refused"].items() if said != "ready")
    codes = ", ".join(map(str, found["close_codes"]))
    yield f"`python -m benchmarks.reliability.crowd overload` ({found['date']}): {found['sessions']} sessions in every place there is, "
    yield f"{found['at_the_door']} others at the door all the time: {refused} refusals, all with `overloaded`, a time to come back and "
    yield f"{codes}, the slowest after {after['most_ms']:.0f} ms (they may wait 2 s for a place). Of those inside {found['equal']} equal; their text came "
    yield f"after {alone['p50_ms']} ms (95 of 100: {alone['p95_ms']}) alone and {beside['p50_ms']} ms ({beside['p95_ms']}) with others at the door. "
    yield f"The next client after that was ready in {found['next']['ms']} ms (load {found['load_before']:g} to {found['load_after']:g})."
    yield ""


def fairness(found: dict[str, Any]) -> Iterator[str]:
    """One who sends faster than the others."""
    yield f"`python -m benchmarks.reliability.crowd fairness` ({found['date']}): {found['sessions'] - 1} sessions in real time beside one that sends "
    yield f"{found['speed']:g} times as fast, a pass taking {found['step_ms']:g} ms: {found['missed']} of {found['texts']} texts "
    yield f"({found['missed_percent']:g} %) later than their chunk of 400 ms, {found['p95_ms']} ms (95 of 100); {found['equal']} of "
    yield f"{found['sessions']} equal (load {found['load_before']:g} to {found['load_after']:g})."
    yield ""


def absence(found: dict[str, Any]) -> Iterator[str]:
    """Clients that come back after a while."""
    yield from ("## Clients that are away for a while", "")
    yield f"`python -m benchmarks.reliability.absence` ({found['date']}): the connection breaks at a random place, and the client goes on "
    yield "speaking. Caught up: text is no further than a second behind what is being said, from the connection's being back."
    yield ""
    header = ("away, s", "sessions", "equal", "caught up after, s: middle", "most")
    yield from table(header, [
        (f"{g['away']:g}", g["sessions"], g["equal"], *(f"{g['caught_up'][key] / 1000:.1f}" for key in ("p50_ms", "most_ms")))
        for g in found["groups"]
    ])  # fmt: skip
    last = found["too_long"]
    yield f"After {last['away']:g} s {last['told']} of {last['sessions']} were told that the session is over (`resume_expired`); "
    yield f"the sessions that they began then were {last['then']['equal']} of {last['sessions']} equal (load {found['load']:g})."
    yield ""


def soak(found: dict[str, Any]) -> Iterator[str]:
    """Long and mixed."""
    first, settled, last = found["memory_mib"]
    late = found["loop_late"]
    yield from ("## Sessions that come and go", "")
    yield f"`python -m benchmarks.reliability.soak` ({found['date']}): {found['minutes']:g} minutes (not the eight hours that are wanted) with "
    yield f"{found['at_once']} sessions at any time, {found['sessions']} in all, {found['drops']} connections broken, {found['kills']} workers killed: "
    yield f"{found['equal']} equal, so no word of another session either; the gateway started {found['gateway_starts']} time. Open files "
    yield f"{found['files'][0]} before and {found['files'][1]} after, {found['sessions_left']} sessions left. Memory of the gateway {first:g} MiB, {settled:g} after "
    yield f"a third, {last:g} in the end: {found['mib_an_hour']:g} MiB an hour, which minutes are too short to tell from what fills up once. "
    yield f"Its loop was {late['p50_ms']} ms late in the middle, {late['p99_ms']} ms (99 of 100); load {found['load_before']:g} to {found['load_after']:g}."
    yield ""


def real(found: dict[str, Any]) -> Iterator[str]:
    """A real model."""
    seconds = " and ".join(f"{s:g}" for s in found["seconds"])
    yield from ("## A real model", "")
    yield f"`python -m benchmarks.reliability.real` ({found['date']}): {found['clients']} sessions of speech ({seconds} s) at once in real time on "
    yield f"{found['model']}, a decision every {found['chunk_ms'] / 1000:g} s: {found['equal']} with the very text of `simul translate` of the file "
    yield f"({found['differing']} of {found['words']} words differ), {found['lost_samples']} samples lost; a text waited "
    yield f"and was computed for {found['computing_p95']:.2f} s at most in 95 of 100 cases, decisions were made rarer "
    yield f"{sum(s['levels'] for s in found['sessions'])} times; {found['cpu_seconds_per_second']} s of processor time for a second "
    yield f"(load {found['load_before']:g} to {found['load_after']:g})."
    yield ""
    if often := result("real_500"):
        yield f"With a decision every half second, the default, {often['equal']} are equal and {often['differing']} of {often['words']} words differ: where a decision in a "
        yield f"long segment takes longer than its half second, the engine makes them rarer, {sum(s['levels'] for s in often['sessions'])} times here. A text "
        yield f"waited and was computed for {often['computing_p95']:.2f} s at most in 95 of 100 cases."
        yield ""


def on_ray(capacity: dict[str, Any], drain: dict[str, Any] | None) -> Iterator[str]:
    """Workers on Ray."""
    yield from ("## Workers on Ray", "")
    yield f"`python -m benchmarks.reliability.load capacity --engine ray --sessions {capacity['sessions']} --seconds 30`: "
    yield f"{capacity['equal']} of {capacity['sessions']} equal, text after {capacity['p50_ms']} ms in the middle, {capacity['p95_ms']} ms (95 of 100); "
    if local := result("local_capacity"):
        yield f"with processes of its own, right after that, {local['p50_ms']} and {local['p95_ms']} ms "
        yield f"(load {capacity['load_before']:g} and {local['load_before']:g})."
    if drain:
        yield f"SIGTERM under {drain['sessions']} sessions: {drain['equal']} settled to the last sample, over after {drain['exit_seconds']:.1f} s."
    if faults := result("ray_faults"):
        kinds = faults["kinds"]
        runs, equal = sum(each["seeds"] for each in kinds), sum(each["equal"] for each in kinds)
        loads = [each["load"] for each in kinds]
        yield ""
        yield f"`python -m benchmarks.reliability.faults --engine ray --seeds {kinds[0]['seeds']}`: {equal} of {runs} runs of {len(kinds)} kinds "
        yield f"equal, {sum(len(each['tracebacks']) for each in kinds)} tracebacks in the server (load {min(loads):g} to {max(loads):g})."
        yield "The full disk is not one of them, since that bound would be one on Ray's own files."
        for each in kinds:
            if each["equal"] < each["seeds"]:
                yield f"Of *{each['kind']}* {each['equal']} of {each['seeds']}."
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
    crowds = (("connect", connecting), ("overload", overload), ("fairness", fairness))
    for name, make in (*crowds, ("absence", absence), ("soak", soak), ("real", real)):
        each = result(name)
        lines += make(each) if each else []
    if ray := result("ray_capacity"):
        lines += on_ray(ray, result("ray_drain"))
    lines += fuzz(found["streams"], found["messages"])
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
