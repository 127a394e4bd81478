"""Builds the recogniser's language model: everyday English and prose, mixed with pocketsphinx's own, pruned.

    python -m simul.training.language_model.build --data FOLDER --prose PATH --output FILE.lm.bin

Only training splits are read, and no text under a share-alike licence. Equal inputs give equal bytes.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from simul.models.embedded.sphinx import SPOKEN, stock_model
from simul.models.embedded.spoken import spoken_form
from simul.training.language_model import prose
from simul.training.language_model.kneser_ney import END, START, estimate
from simul.training.language_model.mixing import mix, perplexity, prune
from simul.training.language_model.ngram import NGramModel, read_trie, write_trie

_WRITTEN = {SPOKEN[written]: written for written in ("mr", "mrs")}
"""Words that pocketsphinx's model knows under an abbreviation only."""


@dataclass(frozen=True)
class Recipe:
    """`everyday` is the share of everyday English in its mixture with the stock model, `prose` the share of
    prose in the mixture of that; `threshold` is the relative entropy, in nats, below which n-grams go."""

    everyday: float = 0.4
    prose: float = 0.25
    threshold: float = 1e-7


@dataclass(frozen=True)
class Models:
    """The mixture before and after pruning, and the two new models alone in the same proportion."""

    full: NGramModel
    pruned: NGramModel
    alone: NGramModel


Row = dict[str, str]
_SOURCES: Sequence[tuple[str, str, Callable[[Row], bool]]] = (
    ("tatoeba/train.en-de.tsv.gz", "en", lambda row: True),
    ("tatoeba/train.en-es.tsv.gz", "en", lambda row: True),
    ("tatoeba/train.en-fr.tsv.gz", "en", lambda row: True),
    ("spoken-qa/webquestions.tsv", "question", lambda row: row["split"] in ("trainmodel", "val")),
    ("spoken-qa/small-talk.tsv", "text", lambda row: True),
    ("clinc150/train.tsv.gz", "text", lambda row: True),
    ("slurp-text/unlabelled.tsv.gz", "sentence", lambda row: True),
    ("snips-nlu/train.tsv.gz", "text", lambda row: True),
    ("disfl-qa/train.tsv", "fluent", lambda row: True),
)


def read_column(path: Path, column: str, keep: Callable[[Row], bool] = lambda row: True) -> list[str]:
    """One column of a tab-separated file with a header row, gzipped or not."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [row[column] for row in rows if keep(row)]


def everyday_sentences(data: Path) -> list[list[str]]:
    """Different sentences of everyday English in spoken form: Tatoeba, questions, requests, small talk."""
    texts = {text for name, column, keep in _SOURCES for text in read_column(data / name, column, keep)}
    return [spoken_form(text).split() for text in sorted(texts)]


def build(data: Path, prose_path: Path, recipe: Recipe | None = None) -> Models:
    """Estimate, mix and prune.

    `data` is a folder with tatoeba/, spoken-qa/, clinc150/, slurp-text/, snips-nlu/ and disfl-qa/;
    `prose_path` is what `simul.training.language_model.prose.sentences` reads.

    Raises:
        ModelMissingError: pocketsphinx or its model is missing.
        OSError: a file of the data folder cannot be read.
        ProseError: there is no prose.
    """
    recipe = recipe or Recipe()
    everyday = _for_model(everyday_sentences(data))
    novels = _for_model(prose.sentences(prose_path))
    folder = stock_model()
    pronounced = _pronounced(folder / "cmudict-en-us.dict")
    known = {word for sentence in everyday + novels for word in sentence} & pronounced
    stock = read_trie(folder / "en-us.lm.bin")
    words = sorted((set(stock.words) & pronounced) | known | {START, END})
    two = (estimate(everyday, sorted(known)), estimate(novels, sorted(known)))
    full = mix(mix(stock, two[0], recipe.everyday, words), two[1], recipe.prose, words)
    share = recipe.prose / (recipe.prose + recipe.everyday * (1 - recipe.prose))
    return Models(full, prune(full, recipe.threshold), mix(*two, share, sorted(known | {START, END})))


def _for_model(sentences: list[list[str]]) -> list[list[str]]:
    return [[_WRITTEN.get(word, word) for word in sentence] for sentence in sentences]


def _pronounced(dictionary: Path) -> set[str]:
    words = {
        line.split(maxsplit=1)[0] for line in dictionary.read_text(encoding="utf-8").splitlines() if line
    }
    return {word for word in words if "(" not in word}


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the model, write it, and print its size and perplexities as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with tatoeba/ and the other sets")
    parser.add_argument("--prose", type=Path, required=True, help="folder of novels (.txt) or Rdata.rdb")
    parser.add_argument("--output", type=Path, required=True, help="trie file to write")
    parser.add_argument("--alone", type=Path, help="write the model without pocketsphinx's share here")
    given = parser.parse_args(arguments)
    models = build(given.data, given.prose)
    write_trie(models.pruned, given.output)
    if given.alone:
        write_trie(models.alone, given.alone)
    held_out = _for_model(
        [spoken_form(text).split() for text in read_column(given.data / "tatoeba/dev.tsv", "en")]
    )
    stock = read_trie(stock_model() / "en-us.lm.bin")
    report = {
        name: {
            "words": len(model.words),
            "bigrams": len(model.bigram_keys),
            "trigrams": len(model.trigram_keys),
            "perplexity on Tatoeba dev": round(perplexity(model, held_out)[0], 1),
        }
        for name, model in (
            ("stock", stock),
            ("ours alone", models.alone),
            ("mixed", models.full),
            ("mixed and pruned", models.pruned),
        )
    }
    print(json.dumps({"bytes": given.output.stat().st_size, "models": report}, indent=2))


if __name__ == "__main__":
    main()
