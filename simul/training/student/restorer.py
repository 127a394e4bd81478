"""Trains the tagger that restores case and punctuation, on words of written English, their cases and their marks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from simul.models.marian.restore import CASES, MARKS, word_vectors
from simul.training.student.export import quantised, write_part
from simul.training.student.network import StudentEncoder, mask_of
from simul.training.student.prepared import LONGEST
from simul.training.student.start import StartingPoint
from simul.training.student.text import SHARES, Share, read_pairs

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*'?")
_LEFT_OUT = re.compile(r"[\d%&+=°@$€£<>|{}\[\]_/\\]|\b(?:mr|mrs|dr|st|vs|etc|e\.g|i\.e)\.", re.IGNORECASE)
_MARK = {",": ",", ";": ",", ":": ",", ".": ".", "!": ".", "…": ".", "?": "?"}
_UNKNOWN = -100
"""A mark that is not learnt: what follows is cut off."""
Progress = Callable[[float, int, str], None]
"""Told how much is done, of how much, and what is being worked on."""


class Tagged(NamedTuple):
    """Words as a recogniser gives them, the case of each, and the mark behind each (`_UNKNOWN`: not known)."""

    words: list[str]
    cases: list[int]
    marks: list[int]


@dataclass(frozen=True)
class RestorerConfig:
    """The tagger and its training. `joined`: texts of two sentences; `cut`: texts that stop anywhere."""

    hidden: int = 96
    epochs: int = 4
    rate: float = 2e-3
    joined: float = 0.3
    cut: float = 0.3
    batch: int = 512
    seed: int = 1


def tag(text: str) -> Tagged | None:
    """The words of a written text with their tags; None for texts with digits, symbols or abbreviations."""
    text = text.replace("’", "'").strip()
    if _LEFT_OUT.search(text) or text.isupper():
        return None
    found = list(_WORD.finditer(text))
    if not found:
        return None
    words, cases, marks = [], [], []
    for place, match in enumerate(found):
        word = match.group().rstrip("'")
        after = text[match.end() : found[place + 1].start() if place + 1 < len(found) else len(text)]
        mark = next((_MARK[c] for c in after if c in _MARK), "")
        words.append(word.lower())
        upper = len(word) > 1 and word.isupper()
        cases.append(CASES.index("upper" if upper else "capital" if word[0].isupper() else "lower"))
        marks.append(MARKS.index(mark))
    return Tagged(words, cases, marks)


def examples(texts: Sequence[str], config: RestorerConfig) -> Iterator[Tagged]:
    """Tagged texts, some joined, some cut; the same for the same texts and seed."""
    random = Random(config.seed)
    tagged = [found for found in map(tag, texts) if found is not None and found.marks[-1] != 0]
    for found in tagged:
        if random.random() < config.joined:
            other = tagged[random.randrange(len(tagged))]
            found = Tagged(found.words + other.words, found.cases + other.cases, found.marks + other.marks)
        if random.random() < config.cut and len(found.words) > 2:
            stop = random.randint(2, len(found.words))
            found = Tagged(found.words[:stop], found.cases[:stop], [*found.marks[: stop - 1], _UNKNOWN])
        yield found


def prose(data: Path, languages: Sequence[str], count: int, seed: int = 1) -> list[str]:
    """English of sets that no share makes smaller (prose and talk, not manuals), at most `count` different texts."""
    pairs = [pair for language in languages for pair in read_pairs(data, language)]
    found = {p.source for p in pairs if not p.machine and SHARES.get(p.origin, Share()).weight >= 1}
    texts = sorted(found)
    Random(seed).shuffle(texts)
    return texts[:count]


class Features(NamedTuple):
    """What the tagger learns from: vectors [n, width] in float16, texts set apart by a row of zeros; for each word its
    row, case and mark [words].
    """

    vectors: NDArray[np.float16]
    rows: NDArray[np.int64]
    first: NDArray[np.int64]
    """The row of the first word of each word's text."""
    cases: NDArray[np.int64]
    marks: NDArray[np.int64]

    def seen(self, words: NDArray[np.int64]) -> torch.Tensor:
        """What the tagger sees of some words: float32 [words, 4 width]."""
        rows = self.rows[words]
        around = np.stack([rows - 1, rows, rows + 1, self.first[words]], axis=1)
        return torch.from_numpy(self.vectors[around].reshape(len(words), -1).astype(np.float32))


@torch.no_grad()
def features(
    encoder: StudentEncoder, source: Any, tagged: Sequence[Tagged], progress: Progress, batch: int = 64
) -> Features:
    """Encode texts and keep what the tagger sees of each word."""
    order = sorted(range(len(tagged)), key=lambda i: len(tagged[i].words))
    width = encoder.width
    vectors = [np.zeros((1, width), np.float16)]
    rows: list[int] = []
    first: list[int] = []
    cases: list[int] = []
    marks: list[int] = []
    count = 1
    for start in range(0, len(order), batch):
        part = [tagged[i] for i in order[start : start + batch]]
        encoded = [[*source.encode(" ".join(t.words)), source.eos_id()] for t in part]
        for text, pieces, memory in zip(
            part, encoded, _memories(encoder, encoded, source.eos_id()), strict=True
        ):
            numbers = _word_numbers(source, pieces, len(text.words))
            if len(pieces) > LONGEST or numbers.max() != len(text.words) - 1:
                continue
            vectors += [word_vectors(memory, numbers).astype(np.float16), np.zeros((1, width), np.float16)]
            rows += range(count, count + len(text.words))
            first += [count] * len(text.words)
            count += len(text.words) + 1
            cases += text.cases
            marks += text.marks
        progress(min(start + batch, len(order)), len(order), "texts")
    return Features(
        np.concatenate(vectors), np.array(rows), np.array(first), np.array(cases), np.array(marks)
    )


def _memories(
    encoder: StudentEncoder, encoded: Sequence[Sequence[int]], eos: int
) -> list[NDArray[np.float32]]:
    """Memory [pieces, width] of each text of a batch."""
    height = max(map(len, encoded))
    ids = torch.full((len(encoded), height), eos)
    for row, pieces in enumerate(encoded):
        ids[row, : len(pieces)] = torch.tensor(pieces)
    memory = encoder(ids, mask_of(torch.tensor([len(pieces) for pieces in encoded]), height)).numpy()
    return [memory[row, : len(pieces)] for row, pieces in enumerate(encoded)]


def _word_numbers(source: Any, pieces: Sequence[int], words: int) -> NDArray[np.int64]:
    begins = np.array([source.id_to_piece(i).startswith("▁") for i in pieces])
    begins[0] = True
    numbers = np.cumsum(begins) - 1
    return np.minimum(numbers, words - 1).astype(np.int64)


class Tagger(nn.Module):
    """One hidden layer; scores of the cases, then of the marks."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.up = nn.Linear(4 * width, hidden)
        self.down = nn.Linear(hidden, len(CASES) + len(MARKS))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.down(torch.relu(self.up(vectors)))
        return scores

    def arrays(self) -> dict[str, torch.Tensor]:
        """Weights by the names in the file."""
        return {
            "tagger_W1": self.up.weight,
            "tagger_b1": self.up.bias,
            "tagger_W2": self.down.weight,
            "tagger_b2": self.down.bias,
        }


def learn(found: Features, config: RestorerConfig, progress: Progress) -> Tagger:
    """Train a tagger."""
    torch.manual_seed(config.seed)
    tagger = Tagger(found.vectors.shape[1], config.hidden)
    optimizer = torch.optim.Adam(tagger.parameters(), lr=config.rate)
    random = np.random.default_rng(config.seed)
    steps = config.epochs * -(-len(found.cases) // config.batch)
    step = 0
    for _ in range(config.epochs):
        order = random.permutation(len(found.cases))
        for start in range(0, len(order), config.batch):
            optimizer.param_groups[0]["lr"] = config.rate * (1 - step / steps)
            loss = _loss(tagger, found, order[start : start + config.batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            progress(step, steps, "steps")
    return tagger


def _loss(tagger: Tagger, found: Features, rows: NDArray[np.int64]) -> torch.Tensor:
    scores = tagger(found.seen(rows))
    case = nn.functional.cross_entropy(scores[:, : len(CASES)], torch.from_numpy(found.cases[rows]))
    marks = torch.from_numpy(found.marks[rows])
    mark = nn.functional.cross_entropy(scores[:, len(CASES) :], marks, ignore_index=_UNKNOWN, reduction="sum")
    return case + mark / max(1, int((marks != _UNKNOWN).sum()))


def accuracy(tagger: Tagger, found: Features) -> dict[str, float]:
    """Share of words written right, and precision and recall of sentence ends and of commas."""
    with torch.no_grad():
        scores = tagger(found.seen(np.arange(len(found.rows)))).numpy()
    known = found.marks != _UNKNOWN
    cases, marks = scores[:, : len(CASES)].argmax(1), scores[known, len(CASES) :].argmax(1)
    result = {"cases": float((cases == found.cases).mean())}
    for name, members in (("ends", (MARKS.index("."), MARKS.index("?"))), ("commas", (MARKS.index(","),))):
        said, true = np.isin(marks, members), np.isin(found.marks[known], members)
        both = float((said & true).sum())
        result[f"{name} precision"] = both / max(1, int(said.sum()))
        result[f"{name} recall"] = both / max(1, int(true.sum()))
    return {name: round(value, 4) for name, value in result.items()}


def train_restorer(
    start: StartingPoint,
    texts: Sequence[str],
    output: Path,
    config: RestorerConfig | None = None,
    progress: Progress = lambda done, total, what: None,
) -> dict[str, float]:
    """Train on the different `texts` but for a twentieth of them; write the tagger, return its accuracy on those."""
    config = config or RestorerConfig()
    different = sorted(set(texts))
    Random(config.seed).shuffle(different)
    apart = len(different) // 20
    encoder = StudentEncoder(start.encoder, start.heads).requires_grad_(False)
    held, rest = (list(examples(part, config)) for part in (different[:apart], different[apart:]))
    tagger = learn(features(encoder, start.source, rest, progress), config, progress)
    write_part(output, quantised(tagger.arrays().items()))
    return accuracy(tagger, features(encoder, start.source, held, progress))
