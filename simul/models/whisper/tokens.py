"""Whisper's vocabulary: special tokens, languages, and the surface of byte-level pieces."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.text import follows_word, surface

_SPECIAL = re.compile(r"<\|([a-z]{2,3})\|>")


SPACE = "Ġ"
"""How tokens spell a leading space."""
FIRST_MERGE = (SPACE, "t")
"""What the first merge of Whisper's tokenizers joins; its token follows those of the single bytes."""
BYTES = 256


class TokenizerFile:
    """The tokens of a tokenizer.json by number and name. The tokenizer itself, which takes 50 MB, is made when text is
    encoded for the first time.

    Some converted models lack the first merge (" t"), without which 1,175 texts of the vocabulary, such as " to", are
    never made from text. It is put back where the vocabulary has its token in the place that such a merge gives it.

    Raises:
        OSError, ValueError, KeyError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        state = json.loads(path.read_text(encoding="utf-8"))
        self._numbers: dict[str, int] = dict(state["model"]["vocab"])
        self._numbers |= {token["content"]: token["id"] for token in state["added_tokens"]}
        self._names = {number: name for name, number in self._numbers.items()}

    def token_to_id(self, name: str) -> int | None:
        """The number of a token; None where there is none."""
        return self._numbers.get(name)

    def id_to_token(self, number: int) -> str | None:
        """The name of a token; None where there is none."""
        return self._names.get(number)

    def encode(self, text: str, add_special_tokens: bool = False) -> Any:
        """The tokenizer's encoding of a text."""
        return self._tokenizer.encode(text, add_special_tokens=add_special_tokens)

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        text = self._path.read_text(encoding="utf-8")
        mended = _with_first_merge(json.loads(text))
        return Tokenizer.from_str(text if mended is None else json.dumps(mended))


def _with_first_merge(state: dict[str, Any]) -> dict[str, Any] | None:
    """A tokenizer's state with its first merge put back; None where it does not lack."""
    model = state.get("model", {})
    merges, vocabulary = model.get("merges"), model.get("vocab", {})
    if not merges or vocabulary.get("".join(FIRST_MERGE)) != BYTES:
        return None
    spelled = isinstance(merges[0], str)
    if not all(part in vocabulary for part in FIRST_MERGE):
        return None
    if any((tuple(m.split(" ")) if spelled else tuple(m)) == FIRST_MERGE for m in merges):
        return None
    first = " ".join(FIRST_MERGE) if spelled else list(FIRST_MERGE)
    return {**state, "model": {**model, "merges": [first, *merges]}}


class WhisperTokens:
    """Token numbers of one model and their text. `tokenizer`: a `TokenizerFile`, or a Tokenizer of that package."""

    def __init__(self, tokenizer: Any, multilingual: bool) -> None:
        self._tokenizer, self.multilingual = tokenizer, multilingual
        self.end = self._number("<|endoftext|>")
        self.start = self._number("<|startoftranscript|>")
        self.previous = self._number("<|startofprev|>")
        self.no_timestamps = self._number("<|notimestamps|>")
        self.no_speech = max(self._number("<|nospeech|>"), self._number("<|nocaptions|>"))
        self._bytes = {char: byte for byte, char in _byte_characters().items()}
        self._surfaces: dict[int, str] = {}
        self.languages = self._languages() if multilingual else frozenset({"en"})
        """ISO codes of the languages that the model hears."""

    @cached_property
    def grows(self) -> NDArray[np.bool_]:
        """Bool [end]: the text tokens that would make a word before them longer."""
        names = (self._tokenizer.id_to_token(i) or "" for i in range(self.end))
        grows = (n[:1] != SPACE and not follows_word(self.surface(i)) for i, n in enumerate(names))
        return np.fromiter(grows, dtype=bool)

    @property
    def first_timestamp(self) -> int:
        """The token <|0.00|>; each further one stands for 20 ms more."""
        return self.no_timestamps + 1

    def task(self, source: str, target: str) -> tuple[int, ...]:
        """Start, language and task: transcription when the languages agree, else translation into English."""
        if not self.multilingual:
            return (self.start,)
        name = "<|transcribe|>" if source == target else "<|translate|>"
        return (self.start, self._number(f"<|{source}|>"), self._number(name))

    def encode(self, text: str) -> tuple[int, ...]:
        """Tokens of `text`, special tokens spelled out as plain text."""
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        return tuple(i for i in ids if self.is_text(i))

    def is_text(self, token: int) -> bool:
        """Whether a token stands for text and not for a time, a language or a task."""
        return token < self.end

    def surface(self, token: int) -> str:
        """The text of one token, with a leading space where a word begins; see `simul.text.surface`."""
        known = self._surfaces.get(token)
        if known is None:
            piece = self._tokenizer.id_to_token(token) or ""
            known = surface(bytes(self._bytes[c] for c in piece if c in self._bytes))
            self._surfaces[token] = known
        return known

    def surfaces(self, tokens: Sequence[int]) -> tuple[str, ...]:
        """The text of each token."""
        return tuple(self.surface(token) for token in tokens)

    def _number(self, name: str) -> int:
        number = self._tokenizer.token_to_id(name)
        return -1 if number is None else int(number)

    def _languages(self) -> frozenset[str]:
        """The codes between the start token and the two tasks."""
        last = min(self._number("<|translate|>"), self._number("<|transcribe|>"))
        names = (self._tokenizer.id_to_token(i) or "" for i in range(self.start + 1, last))
        return frozenset(match[1] for name in names if (match := _SPECIAL.fullmatch(name)))


def _byte_characters() -> dict[int, str]:
    """The printable character that byte-level BPE writes for each byte: itself if printable, else from U+0100 on.

    transformers has the same table, behind 0.6 s of import that CTranslate2's Whisper does without.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {byte: chr(byte) for byte in printable}
    others = (byte for byte in range(256) if byte not in table)
    return table | {byte: chr(0x100 + n) for n, byte in enumerate(others)}
