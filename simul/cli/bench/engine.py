"""`simul bench engine`: how many live streams this machine holds, with the engine and in three other ways."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from simul.cli.build import add_session_options, session_factory
from simul.cli.context import Context
from simul.cli.options import MOST_JOBS, Parser, whole
from simul.cli.places import check_name
from simul.errors import ExitCode, SimulError

WAYS = {
    "engine": "engine: batches by deadline",
    "window": "first come, 8 within 50 ms",
    "lock": "a lock around one model",
    "copies": "a model for each stream",
}


def parser() -> Parser:
    """The options of the command."""
    p = Parser(
        "bench engine",
        "Measure how many live streams this machine holds with 95 % of all decisions out within a chunk: with the "
        "engine, with batches of whoever comes first, with a lock around one model, and with a model for each stream, "
        "on the same audio in one run. Streams speak in real time on a clock that waits for nothing and counts the "
        "computing, so that the figures do not depend on what else the machine does. The last two ways are worked out "
        "from the measured cost of decisions, which do not depend on each other there.",
    )
    p.add_argument(
        "audio", nargs="+", metavar="AUDIO", help="recordings that the streams speak, over and over"
    )
    p.add_argument(
        "--seconds", type=whole(4, 3600), default=20, metavar="N", help="length of a stream in seconds"
    )
    p.add_argument(
        "--workers",
        type=whole(1, MOST_JOBS),
        default=1,
        metavar="N",
        help="processes that serve streams at the same time, with --threads each",
    )
    p.add_argument("-o", "--output", metavar="FILE", help="write a picture there, as PNG")
    p.add_argument("--json", action="store_true", help="results as JSON")
    add_session_options(p)
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the command."""
    given = parser().parse(arguments, context)
    if given.output is not None:
        check_name("--output", given.output)
    workers = _measure(given, context)
    from simul.evaluation.capacity.measure import added_up
    from simul.evaluation.machine import describe

    found = {
        "machine": describe(("onnxruntime", "ctranslate2")),
        "cores": os.cpu_count(),
        "chunk_ms": given.chunk_ms,
        "seconds": given.seconds,
        "streams": added_up(workers),
        "workers": workers,
    }
    if given.output is not None:
        from simul.evaluation.capacity.drawing import write_capacity

        write_capacity(Path(given.output), found["streams"], WAYS, workers[0]["model"])
    if given.json:
        context.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    else:
        _print(context, found)
    return ExitCode.OK


def _measure(given: argparse.Namespace, context: Context) -> list[dict[str, Any]]:
    """What each worker holds; several of them measure at the same time."""
    from simul.evaluation.capacity.measure import CapacityMeasurement

    factory = session_factory(given, context)
    measurement = CapacityMeasurement(factory, tuple(given.audio), float(given.seconds))
    if given.workers == 1:
        return [measurement()]
    from simul.evaluation.workers import run_in_processes

    tasks = [(worker, worker) for worker in range(given.workers)]
    found = []
    for outcome in run_in_processes(measurement, tasks, given.workers):
        if outcome.result is None:
            raise SimulError(f"Worker {outcome.index + 1} could not measure: {outcome.failure}")
        found.append(outcome.result)
    return found


def _print(context: Context, found: dict[str, Any]) -> None:
    from simul.cli.view.tables import print_table

    rows = [(WAYS[way], str(count)) for way, count in found["streams"].items()]
    print_table(context, context.stdout, "", ("served by", "live streams"), rows)
    first = found["workers"][0]
    over = first["over_admitted"]
    lines = [f"Model: {first['model']}"]
    if first["stream_bytes"] is not None:
        model, stream = first["model_bytes"] / 2**20, first["stream_bytes"] / 2**20
        lines.append(f"Memory: {model:.0f} MiB for the model, {stream:.1f} MiB a stream.")
    lines.append(
        f"Of {over['streams'] + over['refused']} streams in one worker {over['refused']} were refused, "
        f"{over['lost_samples']} samples were lost, {over['in_time']:.1%} of decisions were in time."
    )
    context.stdout.write("\n".join(lines) + "\n")
