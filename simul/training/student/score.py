"""Scores to choose by: BLEU and chrF of exported parts on the pairs that were kept out and on a development set."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sacrebleu

from simul.models.marian.translator import MarianTranslator
from simul.models.translation.interface import TextRequest
from simul.training.student.prepared import read_prepared
from simul.training.student.start import SOURCE, processor
from simul.training.student.text import recognised
from simul.training.student.turned import sources_of

REFERENCES = " ||| "
"""Stands between the references of one sentence."""
Rows = list[tuple[str, list[str]]]
Progress = Callable[[float, int, str], None]
"""Told how much is done, of how much, and what is being worked on."""
_BATCH = 32


def score(
    model: Path,
    run: Path,
    languages: Sequence[str],
    data: Path | None = None,
    beam: int = 4,
    limit: int | None = None,
    progress: Progress = lambda done, total, what: None,
) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """By language, set and form of the source: BLEU, chrF2 and the number of sentences.

    `model` is what `export` wrote, `run` what `prepare` wrote; `data` holds tatoeba/dev.tsv (None: only the pairs that
    were kept out).
    """
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    read = sources_of(run)
    for language in languages:
        translator = MarianTranslator(model, read[0] if read else None, targets=[language], beam=beam)
        for name, rows in _sets(model, run, language, data, limit, read):
            for form in ("written", "spoken"):
                sources = [recognised(text, language) if form == "spoken" else text for text, _ in rows]
                texts = _translated(translator, sources, language, f"{language} {name} {form}", progress)
                by_form = found.setdefault(language, {}).setdefault(name, {})
                by_form[form] = measure(texts, [references for _, references in rows])
    return found


def measure(texts: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """Corpus BLEU (13a) and chrF2; sentences with fewer references than others leave the places empty."""
    most = max(map(len, references))
    streams: list[Any] = [[refs[i] if i < len(refs) else None for refs in references] for i in range(most)]
    return {
        "bleu": round(sacrebleu.metrics.BLEU().corpus_score(texts, streams).score, 2),
        "chrf": round(sacrebleu.metrics.CHRF().corpus_score(texts, streams).score, 2),
        "sentences": len(texts),
    }


def _sets(
    model: Path, run: Path, language: str, data: Path | None, limit: int | None, read: Sequence[str]
) -> Iterator[tuple[str, Rows]]:
    text = read_prepared(run, language)
    source, target = processor(model / SOURCE), processor(run / f"{language}.model")
    yield (
        "kept-out",
        [
            (source.decode(text.written[i].tolist()), [target.decode(text.target[i].tolist())])
            for i in text.held_out[:limit]
        ],
    )
    path = data / "tatoeba" / "dev.tsv" if data else None
    if path is not None and path.is_file():
        with open(path, encoding="utf-8", newline="") as stream:
            table = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
        for one in read or ["en"]:
            sides = [(row.get(one), row.get(language)) for row in table[:limit]]
            rows = [(a.split(REFERENCES)[0], b.split(REFERENCES)) for a, b in sides if a and b]
            if rows:
                yield "-".join(["tatoeba-dev", *([one] if read else [])]), rows


def _translated(
    translator: MarianTranslator, sources: Sequence[str], language: str, what: str, progress: Progress
) -> list[str]:
    texts: list[str] = []
    for start in range(0, len(sources), _BATCH):
        part = sources[start : start + _BATCH]
        results = translator.translate([TextRequest(text, language) for text in part])
        texts += ["".join(result.tokens).strip() for result in results]
        progress(len(texts), len(sources), what)
    return texts
