"""What a chat completion says: tokens in our convention, their log-probabilities, and what is left after a prefix."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simul.text import follows_word, surface

_WORD = re.compile(r"\s*\S+")


@dataclass(frozen=True)
class Reply:
    """Tokens of the first line, their log-probabilities (None: not given), and whether the model ended the text."""

    tokens: tuple[str, ...]
    logprobs: tuple[float, ...] | None
    ended: bool

    @property
    def text(self) -> str:
        """The tokens joined."""
        return "".join(self.tokens)

    def first(self, count: int) -> Reply:
        """The reply cut after `count` tokens."""
        if count >= len(self.tokens):
            return self
        return Reply(self.tokens[:count], None if self.logprobs is None else self.logprobs[:count], False)

    def after(self, count: int) -> Reply:
        """The reply without its first `count` characters; a token that they divide leaves its rest."""
        tokens = list(self.tokens)
        gone = 0
        while gone < len(tokens) and count >= len(tokens[gone]):
            count -= len(tokens[gone])
            gone += 1
        if gone < len(tokens):
            tokens[gone] = tokens[gone][count:]
        return Reply(
            tuple(tokens[gone:]), None if self.logprobs is None else self.logprobs[gone:], self.ended
        )

    def spaced(self) -> Reply:
        """The reply with a space before it, as text that begins a word has it here."""
        if not self.tokens or self.tokens[0][:1].isspace():
            return self
        return Reply((" " + self.tokens[0], *self.tokens[1:]), self.logprobs, self.ended)

    def after_word(self) -> Reply:
        """The reply without what makes the word before it longer."""
        grown = 0
        while grown < len(self.tokens) and not follows_word(self.tokens[grown]):
            grown += 1
        return self.after(sum(map(len, self.tokens[:grown])))


def parse(found: Mapping[str, Any]) -> Reply:
    """The first choice of a chat completion.

    Log-probabilities are believed where their tokens make up the text; otherwise words are the tokens, and where
    log-probabilities came none of them is trusted (-inf).

    Raises:
        ValueError: it holds no message.
    """
    try:
        choice = found["choices"][0]
        content = str(choice["message"]["content"] or "")
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError("no message") from error
    text = content.split("\n")[0].rstrip()
    cut = len(text) < len(content.rstrip())
    ended = cut or choice.get("finish_reason") == "stop"
    scored = _scored(choice)
    if scored is None:
        return Reply(tuple(_WORD.findall(text)), None, ended)
    tokens, logprobs = scored
    kept = _covering(tokens, text)
    if kept is None:
        words = tuple(_WORD.findall(text))
        return Reply(words, (-np.inf,) * len(words), ended)
    return Reply(tuple(kept), tuple(logprobs[: len(kept)]), ended)


def _scored(choice: Mapping[str, Any]) -> tuple[list[str], list[float]] | None:
    """The tokens of a choice and their log-probabilities; None where the server gives none."""
    listed = (choice.get("logprobs") or {}).get("content")
    if not isinstance(listed, list):
        return None
    tokens, logprobs = [], []
    for entry in listed:
        raw = entry.get("bytes")
        tokens.append(surface(bytes(raw)) if raw else str(entry.get("token", "")))
        logprobs.append(float(entry.get("logprob", -np.inf)))
    return tokens, logprobs


def _covering(tokens: Sequence[str], text: str) -> list[str] | None:
    """The first tokens, cut where the text ends; None where they say something else."""
    kept: list[str] = []
    left = text.encode("utf-8", "surrogateescape")
    for token in tokens:
        if not left:
            break
        raw = token.encode("utf-8", "surrogateescape")
        if not left.startswith(raw):
            if not raw.startswith(left):
                return None
            raw = left
        kept.append(surface(raw))
        left = left[len(raw) :]
    return None if left else kept
