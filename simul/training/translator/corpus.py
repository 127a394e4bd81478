"""Training corpus of the text translator: sentence pairs, prefix pairs, joined sentences and recognition noise."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from simul.errors import SimulError
from simul.models.embedded.spoken import spoken_form
from simul.models.embedded.translator import language_tag
from simul.training.translator.noise import RecognitionNoise

TARGETS = ("de", "es", "fr")
REFERENCE_SEPARATOR = " ||| "
PAD, UNKNOWN, BOS, EOS = 0, 1, 2, 3


@dataclass(frozen=True)
class Pair:
    """One training pair: source words in spoken form, written target, target language."""

    source: tuple[str, ...]
    target: str
    language: str


@dataclass(frozen=True)
class MixConfig:
    """What an epoch is made of. Shares are of the pairs; what is left over are whole single sentences."""

    prefix_share: float = 0.35
    """Pairs cut to the first part of the source and the matching first part of the target."""
    joined_share: float = 0.12
    """Pairs joined with one or two further pairs, so that sentence ends are found without punctuation."""
    max_source_tokens: int = 72
    max_target_tokens: int = 96


def read_pairs(data: Path, languages: Sequence[str] = TARGETS, limit: int | None = None) -> list[Pair]:
    """Training pairs of `data`/tatoeba/train.en-XX.tsv.gz in file order, at most `limit` a language."""
    pairs: list[Pair] = []
    for language in languages:
        path = data / "tatoeba" / f"train.en-{language}.tsv.gz"
        if not path.is_file():
            raise SimulError(f"No training text at {path}; give the folder that holds tatoeba/ with --data.")
        with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
            rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
            for count, row in enumerate(rows):
                if limit is not None and count >= limit:
                    break
                source = tuple(spoken_form(row["en"]).split())
                if source and row[language]:
                    pairs.append(Pair(source, row[language], language))
    return pairs


def read_references(data: Path, split: str, language: str) -> list[tuple[str, list[str]]]:
    """(English, references) of every sentence of `data`/tatoeba/{split}.tsv."""
    with open(data / "tatoeba" / f"{split}.tsv", encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [(row["en"], row[language].split(REFERENCE_SEPARATOR)) for row in rows]


def source_word_counts(pairs: Sequence[Pair]) -> Counter[str]:
    """How often each spoken-form word occurs on the source side."""
    counts: Counter[str] = Counter()
    for pair in pairs:
        counts.update(pair.source)
    return counts


def train_vocabulary(sentences: Iterator[str], size: int, symbols: Sequence[str], seed: int) -> bytes:
    """A SentencePiece unigram model over `sentences` with pad, unknown, begin and end at ids 0 to 3."""
    import sentencepiece as spm

    model = io.BytesIO()
    spm.set_random_generator_seed(seed)
    spm.SentencePieceTrainer.train(
        sentence_iterator=sentences,
        model_writer=model,
        model_type="unigram",
        vocab_size=size,
        character_coverage=1.0,
        pad_id=PAD,
        unk_id=UNKNOWN,
        bos_id=BOS,
        eos_id=EOS,
        user_defined_symbols=list(symbols),
        num_threads=2,
        minloglevel=2,
        normalization_rule_name="nfkc" if not symbols else "identity",
        hard_vocab_limit=False,
    )
    return model.getvalue()


def prefix_of(pair: Pair, random: Random) -> tuple[Sequence[str], str]:
    """The first k source words and the proportional first part of the target.

    The target share is rounded down, so that a prefix rarely says more than its source, and sentence-final
    marks at the cut are left off: only a finished speaker ends a sentence.
    """
    words = pair.target.split(" ")
    cut = random.randint(1, len(pair.source))
    keep = int(len(words) * cut / len(pair.source))
    return pair.source[:cut], " ".join(words[:keep]).rstrip(" .!?")


@dataclass(frozen=True)
class Example:
    """Token ids of one training example: source without padding, target without begin or end marks."""

    source: list[int]
    target: list[int]


class EpochBuilder:
    """Turns pairs into one epoch of examples; the same seed and epoch give the same examples."""

    def __init__(
        self,
        pairs: Sequence[Pair],
        source_vocabulary: Any,
        target_vocabulary: Any,
        noise: RecognitionNoise,
        mix: MixConfig,
        seed: int,
    ) -> None:
        self._pairs = pairs
        self._source, self._target = source_vocabulary, target_vocabulary
        self._noise, self._mix, self._seed = noise, mix, seed
        self._by_language: dict[str, list[Pair]] = {}
        for pair in pairs:
            self._by_language.setdefault(pair.language, []).append(pair)

    def _texts(self, random: Random) -> Iterator[tuple[list[str], str, str, bool]]:
        """(source words, target, language, whether the source is complete) of one epoch."""
        for pair in self._pairs:
            kind = random.random()
            source: Sequence[str] = pair.source
            target, whole = pair.target, True
            if kind < self._mix.joined_share:
                more = random.choices(self._by_language[pair.language], k=random.randint(1, 2))
                source = [*source, *(w for p in more for w in p.source)]
                target = " ".join([target, *(p.target for p in more)])
                if random.random() < self._mix.prefix_share:
                    source, target = prefix_of(Pair(tuple(source), target, pair.language), random)
                    whole = False
            elif kind < self._mix.joined_share + self._mix.prefix_share:
                source, target = prefix_of(pair, random)
                whole = False
            yield self._noise.apply(source, random), target, pair.language, whole

    def epoch(self, number: int) -> list[Example]:
        """Examples of epoch `number`; over-long ones are left out.

        A complete source ends with the end mark, a source prefix does not: the network is told
        whether the speaker has finished.
        """
        rows = list(self._texts(Random(self._seed * 1_000_003 + number)))
        sources = self._source.encode([" ".join(r[0]) for r in rows])
        targets = self._target.encode([r[1] for r in rows])
        tags = {code: self._source.piece_to_id(language_tag(code)) for code in self._by_language}
        examples = []
        for (_, _, language, whole), source, target in zip(rows, sources, targets, strict=True):
            ids = [tags[language], *source, *([EOS] if whole else [])]
            if len(ids) <= self._mix.max_source_tokens and len(target) <= self._mix.max_target_tokens:
                examples.append(Example(ids, target))
        return examples


@dataclass(frozen=True)
class PairBatch:
    """Sources [batch, source length] of one common length; decoder input and labels [batch, target length].

    Labels are `PAD` where a target has ended. No attention mask is needed: sources have no padding, and
    the causal mask keeps real target positions from seeing padded ones.
    """

    source: np.ndarray
    decoder_input: np.ndarray
    labels: np.ndarray


def make_batches(examples: Sequence[Example], tokens: int, random: Random) -> list[PairBatch]:
    """Batches of equal source length and similar target length, at most about `tokens` positions a side, shuffled."""
    order = sorted(
        range(len(examples)),
        key=lambda i: (len(examples[i].source), len(examples[i].target) + random.random()),
    )
    batches: list[PairBatch] = []
    group: list[Example] = []

    def flush() -> None:
        if group:
            batches.append(_stack(group))
            group.clear()

    for index in order:
        example = examples[index]
        longest = max(len(example.source), len(example.target) + 1)
        changes = bool(group) and len(example.source) != len(group[0].source)
        if changes or (len(group) + 1) * longest > tokens:
            flush()
        group.append(example)
    flush()
    random.shuffle(batches)
    return batches


def _stack(group: Sequence[Example]) -> PairBatch:
    width = max(len(e.target) for e in group) + 1
    decoder_input = np.full((len(group), width), PAD, dtype=np.int64)
    labels = np.full((len(group), width), PAD, dtype=np.int64)
    for row, example in enumerate(group):
        n = len(example.target)
        decoder_input[row, 0] = BOS
        decoder_input[row, 1 : n + 1] = example.target
        labels[row, :n] = example.target
        labels[row, n] = EOS
    return PairBatch(np.array([e.source for e in group], dtype=np.int64), decoder_input, labels)
