"""What a run starts from: a Firefox student or a folder of parts, and a table for other pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simul.errors import ModelMissingError
from simul.models.marian.arrays import Arrays, Matrix, whole
from simul.models.marian.binary import read_binary
from simul.models.marian.parts import CONFIG, read_part

_BIAS = "decoder_ff_logit_out_b"
ENCODER, SOURCE = "encoder.npz", "source.spm"
"""Files of a folder of parts that all languages share."""


@dataclass(frozen=True)
class StartingPoint:
    """Weights and vocabularies of a student; the decoder has its own table."""

    encoder: Arrays
    decoder: Arrays
    heads: int
    source: Any
    target: Any
    source_model: Path
    """The file of the source vocabulary."""


def read_start(folder: Path, language: str | None = None) -> StartingPoint:
    """A Firefox student (model*.bin, vocab*.spm), or the parts for `language` (encoder.npz, source.spm, LANGUAGE.npz).

    Without a language the parts are those of the one decoder that has the source's pieces.

    Raises:
        ModelMissingError: the folder holds neither, or not that language.
    """
    if (folder / ENCODER).is_file():
        return _read_parts(folder, language)
    models = sorted(folder.glob("model*.bin"))
    sources, targets = (sorted(folder.glob(f"{side}*.spm")) for side in ("srcvocab", "trgvocab"))
    shared = sorted(folder.glob("vocab*.spm"))
    if not models or not (shared or (sources and targets)):
        raise ModelMissingError(
            f"{folder} holds no student; give a folder with a Firefox model (model*.bin) and its vocabulary "
            f"(vocab*.spm), or with {ENCODER}, {SOURCE} and a decoder."
        )
    arrays, config = read_binary(models[0])
    source, target = (sources or shared)[0], (targets or shared)[0]
    encoder, decoder = split(arrays)
    return StartingPoint(
        encoder, decoder, int(config["transformer-heads"]), processor(source), processor(target), source
    )


def read_starts(folder: Path, languages: Sequence[str]) -> dict[str, StartingPoint]:
    """Where each language starts: with its own decoder if the folder has one, otherwise with the student's."""
    return {
        language: read_start(folder, language if (folder / f"{language}.npz").is_file() else None)
        for language in languages
    }


def _read_parts(folder: Path, language: str | None) -> StartingPoint:
    names = [language] if language else [p.stem for p in sorted(folder.glob("*.npz")) if p.name != ENCODER]
    source = folder / SOURCE
    for name in names:
        own = folder / f"{name}.model"
        if (folder / f"{name}.npz").is_file() and (language or not own.is_file()):
            arrays = read_part(folder / ENCODER) | read_part(folder / f"{name}.npz")
            target = processor(own if own.is_file() else source)
            return StartingPoint(
                *split(arrays), int(CONFIG["transformer-heads"]), processor(source), target, source
            )
    raise ModelMissingError(
        f"{folder} has no decoder for {language!r}."
        if language
        else f"{folder} has no decoder that shares {SOURCE}."
    )


def processor(path: Path) -> Any:
    """The SentencePiece processor of a file."""
    import sentencepiece as spm

    return spm.SentencePieceProcessor(model_file=str(path))


def split(arrays: Arrays) -> tuple[Arrays, Arrays]:
    """(encoder, decoder) of one set of weights, a shared table in both."""
    shared = arrays.get("Wemb")
    table = arrays.get("encoder_Wemb", shared)
    own = arrays.get("decoder_Wemb", table)
    if table is None or own is None:
        raise ModelMissingError(
            "The student has no embedding table; take the file of a Firefox translation model."
        )
    encoder: Arrays = {"encoder_Wemb": table}
    decoder: Arrays = {"decoder_Wemb": own}
    for name, value in arrays.items():
        if name.startswith("encoder_"):
            encoder.setdefault(name, value)
        elif name.startswith("decoder_"):
            decoder.setdefault(name, value)
    return encoder, decoder


def piece_rows(new: Any, old: Any) -> list[list[int]]:
    """For each piece of the processor `new` the pieces of `old` that spell it."""
    rows = []
    for index in range(new.get_piece_size()):
        piece = new.id_to_piece(index)
        if index == new.eos_id():
            rows.append([old.eos_id()])
        elif index == new.unk_id():
            rows.append([old.unk_id()])
        elif (same := old.piece_to_id(piece)) != old.unk_id():
            rows.append([same])
        else:
            rows.append(_spelling(piece, old) or [old.unk_id()])
    return rows


def _spelling(piece: str, old: Any) -> list[int]:
    found = [i for i in old.encode(piece.replace("▁", " ").strip() or " ") if i != old.unk_id()]
    first = old.id_to_piece(found[0]) if found else ""
    if found and not piece.startswith("▁") and first.startswith("▁"):
        inner = old.piece_to_id(first[1:])
        found[0] = inner if inner != old.unk_id() else found[0]
    return found


def with_table(decoder: Arrays, rows: list[list[int]]) -> Arrays:
    """The decoder for other pieces: each row of its table, and its bias, the mean of the old rows given for it."""
    table, bias = decoder["decoder_Wemb"], np.asarray(decoder[_BIAS]).reshape(-1)
    assert isinstance(table, Matrix)
    new = np.stack([table.rows(np.array(old)).mean(0) for old in rows])
    biases = np.array([bias[old].mean() for old in rows], np.float32)
    return decoder | {"decoder_Wemb": whole(new), _BIAS: biases}
