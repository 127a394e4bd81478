"""The experiment of Dugan et al. 2023 with the embedded model, English to German, as JSON and Markdown.

    python -m benchmarks.dugan [LIST --audio-column NAME --reference-column NAME] [--limit N] \
        [--pseudo-references] [--markdown docs/dugan.md]

Without LIST, the example talks, whose German is a person's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from simul.evaluation.dugan.experiment import CellResult
from simul.evaluation.dugan.tables import LATENCY_HEADER, latency_rows, paper_table


def run(given: argparse.Namespace) -> list[CellResult]:
    """The cells of `simul dugan`, computed by the command itself."""
    command = [sys.executable, "-m", "simul", "dugan", given.list, "--model", "embedded", "--json"]
    command += ["--audio-column", given.audio_column, "--limit", str(given.limit)]
    if given.pseudo_references:
        command.append("--pseudo-references")
    else:
        command += ["--reference-column", given.reference_column]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [CellResult(**cell) for cell in json.loads(done.stdout)]


def markdown(results: list[CellResult], about: dict[str, Any]) -> str:
    """The page of docs/."""
    lines = [
        "# The experiment of Dugan et al. 2023 on the embedded model",
        "",
        "Made by `python -m benchmarks.dugan --markdown docs/dugan.md`; do not edit by hand. "
        f"Machine: {json.dumps(about['machine'])}. Recordings: {about['list']}, {results[0].utterances} of them, "
        "English to German. How to run it on other models: [compare policies](compare-policies.md).",
        "",
        "BLEU, and in parentheses average lagging in seconds as their program prints it: computation-aware, and one "
        "reference token above the standard value. The lagging of a policy that speaks before much was said can be "
        "negative. Where nothing was spoken early, the offline translation counts.",
        "",
    ]
    for profile in ("faithful", "fixed"):
        lines += [f"## {profile.capitalize()}", "", paper_table(results, profile), ""]
    lines += [
        "## All latencies",
        "",
        "Seconds; *early*: utterances of which something was spoken before their end.",
        "",
    ]
    for cells in (list(LATENCY_HEADER), ["---"] * len(LATENCY_HEADER), *latency_rows(results)):
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("list", nargs="?", default="examples/talks.tsv")
    parser.add_argument("--audio-column", default="file")
    parser.add_argument("--reference-column", default="de")
    parser.add_argument("--pseudo-references", action="store_true")
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/dugan.json"))
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    results = run(given)
    about = {"machine": describe(("pocketsphinx", "ctranslate2", "sacrebleu")), "list": given.list}
    report = {**about, "cells": [vars(result) for result in results]}
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if given.markdown:
        given.markdown.write_text(markdown(results, about), encoding="utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
