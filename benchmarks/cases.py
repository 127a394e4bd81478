"""A benchmark of several cases whose results are kept as they come: one that was stopped goes on where it was.

Results are JSON: the machine, what all cases share, and a case by name. What the file has is not measured again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.machine import describe


def run_cases(
    output: Path,
    cases: Mapping[str, Callable[[], Any]],
    packages: tuple[str, ...],
    common: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Run the cases that `output` lacks, keep each there when it is done, show a bar, and return all of the file."""
    report: dict[str, Any] = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
    report |= {"machine": describe(packages), **(common or {})}
    done = report.setdefault("cases", {})
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=len(cases))
        for name, measure in cases.items():
            progress.update(bar, description=name)
            if name not in done:
                done[name] = measure()
                output.parent.mkdir(parents=True, exist_ok=True)
                output.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            progress.advance(bar)
    return report
