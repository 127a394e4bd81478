"""The engine's rules on simulated devices under a virtual clock: decisions in time by load, against first come first
served, and ideas one by one, as JSON.

    python -m benchmarks.engine_simulation > benchmarks/results/engine_simulation.json
    python -m benchmarks.engine_simulation --levels > benchmarks/results/engine_levels.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.machine import describe
from benchmarks.simulated_devices import (
    CPU,
    WIDE,
    World,
    WorldOutcome,
    capacity,
    earliest,
    first_come,
    one_by_one,
    simulate,
)
from simul.engine.cost import Costs
from simul.engine.ladder import RUNGS, Rung
from simul.engine.scheduler import Due, Served, choose

LOADS = (0.7, 0.9, 1.1, 1.3)
IDEA_LOADS = (0.9, 1.1)
SEEDS = range(5)
DEVICES = {
    "core": World(CPU, devices=8, reference=1, seconds=60),
    "wide": World(WIDE, devices=1, reference=16, seconds=60),
}


def any_shape(due: Sequence[Due], now: float, costs: Costs, served: Served) -> Sequence[Due]:
    """The engine's rule without shape buckets: streams of any length join."""
    longest = max(each.length for each in due)
    numbers = {
        each.number for each in choose([replace(each, length=longest) for each in due], now, costs, served)
    }
    return [each for each in due if each.number in numbers]


def full_batches(due: Sequence[Due], now: float, costs: Costs, served: Served) -> Sequence[Due]:
    """The engine's order, with everything in one batch that is due, whatever the slack."""
    return sorted(due, key=lambda each: each.deadline)[:64]


def deadline_only(due: Sequence[Due], now: float, costs: Costs, served: Served) -> Sequence[Due]:
    """Earliest deadline first even for what is lost anyway, one by one."""
    return sorted(due, key=lambda each: each.deadline)[:1]


CHEAPER = 0.85
"""What `--beam 1` costs with live windows as a share of what `--beam 5` does (docs/whisper.md)."""
LEVELS: dict[str, tuple[Rung, ...]] = {
    "the engine's": RUNGS,
    "greedy before": (RUNGS[0], Rung("greedy", CHEAPER), *RUNGS[1:]),
    "without two of three": (RUNGS[0], *RUNGS[2:]),
}
"""Levels that were looked at."""
RULES = {
    "engine": (earliest, True),
    "engine without ladder": (earliest, False),
    "first come, ladder": (first_come, True),
    "first come": (first_come, False),
    "lock": (one_by_one, False),
}
IDEAS = {
    "engine without ladder": earliest,
    "batches of any shape": any_shape,
    "batches as large as can be": full_batches,
    "earliest deadline, one by one": deadline_only,
}


def row(outcome: WorldOutcome) -> dict[str, float]:
    """What a simulation says."""
    return {
        "in_time": round(outcome.share, 4),
        "changes_a_minute": outcome.changes,
        "longest_wait": round(outcome.worst, 2),
        "level": round(outcome.level, 2),
        "stride": round(outcome.stride, 2),
        "late_p95": round(float(np.quantile(outcome.late, 0.95)), 3),
    }


def seeds(world: World) -> dict[str, float]:
    """The worst of what a simulation says with each of `SEEDS`."""
    rows = [row(simulate(replace(world, seed=seed))) for seed in SEEDS]
    return {
        "in_time": min(each["in_time"] for each in rows),
        "changes_a_minute": max(each["changes_a_minute"] for each in rows),
        "longest_wait": max(each["longest_wait"] for each in rows),
    }


def levels() -> dict[str, Any]:
    """What other levels of quality would bring, by device and load."""
    return {
        device: {
            name: {load: row(simulate(replace(world, load=load, rungs=rungs))) for load in LOADS}
            for name, rungs in LEVELS.items()
        }
        for device, world in DEVICES.items()
    }


def main() -> None:
    """Print everything, or what other levels would bring, as JSON."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--levels", action="store_true")
    if p.parse_args().levels:
        print(json.dumps({"machine": describe(), "seconds": 60, "levels": levels()}, indent=1))
        return
    found: dict[str, Any] = {"machine": describe(), "seconds": 60, "loads": {}, "ideas": {}}
    for device, world in DEVICES.items():
        found["loads"][device] = {
            name: {load: row(simulate(replace(world, load=load, pick=pick, ladder=ladder))) for load in LOADS}
            for name, (pick, ladder) in RULES.items()
        }
        found["ideas"][device] = {
            name: {
                load: row(simulate(replace(world, load=load, pick=pick, ladder=False)))["in_time"]
                for load in IDEA_LOADS
            }
            for name, pick in IDEAS.items()
        }
    found["owners"] = {
        str(ladder): simulate(
            replace(DEVICES["core"], load=1.3, ladder=ladder, owners=(("many", 0.8), ("few", 0.2)))
        ).by_owner
        for ladder in (True, False)
    }
    found["files"] = {}
    for load in (0.7, 1.1):
        without, with_files = (
            simulate(replace(DEVICES["core"], load=load, files=n, seconds=60)) for n in (0, 1)
        )
        found["files"][str(load)] = {
            "without": row(without),
            "with": row(with_files),
            "file_share": round(with_files.file_share, 3),
        }
    found["seeds"] = {
        device: {load: seeds(replace(world, load=load)) for load in LOADS}
        for device, world in DEVICES.items()
    }
    several = replace(DEVICES["wide"], devices=16)
    found["several"] = {load: row(simulate(replace(several, load=load))) for load in (0.9, 1.1)}
    begun = time.process_time()
    many = World(WIDE, reference=16, devices=100, streams=10_000, seconds=20.0, failing=(8.0, 12.0, 16.0))
    outcome = simulate(many)
    found["many"] = {
        **row(outcome),
        "streams": 10_000,
        "devices": 100,
        "load": round(10_000 / capacity(many), 2),
        "failures": 3,
        "moved": outcome.moved,
        "lost": outcome.lost,
        "simulated_seconds": many.warm + many.seconds,
        "cpu_seconds": round(time.process_time() - begun, 1),
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
