"""Quality and speed of the text translator: BLEU and chrF on Tatoeba, FLORES-200 and NTREX-128, as JSON.

Sources are lower-cased and without punctuation, as a recogniser would give them.

    python -m benchmarks.translator --data FOLDER [--model FOLDER] [--beam 4] [--split test]
        [--output benchmarks/results/translator.json --markdown docs/translator.md]
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import time
from pathlib import Path
from typing import Any

import sacrebleu

from benchmarks.machine import describe
from simul.models.embedded.translator import SHIPPED, EmbeddedTranslator
from simul.models.translation.interface import TextRequest
from simul.training.translator.corpus import REFERENCE_SEPARATOR, read_references

Rows = list[tuple[str, list[str]]]


def evaluation_sets(data: Path, language: str, split: str, limit: int | None) -> dict[str, Rows]:
    """(source, references) of each set; FLORES and NTREX only with the test split."""
    sets = {f"tatoeba-{split}": read_references(data, split, language)}
    if split == "test":
        for name, file in (
            ("flores-200", "flores-200/devtest.tsv.gz"),
            ("ntrex-128", "ntrex-128/ntrex.tsv.gz"),
        ):
            with gzip.open(data / file, "rt", encoding="utf-8", newline="") as stream:
                table = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
                sets[name] = [(row["en"], row[language].split(REFERENCE_SEPARATOR)) for row in table]
    return {name: rows[:limit] for name, rows in sets.items()}


def translate(translator: EmbeddedTranslator, rows: Rows, language: str) -> tuple[list[str], float]:
    """Translations and the CPU seconds they took, in batches of 32."""
    began = time.process_time()
    texts: list[str] = []
    for start in range(0, len(rows), 32):
        requests = [TextRequest(source, language) for source, _ in rows[start : start + 32]]
        texts += ["".join(result.tokens).strip() for result in translator.translate(requests)]
    return texts, time.process_time() - began


def score(texts: list[str], rows: Rows) -> dict[str, float]:
    """Corpus BLEU (13a) and chrF2; sentences with fewer references than others leave the places empty."""
    most = max(len(references) for _, references in rows)
    streams = [[refs[i] if i < len(refs) else None for _, refs in rows] for i in range(most)]
    bleu = sacrebleu.metrics.BLEU()
    return {
        "bleu": round(bleu.corpus_score(texts, streams).score, 2),
        "chrf": round(sacrebleu.metrics.CHRF().corpus_score(texts, streams).score, 2),
    }


def markdown(report: dict[str, Any]) -> str:
    """The table of docs/."""
    lines = [
        "# The embedded translator: scores",
        "",
        "Made by `python -m benchmarks.translator --data FOLDER`; do not edit by hand.",
        f"Machine: {json.dumps(report['machine'])}. Beam {report['beam']}, int8, "
        f"{report['model_bytes'] / 1e6:.1f} MB on disk with its vocabularies.",
        "",
        "The source is lower-cased and without punctuation, as recognised speech is. Tatoeba has up to several",
        "references a sentence; FLORES-200 and NTREX-128 are encyclopaedic and news text, far from what the",
        "translator was trained on.",
        "",
        "| set | target | BLEU | chrF | sentences | CPU ms a sentence |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, by_language in report["scores"].items():
        for language, found in by_language.items():
            lines.append(
                f"| {name} | {language} | {found['bleu']:.1f} | {found['chrf']:.1f} "
                f"| {found['sentences']} | {found['cpu_ms_per_sentence']:.1f} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--beam", type=int, default=4)
    parser.add_argument("--split", choices=("dev", "test"), default="test")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--show", type=int, default=0, help="print so many translations of each set")
    given = parser.parse_args()
    translator = EmbeddedTranslator(given.model, beam=given.beam)
    report: dict[str, Any] = {
        "machine": describe(("ctranslate2", "sacrebleu")),
        "beam": given.beam,
        "model_bytes": sum(f.stat().st_size for f in given.model.iterdir()),
        "scores": {},
    }
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for language in sorted(translator.targets):
        for name, rows in evaluation_sets(given.data, language, given.split, given.limit).items():
            texts, seconds = translate(translator, rows, language)
            found = score(texts, rows)
            found["sentences"] = len(rows)
            found["cpu_ms_per_sentence"] = round(1000 * seconds / len(rows), 2)
            scores.setdefault(name, {})[language] = found
            for (source, references), text in list(zip(rows, texts, strict=True))[: given.show]:
                print(f"# {source} | {text} | {references[0]}")
    report["scores"] = scores
    if given.output:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if given.markdown:
        given.markdown.write_text(markdown(report), encoding="utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
