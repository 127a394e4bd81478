"""Write docs/scoring-speed.md from the JSON of benchmarks/scoring.py, one file for each corpus.

python benchmarks/scoring.py --corpus acl5 --peer PEER/bin/python --json acl5.json
python benchmarks/scoring_page.py acl5.json dev5.json rec50k.json > docs/scoring-speed.md
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from make_longform import PRESETS

HEAD = """# Speed of scoring

`simul score longform` beside OmniSTEval 0.1.10 on the same files with the same flags, in one run. The talks are
made up by `benchmarks/make_longform.py`. User CPU time and memory are those of the whole process tree (proportional
set size, its peak); wall time depends on what else the machine does, CPU time hardly. This page is written by

```text
python benchmarks/scoring.py --corpus CORPUS --peer PEER/bin/python --json benchmarks/results/scoring-CORPUS.json
python benchmarks/scoring_page.py benchmarks/results/scoring-*.json > docs/scoring-speed.md
```
"""

NAMES = {
    "first use": "first use: the kernel is compiled and cached",
    "use with cached code": "one word, compiled code in the cache",
    "alignment": "reading and SoftSegmenter alone",
    "score": "`simul score longform`, files and all scores",
    "OmniSTEval": "OmniSTEval 0.1.10",
}


def section(result: dict) -> str:
    """A table of one corpus."""
    machine = result["machine"]
    shape = PRESETS.get(result["corpus"], {})
    size = f" ({shape['talks']} × {shape['words']:,} words)" if shape else ""
    lines = [
        f"## {result['corpus']}{size}",
        "",
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Python {machine['python']}, "
        f"load average at the start {machine['load_average_at_start']}.",
        "",
        "| command | user CPU, s | system, s | wall, s | peak memory, MiB | less user CPU | less memory |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for run in result["commands"]:
        name = NAMES.get(run["name"], run["name"])
        if "error" in run:
            lines.append(f"| {name} | failed: {run['error']} | | | | | |")
            continue
        times = [
            f"{run[key]} ×" if key in run else "" for key in ("times_less_user_cpu", "times_less_memory")
        ]
        figures = [run["user_s"], run["system_s"], run["wall_s"], run["peak_tree_mib"], *times]
        lines.append(f"| {name} | " + " | ".join(map(str, figures)) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", nargs="+", type=Path, help="JSON files of benchmarks/scoring.py")
    sections = [section(json.loads(path.read_text(encoding="utf-8"))) for path in parser.parse_args().results]
    print("\n".join([HEAD, *sections]), end="")


if __name__ == "__main__":
    main()
