"""A Whisper model that hears what a script says: words of half a second, whose samples give their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simul.decoding.interface import Hypothesis, Prompt
from simul.models.whisper.interface import MAX_POSITIONS

RATE = 16_000
UNIT = RATE // 2
"""A word lasts half a second; its samples say its number."""
LOOPS, DEAF, ECHOES, ROUNDS, MUMBLED, NARROW, HAUNTED = 7, 8, 6, 48, 47, 46, 45
"""The word that is written over and over; the one after which nothing is heard, but at the beginning of a window; the
one that makes the previous text the text of its window; the one after which all of the text is written over and over;
and those that make the text of their window unlikely: always, to fewer than `WIDE` hypotheses, after a
previous text."""
WIDE = 5


class Tokens:
    """A vocabulary of words " w0" to " w99"."""

    end, start, previous, no_timestamps, first_timestamp = 100, 101, 102, 103, 104

    def __init__(self, languages: frozenset[str] = frozenset({"en"})) -> None:
        self.languages = languages

    grows = np.zeros(100, bool)

    def task(self, source: str, target: str) -> tuple[int, ...]:
        return (self.start, 200 + ord(source[0]), 200 + ord(target[0]))

    def is_text(self, token: int) -> bool:
        return token < self.end

    def surfaces(self, tokens: Sequence[int]) -> tuple[str, ...]:
        return tuple(f" w{token}" for token in tokens)


class Scripted:
    """Writes the numbers that it hears, and gives each its place."""

    folder = Path("scripted")
    aligns, attends, grows, beam, offers = True, True, False, 1, 1

    def __init__(self, languages: frozenset[str] = frozenset({"en"})) -> None:
        self.tokens, self.detects = Tokens(languages), len(languages) > 1
        self.prompts: list[Prompt] = []
        self.beams: list[int] = []
        self.no_speech, self.unlikely = 0.0, -2.0
        self.asked: list[int] = []

    def check_source(self, source: str) -> None: ...

    def encode(self, windows: Sequence[np.ndarray]) -> list[Any]:
        heard = [np.rint(samples[UNIT // 2 :: UNIT] * 100).astype(int).tolist() for samples in windows]
        return [[word for word in words if word] for words in heard]

    def languages(self, encoded: Sequence[list[int]]) -> list[dict[str, float]]:
        """Words from 50 on are German; the share of a language is that of its words."""
        self.asked += [len(words) for words in encoded]
        german = [sum(word >= 50 for word in words) / len(words) for words in encoded]
        return [{"de": share, "en": 1 - share} for share in german]

    def generate(
        self, encoded: Sequence[list[int]], prompts: Sequence[Prompt], beam: int | None = None
    ) -> list[Hypothesis]:
        self.prompts += prompts
        width = beam or self.beam
        self.beams += [width] * len(prompts)
        return [self._write(words, prompt, width) for words, prompt in zip(encoded, prompts, strict=True)]

    def _write(self, words: list[int], prompt: Prompt, beam: int) -> Hypothesis:
        written, ended = [], True
        previous = prompt.head[1 : prompt.head.index(self.tokens.start)]
        mumbled = MUMBLED in words or (NARROW in words and beam < WIDE) or (HAUNTED in words and previous)
        if words[:1] == [ECHOES] and previous:
            words = [*previous]
        for place, word in enumerate(words):
            if word == DEAF and place:
                break
            written.append(word)
            if word == LOOPS and place:
                written += [word] * prompt.room(MAX_POSITIONS)
                break
            if word == ROUNDS and place:
                written *= 1 + prompt.room(MAX_POSITIONS) // len(written)
                break
        new = written[len(prompt.prefix) :]
        ended = len(new) <= prompt.room(MAX_POSITIONS)
        new = new[: prompt.room(MAX_POSITIONS)]
        frames = len(words) * 25
        return Hypothesis(
            tuple(new),
            np.full(len(new), self.unlikely if mumbled else -0.1),
            ended,
            no_speech_prob=self.no_speech,
            attention=self._rows(new, words, frames),
        )

    def _rows(self, new: list[int], words: list[int], frames: int) -> np.ndarray:
        rows = np.zeros((len(new), frames), np.float32)
        for row, word in zip(rows, new, strict=True):
            row[words.index(word) * 25 + 12] = 1
        return rows

    def align(
        self, encoded: Sequence[list[int]], head: Any, texts: Sequence[Sequence[int]], samples: Any
    ) -> list[np.ndarray]:
        """Each word lies where it was heard; all rounds of a loop in the same place."""
        found = []
        for words, text in zip(encoded, texts, strict=True):
            places = [words.index(word) for word in text]
            found.append(np.array([(p * UNIT, (p + 1) * UNIT) for p in places], np.int64).reshape(-1, 2))
        return found


class Speech:
    """Every frame is speech that says something."""

    def __call__(self, frames: np.ndarray) -> list[bool]:
        return [bool(np.abs(frame).max() > 0.005) for frame in frames]

    def dump(self) -> dict[str, Any]:
        return {}

    def load(self, dumped: Any) -> None:
        assert dumped == {}


def speech(words: Sequence[int]) -> np.ndarray:
    return np.repeat(np.array(words) / 100, UNIT).astype(np.float32)
