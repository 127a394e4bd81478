"""Text translation with any CTranslate2 model from a folder: Opus-MT (Marian), NLLB-200 and M2M-100."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simul.errors import ModelMissingError, UsageError
from simul.install import install_hint
from simul.languages import NLLB, SPACELESS
from simul.models.translation.forced_search import ForcedSearch
from simul.models.translation.interface import TextRequest, TextResult
from simul.models.translation.source_attention import MARK, over_words, resting_words, word_numbers
from simul.text import surface

END = "</s>"
UNWRITTEN = ("<s>", "<pad>", "<unk>")
"""Entries of the vocabulary that stand for no text and are never generated."""
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_JOINT_FILES = ("sentencepiece.bpe.model", "spm.128k.model", "sentencepiece.model", "source.spm")


class CTranslate2Translator:
    """Translates from `source` to `target` (ISO 639-1) with the model in `folder`.

    The family is told by the vocabulary: language tokens such as deu_Latn (NLLB-200) or __de__ (M2M-100) are
    given as the family expects them, >>deu<< (Opus-MT with several targets) where the vocabulary has it; a
    plain Opus-MT model translates whatever pair it was trained for. The folder must hold the tokenizer: a
    SentencePiece file, source.spm and target.spm, or tokenizer.json. alternatives: results hold the other hypotheses
    of the beam, which costs a little.

    Raises:
        ModelMissingError: the folder, its tokenizer or the package that reads it is missing.
        UsageError: the model does not know a language.
    """

    def __init__(
        self,
        folder: Path,
        source: str,
        target: str,
        device: str = "auto",
        compute: str = "default",
        threads: int = 0,
        beam: int = 2,
        alternatives: bool = False,
    ) -> None:
        import ctranslate2

        self.name, self.offers = folder.name, beam if alternatives else 1
        self.sources, self.targets = frozenset({source}), frozenset({target})
        self._pieces = _tokenizer(folder)
        try:
            model = ctranslate2.Translator(
                str(folder), device=device, compute_type=compute, intra_threads=threads
            )
        except (RuntimeError, ValueError) as error:
            raise ModelMissingError(f"The translation model in {folder} cannot be loaded: {error}") from error
        config = _read_json(folder / "config.json", {})
        self._adds_end = bool(config.get("add_source_eos", False))
        self._vocabulary = _vocabulary(folder, "target")
        self._numbers = {piece: i for i, piece in enumerate(self._vocabulary)}
        known = self._numbers.keys() | set(_vocabulary(folder, "source"))
        self._first, self._forced = _language_tokens(folder.name, known, source, target)
        never = [[piece] for piece in UNWRITTEN if piece in self._numbers]
        surfaces = [piece_surface(piece) for piece in self._vocabulary]
        self._search = ForcedSearch(
            model, self._vocabulary, surfaces, END, beam, alternatives, suppress_sequences=never or None
        )
        self._join = source in SPACELESS

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        """Beam search on the sources; an empty source gives an empty result.

        A text that is not complete is translated as it stands: these models know no unfinished sentence.
        """
        results = [TextResult((), ())] * len(requests)
        groups: dict[int, list[int]] = {}
        for index, request in enumerate(requests):
            if request.source.strip():
                groups.setdefault(self._limit(request), []).append(index)
        for limit, indices in groups.items():
            chosen = [requests[i] for i in indices]
            for index, result in zip(indices, self._batch(chosen, limit), strict=True):
                results[index] = result
        return results

    def _batch(self, requests: Sequence[TextRequest], limit: int) -> list[TextResult]:
        sources = [self._source(request.source) for request in requests]
        prefixes = [
            [*self._forced, *(self._vocabulary[i] for i in request.prefix_ids)] for request in requests
        ]
        over = [request.word_complete and bool(request.prefix_ids) for request in requests]
        results = []
        for source, prefix, found in zip(
            sources, prefixes, self._search(sources, prefixes, over, limit), strict=True
        ):
            text, scores = found.pieces, found.logprobs
            words = word_numbers(source, {*self._first, END})
            attention = found.attention[:, : len(source)]
            new = [i for i in range(len(prefix), len(text)) if text[i] != END]
            results.append(
                TextResult(
                    tokens=tuple(piece_surface(text[i]) for i in new),
                    ids=tuple(self._numbers[text[i]] for i in new),
                    logprobs=np.array([scores[i] for i in new], dtype=np.float64),
                    source_words=resting_words(attention, words)[new],
                    source_attention=over_words(attention[new], words),
                    ended=len(text) < limit,
                    others=tuple(
                        tuple(piece_surface(piece) for piece in other[len(prefix) :] if piece != END)
                        for other in found.others
                    ),
                )
            )
        return results

    def _limit(self, request: TextRequest) -> int:
        """Longest target, forced tokens included: generous for the source, so that a loop ends soon."""
        room = request.max_new_tokens
        if room is None:
            room = 16 + 3 * max(len(request.source.split()), len(request.source) // 5)
        return len(self._forced) + len(request.prefix_ids) + room

    def _source(self, text: str) -> list[str]:
        if self._join:
            text = re.sub(r"(?<=[^\x00-\x7f]) (?=[^\x00-\x7f])", "", text)
        end = [] if self._adds_end else [END]
        return [*self._first, *self._pieces(text), *end]


def piece_surface(piece: str) -> str:
    """The text of a SentencePiece token; a byte token gives a surrogate escape or an ASCII character."""
    match = _BYTE.fullmatch(piece)
    return surface(bytes([int(match[1], 16)])) if match else piece.replace(MARK, " ")


def _language_tokens(
    name: str, vocabulary: set[str], source: str, target: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What stands before the source, and what the target is forced to begin with."""
    if "eng_Latn" in vocabulary:
        codes = [NLLB.get(language, language) for language in (source, target)]
        _check_known(name, vocabulary, dict(zip((source, target), codes, strict=True)))
        return (codes[0],), (codes[1],)
    if "__en__" in vocabulary:
        codes = [f"__{language}__" for language in (source, target)]
        _check_known(name, vocabulary, dict(zip((source, target), codes, strict=True)))
        return (codes[0],), (codes[1],)
    tags = [piece for piece in vocabulary if piece.startswith(">>") and piece.endswith("<<")]
    if not tags:
        return (), ()
    three = NLLB.get(target, target).split("_")[0]
    for code in (target, three):
        fitting = sorted(tag for tag in tags if tag[2:-2].split("_")[0] == code)
        if fitting:
            return (fitting[0],), ()
    raise UsageError(
        f"The translation model {name} does not translate into {target!r}; it knows: {' '.join(sorted(tags))}."
    )


def _check_known(name: str, vocabulary: set[str], codes: dict[str, str]) -> None:
    for language, code in codes.items():
        if code not in vocabulary:
            raise UsageError(
                f"The translation model {name} does not know the language {language!r} ({code})."
            )


def _tokenizer(folder: Path) -> Callable[[str], list[str]]:
    """What cuts a source text into the model's pieces."""
    for name in _JOINT_FILES:
        if (folder / name).is_file():
            import sentencepiece

            processor: Any = sentencepiece.SentencePieceProcessor(model_file=str(folder / name))
            return lambda text: list(processor.encode(text, out_type=str))
    if (folder / "tokenizer.json").is_file():
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise ModelMissingError(
                f"The tokenizer of {folder} needs the package tokenizers, which is not installed; "
                f"run: {install_hint('whisper')}"
            ) from error
        fast: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        return lambda text: list(fast.encode(text, add_special_tokens=False).tokens)
    raise ModelMissingError(
        f"The translation model in {folder} has no tokenizer; copy its source.spm and target.spm, "
        "sentencepiece.bpe.model or tokenizer.json into the folder."
    )


def _vocabulary(folder: Path, side: str) -> list[str]:
    for stem in (f"{side}_vocabulary", "shared_vocabulary"):
        if (folder / f"{stem}.json").is_file():
            return [str(piece) for piece in _read_json(folder / f"{stem}.json", [])]
        if (folder / f"{stem}.txt").is_file():
            return (folder / f"{stem}.txt").read_text(encoding="utf-8").split("\n")
    raise ModelMissingError(
        f"The translation model in {folder} has no {side} vocabulary; copy the whole folder."
    )


def _read_json(path: Path, default: Any) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return default
