"""Quality and cost of Firefox students, the embedded ones unless a folder is named: BLEU, chrF and CPU time, as JSON.

Each sentence is a call of its own. Written sources are as the sets have them; spoken ones are lower-cased and without
punctuation, numbers as words, as a recogniser would give them (English only). FLORES-200 and NTREX-128 are
encyclopaedic and news text, Tatoeba everyday sentences with up to several references.

    python -m benchmarks.marian --data FOLDER [--model FOLDER] [--targets de,es] [--beams 1,4] [--limit 300]
        [--output benchmarks/results/marian.json --markdown docs/translator.md]
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from simul.models.marian.folder import SHIPPED, Students, load
from simul.models.marian.translator import MarianTranslator
from simul.models.translation.interface import TextRequest

IMPORTED = time.process_time()
"""CPU seconds since the start of this process: what is imported, numba and numpy mostly."""
SEPARATOR = " ||| "
"""Between several references of a sentence."""
Rows = list[tuple[str, list[str]]]


def evaluation_sets(data: Path, source: str, target: str, limit: int | None) -> Iterator[tuple[str, Rows]]:
    """(source, references) of each set that has both languages."""
    for name, file in (
        ("tatoeba", "tatoeba/test.tsv"),
        ("flores-200", "flores-200/devtest.tsv.gz"),
        ("ntrex-128", "ntrex-128/ntrex.tsv.gz"),
    ):
        path = data / file
        opened: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8", newline="") as stream:
            table = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
            if {source, target} <= set(table.fieldnames or []):
                yield name, [(row[source], row[target].split(SEPARATOR)) for row in table][:limit]


def translate(translator: MarianTranslator, sources: list[str], target: str) -> tuple[list[str], float]:
    """Translations, and CPU milliseconds a sentence."""
    began = time.process_time()
    texts = []
    for source in sources:
        result = translator.translate([TextRequest(source, target)])[0]
        texts.append("".join(result.tokens).strip())
    return texts, 1000 * (time.process_time() - began) / max(1, len(sources))


def score(texts: list[str], rows: Rows) -> dict[str, float]:
    """Corpus BLEU (13a) and chrF2; sentences with fewer references than others leave the places empty."""
    import sacrebleu

    most = max(len(references) for _, references in rows)
    streams = [[refs[i] if i < len(refs) else None for _, refs in rows] for i in range(most)]
    return {
        "bleu": round(sacrebleu.metrics.BLEU().corpus_score(texts, streams).score, 2),
        "chrf": round(sacrebleu.metrics.CHRF().corpus_score(texts, streams).score, 2),
    }


def resident() -> float | None:
    """Memory of this process in MiB."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    return round(int(status.split("VmRSS:")[1].split()[0]) / 1024, 1)


def start(folder: Path) -> tuple[Students, dict[str, Any]]:
    """The students in `folder`, and what it costs to begin: CPU seconds to import, to load, to the first sentence."""
    before = resident()
    began = time.process_time()
    students = load(folder)
    loaded = time.process_time()
    MarianTranslator(students).translate([TextRequest("Hello, world.", next(iter(students.targets)))])
    return students, {
        "import_cpu_s": round(IMPORTED, 3),
        "load_cpu_s": round(loaded - began, 3),
        "first_sentence_cpu_s": round(time.process_time() - loaded, 3),
        "resident_before_mib": before,
        "resident_after_mib": resident(),
    }


def measure(students: Students, given: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each target, set, form of the source and beam size."""
    from simul.models.embedded.spoken import spoken_form

    rows = []
    for target in given.targets or sorted(students.targets):
        for name, pairs in evaluation_sets(given.data, students.source, target, given.limit):
            forms: dict[str, Callable[[str], str]] = {"written": str}
            if students.source == "en":
                forms["spoken"] = spoken_form
            for form, spelled in forms.items():
                sources = [spelled(source) for source, _ in pairs]
                for beam in given.beams:
                    texts, cost = translate(MarianTranslator(students, beam=beam), sources, target)
                    told = {
                        "target": target,
                        "set": name,
                        "source": form,
                        "beam": beam,
                        "sentences": len(pairs),
                    }
                    rows.append({**told, **score(texts, pairs), "cpu_ms": round(cost, 1)})
                    for (source, _), text in list(zip(pairs, texts, strict=True))[: given.show]:
                        print(f"# {target} {form}: {source} | {text}", flush=True)
    return rows


def markdown(report: dict[str, Any]) -> str:
    """The table of docs/."""
    begun = report["start"]
    limit = f" --limit {report['limit']}" if report["limit"] else ""
    lines = [
        "# The embedded translator: scores",
        "",
        f"Made by `python -m benchmarks.marian --data FOLDER{limit}`; do not edit by hand.",
        f"Machine: {json.dumps(report['machine'])}. {report['model_bytes'] / 1e6:.1f} MB on disk. To begin: "
        f"{begun['import_cpu_s']} s of CPU time to import, {begun['load_cpu_s']} s to load, "
        f"{begun['first_sentence_cpu_s']} s to the first sentence; {begun['resident_before_mib']} MiB resident before "
        f"loading, {begun['resident_after_mib']} MiB after.",
        "",
        "Spoken sources are lower-cased and without punctuation, numbers as words. Tatoeba has up to several",
        "references a sentence; FLORES-200 and NTREX-128 are encyclopaedic and news text.",
        "",
        "| set | target | source | beam | BLEU | chrF | sentences | CPU ms a sentence |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in report["scores"]:
        told = f"| {row['set']} | {row['target']} | {row['source']} | {row['beam']} "
        lines.append(
            f"{told}| {row['bleu']:.1f} | {row['chrf']:.1f} | {row['sentences']} | {row['cpu_ms']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--targets", type=lambda text: text.split(","))
    parser.add_argument("--beams", type=lambda text: [int(n) for n in text.split(",")], default=[1, 4])
    parser.add_argument("--limit", type=int, help="only the first rows of each set")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--show", type=int, default=0, help="print so many translations of each row")
    given = parser.parse_args()
    students, begun = start(given.model)
    report = {
        "machine": describe(("numba", "numpy", "sentencepiece", "sacrebleu")),
        "model_bytes": sum(f.stat().st_size for f in given.model.iterdir()),
        "limit": given.limit,
        "start": begun,
        "scores": measure(students, given),
    }
    if given.output:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if given.markdown:
        given.markdown.write_text(markdown(report), encoding="utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
