"""`python -m tests.latency_metrics.conformance FOLDER`: agreement with every vector file of the folder."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.latency_metrics.conformance import instances, streams
from tests.latency_metrics.conformance.tally import Tally

Check = Callable[[Tally, Mapping[str, Any], Path], None]

_CASES: dict[str, Check] = {
    "lines": streams.check_simulstream,
    "hypotheses": instances.check_quality,
    "ref": streams.check_alignment,
    "refs": streams.check_mwer,
}


def find_check(data: Any) -> Check | None:
    """The check for a vector file, known by its fields; None for files of another schema."""
    if not isinstance(data, dict):
        return None
    if "instances_log" in data:
        return instances.check_shortform_cli
    if "corpora" in data:
        return instances.check_shortform
    if "options" in data and "input" in data:
        return streams.check_longform
    if "words" in data:
        return streams.check_moses
    if data.get("instances"):
        given = data["instances"][0]["input"]
        if "durations" in given:
            return instances.check_speech
        return instances.check_text_input if "source" in given else instances.check_shortform
    if data.get("cases"):
        return next((check for key, check in _CASES.items() if key in data["cases"][0]), None)
    return None


def run_file(path: Path) -> Tally | None:
    """The tally of one vector file; None when it is not one."""
    packed = path.read_bytes()
    data = json.loads(gzip.decompress(packed) if path.suffix == ".gz" else packed)
    check = find_check(data)
    if check is None:
        return None
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        try:
            check(tally, data, Path(folder))
        except Exception as error:
            tally.failed("stopped", error)
    return tally


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line per file and the first disagreement; 1 when a check disagrees, 2 when there was none."""
    parser = argparse.ArgumentParser(prog="python -m tests.latency_metrics.conformance", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with vector files (*.json, *.json.gz)")
    folder = parser.parse_args(arguments).folder
    agreed = total = 0
    for path in sorted(p for p in folder.iterdir() if p.name.endswith((".json", ".json.gz"))):
        tally = run_file(path)
        if tally is None:
            continue
        agreed += tally.agreed
        total += tally.total
        print(f"{path.name}: {tally.agreed} / {tally.total} agreed")
        if tally.first is not None:
            print(f"    first disagreement: {tally.first}")
        for reason in tally.skipped:
            print(f"    not checked: {reason}")
    print(f"all files: {agreed} / {total} agreed")
    if total == 0:
        print(f"{folder} holds no vector files; name the folder that has shortform.json.", file=sys.stderr)
        return 2
    return 0 if agreed == total else 1


if __name__ == "__main__":
    sys.exit(main())
