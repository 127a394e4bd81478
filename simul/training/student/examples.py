"""Training examples: pairs with other names and numbers, two sentences joined, beginnings of sentences, spoken forms.

What a pool holds depends on the prepared text, the mix and the seed alone, so that a run goes on where it stopped.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simul.training.student.prepared import LONGEST, NAME, Prepared
from simul.training.student.text import recognised

Ids = NDArray[np.uint16]
_NUMBER = re.compile(r"(?<![\w.,:-])\d{2,5}(?![\w.,:%-])")
_WORTH_A_LOOK = re.compile(NAME.pattern + r"|\d\d")
_JOINED = 40
"""Target pieces up to which a pair is joined to another."""


@dataclass(frozen=True)
class Mix:
    """What examples are made of; every share is a probability."""

    spoken: float = 0.3
    """Sources without case and punctuation, numbers in words."""
    renamed: float = 0.35
    """Pairs whose shared names and numbers, if any, are replaced by others."""
    joined: float = 0.1
    """Short pairs joined to another one."""
    prefix: float = 0.08
    """Pairs cut to a beginning of both sides; what would come next is not asked for."""
    tagged: float = 0.7
    """Targets of machines that are announced as such, so that their style stays with the tag."""


class Example(NamedTuple):
    """Pieces of both sides without ends; `whole`: the target ends here; `tagged`: a machine wrote it."""

    source: Ids
    target: Ids
    whole: bool
    tagged: bool


class Names:
    """Names of the training text, and made-up ones that follow their letters (of order two)."""

    def __init__(self, seen: Sequence[str]) -> None:
        self.seen = tuple(seen)
        self.known = frozenset(seen)
        self._next: dict[str, list[str]] = defaultdict(list)
        for name in seen:
            framed = f"^^{name}$"
            for k in range(len(framed) - 2):
                self._next[framed[k : k + 2]].append(framed[k + 2])

    def draw(self, random: Random) -> str:
        """A name; about two in five have been seen."""
        while random.random() >= 0.4:
            made = "^^"
            while not made.endswith("$") and len(made) < 14:
                made += random.choice(self._next[made[-2:]])
            if made.endswith("$") and len(made) > 6:
                return made[2:-1]
        return random.choice(self.seen)


def renamed(source: str, target: str, names: Names, random: Random) -> tuple[str, str] | None:
    """The pair with every shared name and number replaced, the same on both sides; None if there is none."""
    if not _WORTH_A_LOOK.search(source):
        return None
    change: dict[str, str] = {}
    for word in NAME.findall(source):
        if word in names.known and re.search(rf"(?<!\w){word}(?!\w)", target):
            change[word] = names.draw(random)
    for digits in _NUMBER.findall(source):
        if re.search(rf"(?<![\w.,])(?<!\d ){digits}(?![\w.,]| \d)", target):
            change[digits] = str(random.randint(10 ** (len(digits) - 1), 10 ** len(digits) - 1))
    if not change:
        return None
    pattern = re.compile(r"(?<![\w.,])(" + "|".join(map(re.escape, change)) + r")(?!\w)")
    replaced = (pattern.sub(lambda match: change[match.group(1)], text) for text in (source, target))
    return next(replaced), next(replaced)


class Maker:
    """Makes the examples of an epoch in pools of `pool` each; `source` and `target` are SentencePiece processors.

    In an epoch a pair of weight w comes w times; one of weight 0.35 about every third epoch.
    """

    def __init__(
        self, text: Prepared, source: Any, target: Any, mix: Mix, seed: int, pool: int = 12_000
    ) -> None:
        self.text = text
        self.source_eos: int = source.eos_id()
        self._source, self.target = source, target
        self._mix, self._seed, self._pool = mix, seed, pool
        self._names = Names(text.names)
        self._offsets = np.random.default_rng(seed).random(len(text))
        self._epoch: tuple[int, NDArray[np.int64]] = (-1, np.zeros(0, np.int64))

    def pools(self, epoch: int) -> int:
        """How many pools an epoch has; the last may be short."""
        return -(-len(self.order(epoch)) // self._pool)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The pairs of an epoch, each as often as is due, in random order."""
        if self._epoch[0] != epoch:
            before, after = (np.floor(n * self.text.weight + self._offsets) for n in (epoch, epoch + 1))
            rows = np.repeat(np.arange(len(self.text)), (after - before).astype(np.int64))
            self._epoch = (epoch, np.random.default_rng((self._seed, epoch)).permutation(rows))
        return self._epoch[1]

    def pool(self, epoch: int, number: int) -> list[Example]:
        """The examples of one pool."""
        random = Random(f"{self._seed}-{epoch}-{number}")
        rows = self.order(epoch)[number * self._pool : (number + 1) * self._pool]
        return [self._example(int(row), random) for row in rows]

    def held_out(self, spoken: bool = False) -> list[Example]:
        """The pairs to judge by, as they are."""
        side = self.text.spoken if spoken else self.text.written
        return [Example(side[i], self.text.target[i], True, False) for i in self.text.held_out]

    def _example(self, row: int, random: Random) -> Example:
        mix, text = self._mix, self.text
        tagged = bool(text.machine[row]) and random.random() < mix.tagged
        if random.random() < mix.renamed:
            other = self._renamed(row, random)
            if other is not None:
                return Example(*other, True, tagged)
        source = self._form(row, random)
        target = text.target[row]
        kind = random.random()
        if kind < mix.joined and len(target) < _JOINED:
            return self._joined(row, source, target, tagged, random)
        if kind > 1 - mix.prefix:
            cut = prefix_of(source, target, random)
            if cut is not None:
                return Example(*cut, False, tagged)
        return Example(source, target, True, tagged)

    def _form(self, row: int, random: Random) -> Ids:
        return (self.text.spoken if random.random() < self._mix.spoken else self.text.written)[row]

    def _renamed(self, row: int, random: Random) -> tuple[Ids, Ids] | None:
        text = self._source.decode(self.text.written[row].tolist())
        target = self.target.decode(self.text.target[row].tolist())
        texts = renamed(text, target, self._names, random)
        if texts is None:
            return None
        spoken = random.random() < self._mix.spoken
        source = self._source.encode(recognised(texts[0], self.text.language) if spoken else texts[0])
        ids = (np.array(source, np.uint16), np.array(self.target.encode(texts[1]), np.uint16))
        return ids if all(0 < len(side) <= LONGEST for side in ids) else None

    def _joined(self, row: int, source: Ids, target: Ids, tagged: bool, random: Random) -> Example:
        text = self.text
        other = random.randrange(len(text))
        if (
            text.weight[other] == 0
            or len(text.target[other]) >= _JOINED
            or text.machine[other] != text.machine[row]
        ):
            return Example(source, target, True, tagged)
        more = self._form(other, random)
        return Example(
            np.concatenate([source, more]), np.concatenate([target, text.target[other]]), True, tagged
        )


def prefix_of(source: Ids, target: Ids, random: Random, margin: int = 2) -> tuple[Ids, Ids] | None:
    """A beginning of the source with the beginning of the target that it surely supports: its share less `margin`.

    None for pairs too short to be cut.
    """
    if len(source) < 10 or len(target) < 10:
        return None
    cut = random.randint(4, len(source) - 2)
    keep = int(len(target) * cut / len(source)) - margin
    return (source[:cut], target[:keep]) if keep >= 2 else None
