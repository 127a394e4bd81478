"""Tokenizers that lack their first merge are mended, others are left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tokenizers", reason="tokenizers are read by the package tokenizers")

from simul.models.whisper.tokens import TokenizerFile, WhisperTokens


def state(merges: list[Any], first: int = 256) -> dict[str, Any]:
    """A byte-level tokenizer over 256 bytes and the tokens of merges " t" (number `first`), "he" and " the"."""
    from simul.models.whisper.tokens import _byte_characters

    vocabulary = {char: number for number, char in enumerate(_byte_characters().values())}
    vocabulary |= {"Ġt": first, "he": 257 + 1000 * (first == 257), "Ġthe": 258}
    pieces = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": pieces,
        "decoder": pieces,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges},
    }


def encoded(tmp_path: Path, made: dict[str, Any]) -> list[int]:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(made), encoding="utf-8")
    ids: list[int] = TokenizerFile(path).encode(" the", add_special_tokens=False).ids
    return ids


@pytest.mark.parametrize("spelled", [False, True])
def test_a_missing_first_merge_is_put_back(tmp_path: Path, spelled: bool) -> None:
    rest = [["h", "e"], ["Ġt", "he"]]
    merges = [" ".join(m) for m in rest] if spelled else rest
    assert encoded(tmp_path, state(merges)) == [258]


def test_a_tokenizer_that_has_it_is_left_alone(tmp_path: Path) -> None:
    assert encoded(tmp_path, state([["Ġ", "t"], ["h", "e"], ["Ġt", "he"]])) == [258]
    # It stands behind another merge, which therefore comes first.
    assert encoded(tmp_path, state([["t", "h"], ["Ġ", "t"], ["h", "e"]][1:]))[:1] == [256]


def test_another_vocabulary_is_left_alone(tmp_path: Path) -> None:
    without = state([["h", "e"], ["Ġt", "he"]], first=300)
    assert 258 not in encoded(tmp_path, without)


def test_every_text_of_whisper_base_is_encoded_as_its_token(whisper_base_folder: Path) -> None:
    tokens = WhisperTokens(TokenizerFile(whisper_base_folder / "tokenizer.json"), True)
    assert tokens.surfaces(tokens.encode(" to the theatre")) == (" to", " the", " theatre")
    whole = [i for i in range(300, tokens.end) if tokens.surface(i).isascii() and tokens.surface(i).strip()]
    assert sum(tokens.encode(tokens.surface(i)) != (i,) for i in whole) <= 5
