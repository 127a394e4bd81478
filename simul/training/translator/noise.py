"""Recognition errors for training text: homophones, near-homophones, observed confusions, lost and added words."""

from __future__ import annotations

import csv
import difflib
import gzip
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

_FUNCTION_WORDS = ("the", "a", "and", "to", "of", "in", "it", "that", "is", "i", "he", "but", "at", "or")


@dataclass(frozen=True)
class NoiseConfig:
    """How often and how hard training sources are corrupted."""

    clean_share: float = 0.5
    """Share of sentences left untouched."""
    max_rate: float = 0.25
    """A corrupted sentence gets an error rate drawn evenly from (0, max_rate] per word."""


@dataclass
class RecognitionNoise:
    """Draws recogniser-like errors. `substitutes[word]` lists what the word is heard as, more likely ones repeated."""

    substitutes: dict[str, list[str]]
    config: NoiseConfig = field(default_factory=NoiseConfig)

    def apply(self, words: Sequence[str], random: Random) -> list[str]:
        """`words` with errors drawn from `random`."""
        if random.random() < self.config.clean_share:
            return list(words)
        rate = random.random() * self.config.max_rate
        out: list[str] = []
        for word in words:
            if random.random() >= rate:
                out.append(word)
                continue
            kind = random.random()
            if kind < 0.72:
                choices = self.substitutes.get(word)
                out.append(random.choice(choices) if choices else word)
            elif kind < 0.86:
                continue
            else:
                out.extend((word, random.choice(_FUNCTION_WORDS)))
        return out or list(words)


def _phones(path: Path) -> dict[str, tuple[str, ...]]:
    """First pronunciation of every plain word of a CMU dictionary, without stress digits."""
    pronunciations: dict[str, tuple[str, ...]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            word, *phones = line.split("#")[0].split()
            if "(" not in word:
                pronunciations[word] = tuple(p.rstrip("012") for p in phones)
    return pronunciations


def _near_homophones(
    words: Iterable[str], pronunciations: dict[str, tuple[str, ...]]
) -> dict[str, list[str]]:
    """Words one phone apart (or none), found through the keys left when one phone is taken out."""
    by_key: dict[tuple[str, ...], list[str]] = defaultdict(list)
    known = [w for w in words if w in pronunciations]

    def keys(phones: tuple[str, ...]) -> set[tuple[str, ...]]:
        holes = {(*phones[:i], "_", *phones[i + 1 :]) for i in range(len(phones))}
        return holes | {phones} if len(phones) > 2 else {phones}

    for word in known:
        for key in keys(pronunciations[word]):
            by_key[key].append(word)
    near: dict[str, list[str]] = {}
    for word in known:
        found = {v for key in keys(pronunciations[word]) for v in by_key[key] if v != word}
        if found:
            near[word] = sorted(found)
    return near


def _observed(path: Path) -> Counter[tuple[str, str]]:
    """One-to-one confusions between the reference and the plain recogniser output of a hypotheses table."""
    confusions: Counter[tuple[str, str]] = Counter()
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            said, heard = row["reference"].split(), row["hyp_rnnt"].split()
            for tag, a, b, c, d in difflib.SequenceMatcher(None, said, heard, autojunk=False).get_opcodes():
                if tag == "replace" and b - a == d - c:
                    confusions.update(zip(said[a:b], heard[c:d], strict=True))
    return confusions


def load_noise(data: Path, counts: Counter[str], config: NoiseConfig | None = None) -> RecognitionNoise:
    """Build the error model from `data`/cmudict and `data`/librispeech-hyps.

    `counts` are the word counts of the training sources; substitutes are limited to words seen at least
    three times there, and the more frequent of the near-homophones are preferred.
    """
    frequent = {word for word, count in counts.items() if count >= 3}
    near = _near_homophones(sorted(frequent), _phones(data / "cmudict" / "cmudict.dict.gz"))
    substitutes: dict[str, list[str]] = {}
    for word, heard in near.items():
        substitutes[word] = sorted(heard, key=lambda w: (-counts[w], w))[:12]
    with open(data / "cmudict" / "homophones.tsv", encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            group = row["words"].split()
            for word in group:
                others = [w for w in group if w != word and w in frequent]
                substitutes.setdefault(word, []).extend(others * 6)
    for (word, other), count in sorted(_observed(data / "librispeech-hyps" / "hyps.tsv.gz").items()):
        if word in frequent:
            substitutes.setdefault(word, []).extend([other] * min(count, 5))
    return RecognitionNoise({w: s for w, s in substitutes.items() if s}, config or NoiseConfig())
