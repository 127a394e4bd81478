"""Cost of scoring long recordings, side by side with OmniSTEval in one run; prints JSON.

    python benchmarks/scoring.py --corpus dev5 --peer PEER/bin/python
    python benchmarks/scoring.py --corpus rec50k

PEER is an environment with OmniSTEval==0.1.10. Measured for each command: user and system CPU seconds of the
whole process tree, wall time, and the peak of the tree's memory (proportional set size: shared pages count
once). Of ours, ``first use`` aligns one word with an empty cache of compiled code, ``alignment`` reads the
corpus and runs SoftSegmenter alone, ``score`` is ``simul score longform`` with the flags the peer gets. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

from make_longform import PRESETS, write_corpus

MIB = 1024.0
FIRST_USE = 'from segmenter import SoftSegmenter; SoftSegmenter().align(["word"], ["word"])'
PEER_CALL = "import sys; from omnisteval.cli import main; sys.argv[0] = 'omnisteval'; main()"


def process_tree(root: int) -> list[int]:
    """Process ids of ``root`` and everything below it."""
    children: dict[int, list[int]] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent = int(Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry))
    found, open_ends = [], [root]
    while open_ends:
        process = open_ends.pop()
        found.append(process)
        open_ends += children.get(process, [])
    return found


def memory_kib(process: int) -> int:
    """Proportional set size of a process, 0 when it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def measure(name: str, command: list[str], environment: dict[str, str] | None = None) -> dict:
    """Run a command to its end; its output is dropped and its last line of errors reported when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start, peak = time.monotonic(), 0
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=errors, env={**os.environ, **(environment or {})}
        )
        while process.poll() is None:
            peak = max(peak, sum(map(memory_kib, process_tree(process.pid))))
            time.sleep(0.02 if time.monotonic() - start < 30 else 0.5)
        wall = time.monotonic() - start
        errors.seek(0)
        last_line = (errors.read().strip().splitlines() or [""])[-1]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = {
        "name": name,
        "exit_code": process.returncode,
        "user_s": round(after.ru_utime - before.ru_utime, 2),
        "system_s": round(after.ru_stime - before.ru_stime, 2),
        "wall_s": round(wall, 2),
        "peak_tree_mib": round(peak / MIB, 1),
    }
    return result if process.returncode == 0 else {**result, "error": last_line}


def score_flags(corpus: Path, out: Path) -> list[str]:
    """Flags of ``longform`` for a corpus, the same for both tools."""
    return [
        *("longform", "--speech_segmentation", str(corpus / "segments.yaml")),
        *("--ref_sentences_file", str(corpus / "references.txt")),
        *("--hypothesis_file", str(corpus / "hypotheses.jsonl"), "--hypothesis_format", "jsonl"),
        *("--lang", "de", "--bleu_tokenizer", "13a", "--word_level", "--fix_simuleval_emission_ca"),
        *("--output_folder", str(out)),
    ]


def align_corpus(corpus: Path) -> None:
    """Read a corpus and align each recording, one per core."""
    from segmenter import SoftSegmenter

    wavs = [
        line.rpartition("wav: ")[2].rstrip("}\n")
        for line in (corpus / "segments.yaml").open(encoding="utf-8")
    ]
    references = (corpus / "references.txt").read_text(encoding="utf-8").splitlines()
    grouped = {
        wav: [text for _, text in pairs]
        for wav, pairs in groupby(zip(wavs, references, strict=True), key=lambda pair: pair[0])
    }
    segmenter = SoftSegmenter(lang="de")
    with (
        (corpus / "hypotheses.jsonl").open(encoding="utf-8") as lines,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        jobs = [
            pool.submit(segmenter.align, grouped[hypothesis["source"][0]], hypothesis["prediction"])
            for hypothesis in map(json.loads, lines)
        ]
        for job in jobs:
            print(json.dumps(job.result().units_per_segment()))


def machine() -> dict:
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in info if line.startswith("model name")), "unknown"
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "python": platform.python_version(),
        "load_average_at_start": round(os.getloadavg()[0], 2),
    }


def run(corpus: Path, peer: str | None) -> list[dict]:
    """Measure our commands and, when its Python is given, the peer's."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        simul = Path(sys.executable).with_name("simul")
        (out / "cache").mkdir()
        results = [
            measure("first use", [sys.executable, "-c", FIRST_USE], {"NUMBA_CACHE_DIR": str(out / "cache")}),
            measure("use with cached code", [sys.executable, "-c", FIRST_USE]),
            measure("alignment", [sys.executable, __file__, "--align", str(corpus)]),
            measure("score", [str(simul), "score", *score_flags(corpus, out / "ours")]),
        ]
        if peer:
            results.append(measure("OmniSTEval", [peer, "-c", PEER_CALL, *score_flags(corpus, out / "peer")]))
            theirs = results[-1]
            for ours in (result for result in results[2:4] if "error" not in result):
                ours["times_less_user_cpu"] = round(theirs["user_s"] / ours["user_s"], 1)
                ours["times_less_memory"] = round(theirs["peak_tree_mib"] / ours["peak_tree_mib"], 1)
    return results


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--corpus", default="acl5", help=f"{', '.join(PRESETS)} or a folder of make_longform.py"
    )
    parser.add_argument(
        "--peer", help="Python of an environment with OmniSTEval; without it only ours is measured"
    )
    parser.add_argument("--json", type=Path, help="file to write the result to as well")
    parser.add_argument("--align", type=Path, metavar="FOLDER", help="align a corpus and do nothing else")
    options = parser.parse_args()
    if options.align:
        align_corpus(options.align)
        return
    start = {"machine": machine(), "corpus": options.corpus}
    with tempfile.TemporaryDirectory() as scratch:
        corpus = Path(options.corpus)
        if options.corpus in PRESETS:
            corpus = Path(scratch)
            write_corpus(corpus, **PRESETS[options.corpus])
        result = {**start, "commands": run(corpus, options.peer)}
    text = json.dumps(result, indent=1, ensure_ascii=False)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
