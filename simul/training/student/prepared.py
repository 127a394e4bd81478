"""Training text of one language as pieces: made once by `prepare`, read by every run."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.errors import SimulError
from simul.training.student.text import SHARES, Pair, Share, recognised

LONGEST = 90
"""Pieces of a side; longer pairs are left out."""
HELD_OUT = 600
"""Pairs that no run learns from."""
WORDS_ONLY = ("ding", "freedict")
"""Sets that are dictionaries; none of their pairs are held out."""
EOS, UNKNOWN = 0, 1
NAME = re.compile(r"(?<![\w-])[A-Z][a-z]{3,}(?![\w-])")
Progress = Callable[[float, int, str], None]
"""Told how much is done, of how much, and what is being worked on."""
_PART = 5000
"""Pairs encoded at a time."""


@dataclass(frozen=True)
class Ragged:
    """Lists of ids one behind the other: list i is `ids[ends[i - 1] : ends[i]]`."""

    ids: NDArray[np.uint16]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]]) -> Ragged:
        """Lists put behind each other; ids below 65,536."""
        flat = np.fromiter((i for row in lists for i in row), np.uint16)
        return cls(flat, np.cumsum([len(row) for row in lists], dtype=np.int64))

    def __getitem__(self, index: int) -> NDArray[np.uint16]:
        start = self.ends[index - 1] if index else 0
        return self.ids[start : self.ends[index]]


@dataclass(frozen=True)
class Prepared:
    """Pairs as pieces: sources in written and in spoken form, targets; all lists have one entry for each pair."""

    language: str
    written: Ragged
    spoken: Ragged
    target: Ragged
    weight: NDArray[np.float64]
    """Times an epoch."""
    machine: NDArray[np.bool_]
    """Whether a machine wrote the target."""
    held_out: NDArray[np.int64]
    """Pairs to judge by, never to learn from; their weight is zero."""
    names: tuple[str, ...]
    """Names that the two languages share."""

    def __len__(self) -> int:
        return len(self.weight)


def train_vocabulary(sentences: Iterable[str], size: int) -> bytes:
    """A SentencePiece unigram model with the end of sentence at id 0 and the unknown piece at id 1."""
    import sentencepiece as spm

    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        model_type="unigram",
        vocab_size=size,
        character_coverage=0.9999,
        pad_id=-1,
        unk_id=UNKNOWN,
        bos_id=-1,
        eos_id=EOS,
        normalization_rule_name="nmt_nfkc",
        num_threads=1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return model.getvalue()


def shared_names(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """Capitalised words that stand on both sides of a pair and hardly ever in lower case."""
    common = Counter(word for pair in pairs for word in pair.source.split() if word.islower())
    shared = {
        name for pair in pairs for name in set(NAME.findall(pair.source)) & set(NAME.findall(pair.target))
    }
    return tuple(sorted(name for name in shared if common[name.lower()] < 3))


def prepare(
    folder: Path,
    language: str,
    pairs: Sequence[Pair],
    source: Any,
    vocabulary: int = 10_000,
    progress: Progress = lambda done, total, what: None,
) -> Prepared:
    """Write `folder`/LANGUAGE.npz and, unless it is there, the target vocabulary LANGUAGE.model.

    `source` is the SentencePiece processor that the student reads with. Equal pairs give equal files.
    """
    import sentencepiece as spm

    folder.mkdir(parents=True, exist_ok=True)
    model = folder / f"{language}.model"
    if not model.is_file():
        progress(0, len(pairs), "learning the pieces")
        often = (p.target for p in pairs for _ in range(max(1, int(SHARES.get(p.origin, Share()).weight))))
        model.write_bytes(train_vocabulary(often, vocabulary))
    target = spm.SentencePieceProcessor(model_file=str(model))
    sides: tuple[list[list[int]], ...] = ([], [], [])
    kept: list[Pair] = []
    for start in range(0, len(pairs), _PART):
        part = pairs[start : start + _PART]
        rows = zip(
            source.encode([p.source for p in part]),
            source.encode([recognised(p.source, language) for p in part]),
            target.encode([p.target for p in part]),
            strict=True,
        )
        for pair, row in zip(part, rows, strict=True):
            if all(0 < len(ids) <= LONGEST for ids in row):
                kept.append(pair)
                for side, ids in zip(sides, row, strict=True):
                    side.append(ids)
        progress(min(start + _PART, len(pairs)), len(pairs), "pairs into pieces")
    made = _assemble(language, kept, *map(Ragged.of, sides))
    _write(folder / f"{language}.npz", made)
    return made


def _assemble(
    language: str, pairs: Sequence[Pair], written: Ragged, spoken: Ragged, target: Ragged
) -> Prepared:
    weight = np.array([SHARES.get(pair.origin, Share()).weight for pair in pairs])
    machine = np.array([pair.machine for pair in pairs], bool)
    fit = [i for i, p in enumerate(pairs) if not p.machine and p.origin not in WORDS_ONLY]
    held_out = np.array(fit[: min(HELD_OUT, len(fit) // 10)], np.int64)
    weight[held_out] = 0
    return Prepared(language, written, spoken, target, weight, machine, held_out, shared_names(pairs))


def _write(path: Path, made: Prepared) -> None:
    sides = {
        f"{name}_{part}": getattr(getattr(made, name), part) for name in _SIDES for part in ("ids", "ends")
    }
    names = np.array(made.names or ("",))
    np.savez(path, **sides, weight=made.weight, machine=made.machine, held_out=made.held_out, names=names)


_SIDES = ("written", "spoken", "target")


def read_prepared(folder: Path, language: str) -> Prepared:
    """What `prepare` wrote.

    Raises:
        SimulError: it has not been run for that language and folder.
    """
    path = folder / f"{language}.npz"
    if not path.is_file():
        raise SimulError(f"There is no {path}; run `simul train student prepare` for {language} first.")
    with np.load(path, allow_pickle=False) as file:
        written, spoken, target = (Ragged(file[f"{name}_ids"], file[f"{name}_ends"]) for name in _SIDES)
        names = tuple(str(name) for name in file["names"] if name)
        return Prepared(
            language, written, spoken, target, file["weight"], file["machine"], file["held_out"], names
        )
