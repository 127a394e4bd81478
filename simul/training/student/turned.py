"""A student that reads other languages: text turned round, pieces to read it with, and the target pieces it uses.

A student into English reads several languages with one encoder, which learns too: its table begins, for each new
piece, as the mean of the old pieces that spell it. Its decoder keeps its own pieces, without those that the text never
uses.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np

from simul.models.marian.arrays import Matrix, whole
from simul.models.marian.folder import ABOUT
from simul.training.student.examples import Mix
from simul.training.student.prepared import train_vocabulary
from simul.training.student.start import SOURCE, StartingPoint, piece_rows, processor
from simul.training.student.text import SHARES, Pair, Share, read_pairs

INTO = "en"
"""The language that turned text is translated into, which all tables of pairs hold."""
TURNED = Mix(spoken=0.15, renamed=0.25)
"""What examples are made of: recognisers of other languages than English write case and punctuation."""
_USED = 3
"""Times that a piece must occur to be kept."""
_SENTENCES = 250_000
"""Sentences that the pieces are learnt from."""
_BROAD = 0.7
"""Weight of a set from which on pieces are learnt from it; narrow ones would fill the vocabulary with their terms."""
_ORDINARY = 1
"""SentencePiece's type of a piece that is neither a control nor the unknown one."""


def read_turned(
    data: Path, sources: Sequence[str], more: Sequence[Path] = (), limit: int | None = None
) -> list[Pair]:
    """The pairs of several languages with English, to be translated into English, in an order of their own.

    What a machine wrote is read here and not imitated, and so counts as any other text.
    """
    pairs = [
        Pair(pair.target, pair.source, pair.origin, False)
        for language in sources
        for pair in read_pairs(data, language, more, limit)
    ]
    Random(3).shuffle(pairs)
    return pairs


def write_vocabularies(
    folder: Path, pairs: Sequence[Pair], start: StartingPoint, sources: Sequence[str], size: int
) -> None:
    """Write the pieces of both sides and the languages of the source into the folder of the runs.

    What is there already stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reading, writing = folder / SOURCE, folder / f"{INTO}.model"
    if not reading.is_file():
        broad = [p.source for p in pairs if SHARES.get(p.origin, Share()).weight >= _BROAD]
        Random(1).shuffle(broad)
        reading.write_bytes(train_vocabulary((broad or [p.source for p in pairs])[:_SENTENCES], size))
    if not writing.is_file():
        writing.write_bytes(used_pieces(start, [pair.target for pair in pairs]))
    (folder / ABOUT).write_text(json.dumps({"sources": list(sources)}) + "\n", encoding="utf-8")


def used_pieces(start: StartingPoint, texts: Sequence[str]) -> bytes:
    """The student's target vocabulary without the pieces that hardly occur in `texts`; single characters stay."""
    # Its stubs do not know what is made at run time.
    from sentencepiece import sentencepiece_model_pb2 as proto

    counts: Counter[int] = Counter()
    for text in texts:
        counts.update(start.target.encode(text))
    model = proto.ModelProto()  # type: ignore[attr-defined]
    model.ParseFromString(start.target.serialized_model_proto())
    kept = [
        piece
        for number, piece in enumerate(model.pieces)
        if piece.type != _ORDINARY or counts[number] >= _USED or len(piece.piece.lstrip("▁")) <= 1
    ]
    fewer = proto.ModelProto()  # type: ignore[attr-defined]
    fewer.CopyFrom(model)
    del fewer.pieces[:]
    fewer.pieces.extend(kept)
    fewer.trainer_spec.vocab_size = len(kept)
    found: bytes = fewer.SerializeToString()
    return found


def reading(start: StartingPoint, run: Path) -> StartingPoint:
    """The start with the source pieces of a run, where it has pieces of its own to read with."""
    model = run / SOURCE
    if not model.is_file():
        return start
    table, source = start.encoder["encoder_Wemb"], processor(model)
    assert isinstance(table, Matrix)
    rows = np.stack([table.rows(np.array(old)).mean(0) for old in piece_rows(source, start.source)])
    encoder = start.encoder | {"encoder_Wemb": whole(rows)}
    return replace(start, encoder=encoder, source=source, source_model=model)


def sources_of(run: Path) -> tuple[str, ...]:
    """The languages that a run reads, where they are not English."""
    path = run / ABOUT
    return tuple(json.loads(path.read_text("utf-8"))["sources"]) if path.is_file() else ()
