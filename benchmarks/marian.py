"""Quality and cost of Firefox students, the embedded ones unless a folder is named: BLEU, chrF and CPU time, as JSON.

Each sentence is a call of its own. Written sources are as the sets have them; spoken ones are lower-cased and without
punctuation, numbers as words, as a recogniser would give them (English only). FLORES-200 and NTREX-128 are
encyclopaedic and news text, Tatoeba everyday sentences with up to several references; of a source's several wordings
the first is translated.

    python -m benchmarks.marian --data FOLDER [--model FOLDER] [--source es] [--targets de,es] [--beams 1,4]
        [--limit 300] [--output benchmarks/results/marian.json --markdown docs/translator.md]
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
from simul.models.marian.folder import SHIPPED, SHIPPED_INTO_ENGLISH, Students, load
from simul.models.marian.translator import MarianTranslator
from simul.models.translation.interface import TextRequest

IMPORTED = time.process_time()
"""CPU seconds since the start of this process: what is imported, numba and numpy mostly."""
SEPARATOR = " ||| "
"""Between several references of a sentence."""
EMBEDDED = [(SHIPPED, None), (SHIPPED_INTO_ENGLISH, "es"), (SHIPPED_INTO_ENGLISH, "fr")]
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
                rows = list(table)[:limit]
                yield name, [(row[source].split(SEPARATOR)[0], row[target].split(SEPARATOR)) for row in rows]


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


def start(folder: Path, source: str | None) -> tuple[Students, dict[str, Any]]:
    """The students in `folder`, and what it costs to begin: CPU seconds to import, to load, to the first sentence."""
    before = resident()
    began = time.process_time()
    students = load(folder, source)
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
    for target in sorted(set(given.targets or students.targets) & set(students.targets)):
        for name, pairs in evaluation_sets(given.data, students.source, target, given.limit):
            forms: dict[str, Callable[[str], str]] = {"written": str}
            if students.source == "en":
                forms["spoken"] = spoken_form
            for form, spelled in forms.items():
                sources = [spelled(source) for source, _ in pairs]
                for beam in given.beams:
                    texts, cost = translate(MarianTranslator(students, beam=beam), sources, target)
                    told = {
                        "from": students.source,
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
        f"{begun['first_sentence_cpu_s']} s to the first sentence (from English); {begun['resident_before_mib']} "
        f"MiB resident before loading, {begun['resident_after_mib']} MiB after.",
        "",
        "Spoken sources are lower-cased and without punctuation, numbers as words. Tatoeba has up to several",
        "references a sentence; FLORES-200 and NTREX-128 are encyclopaedic and news text.",
        "",
        "| set | from | into | source | beam | BLEU | chrF | sentences | CPU ms a sentence |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in report["scores"]:
        told = f"| {row['set']} | {row['from']} | {row['target']} | {row['source']} | {row['beam']} "
        lines.append(
            f"{told}| {row['bleu']:.1f} | {row['chrf']:.1f} | {row['sentences']} | {row['cpu_ms']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--model", type=Path, help="default: the embedded ones, from and into English")
    parser.add_argument("--source", help="language to read, where the model reads several")
    parser.add_argument("--targets", type=lambda text: text.split(","))
    parser.add_argument("--beams", type=lambda text: [int(n) for n in text.split(",")], default=[1, 4])
    parser.add_argument("--limit", type=int, help="only the first rows of each set")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--show", type=int, default=0, help="print so many translations of each row")
    given = parser.parse_args()
    chosen = [(given.model, given.source)] if given.model else EMBEDDED
    students, begun = start(*chosen[0])
    scores = measure(students, given)
    for folder, source in chosen[1:]:
        scores += measure(load(folder, source), given)
    report = {
        "machine": describe(("numba", "numpy", "sentencepiece", "sacrebleu")),
        "model_bytes": sum(f.stat().st_size for folder in {f for f, _ in chosen} for f in folder.iterdir()),
        "limit": given.limit,
        "start": begun,
        "scores": scores,
    }
    if given.output:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if given.markdown:
        given.markdown.write_text(markdown(report), encoding="utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
