"""What is in a folder: a Firefox student of one pair, or one encoder with decoders for several target languages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.errors import ModelMissingError, UsageError
from simul.models.marian.arrays import Arrays
from simul.models.marian.binary import read_binary
from simul.models.marian.network import Decoder, Encoder, check_options
from simul.models.marian.parts import CONFIG, read_part
from simul.models.marian.restore import Restorer
from simul.models.marian.shortlist import Shortlist
from simul.models.marian.vocabulary import StudentVocabulary

ENCODER_PART, SOURCE_VOCABULARY, ABOUT = "encoder.npz", "source.spm", "student.json"
RESTORER = "restorer.npz"
"""The tagger of case and punctuation, where there is one."""
_INSIDE = Path(__file__).resolve().parents[2] / "data" / "embedded"
SHIPPED = _INSIDE / "students"
"""The students inside the package: English into several languages."""
SHIPPED_INTO_ENGLISH = _INSIDE / "into-english"
"""The student inside the package that reads several languages and writes English."""
PAIR = re.compile(r"model\.([a-z]{2})([a-z]{2})\.")


@dataclass(frozen=True)
class Target:
    """What a target language needs. spoken: the decoder has read recognised words, without case and punctuation."""

    decoder: Decoder
    vocabulary: StudentVocabulary
    shared: bool
    """Source and target have one vocabulary."""
    shortlist: Shortlist | None = None
    spoken: bool = False

    def candidates(self, source: Sequence[int], shortlist: bool = True) -> NDArray[np.int64] | None:
        """The target pieces to choose from for a source, of the shortlist where there is one; None: all."""
        if shortlist and self.shortlist is not None:
            return self.shortlist.choose(source, self.shared)
        if len(self.decoder.bias) > len(self.vocabulary):
            return np.arange(len(self.vocabulary))
        return None


@dataclass(frozen=True)
class Students:
    """An encoder and what it serves."""

    source: str
    encoder: Encoder
    vocabulary: StudentVocabulary
    targets: Mapping[str, Target] = field(default_factory=dict)
    restorer: Restorer | None = None
    """Writes recognised words for decoders that have read written text only."""


def load(folder: Path, source: str | None = None, targets: Sequence[str] = ()) -> Students:
    """Load the student in `folder`; of the targets of several decoders only `targets`, if any are given.

    `source` and `targets` (ISO 639-1) name the pair of a Firefox student whose files do not tell it; of an encoder that
    reads several languages `source` says which one is read.

    Raises:
        ModelMissingError: a file is missing, or is another kind of model.
        UsageError: the student in the folder translates another pair.
    """
    if (folder / ENCODER_PART).is_file():
        return _parts(folder, source, targets)
    return _firefox(folder, source, targets)


def _firefox(folder: Path, source: str | None, targets: Sequence[str]) -> Students:
    model = _one(folder, "model.*.bin")
    told = PAIR.search(model.name)
    if told:
        native, target = told.group(1), told.group(2)
        if source not in (None, native) or not set(targets) <= {target}:
            asked = f"{source or native} into {' '.join(targets) or target}"
            raise UsageError(f"The student in {folder} translates {native} into {target}, not {asked}.")
    elif source is None or len(targets) != 1:
        raise UsageError(
            f"The name of {model} does not tell its languages; give the source and the target language."
        )
    else:
        native, (target,) = source, targets
    arrays, config = read_binary(model)
    check_options(config, model.name)
    shared = not any(folder.glob("srcvocab*.spm"))
    known = StudentVocabulary(_one(folder, "vocab*.spm" if shared else "srcvocab*.spm"))
    own = known if shared else StudentVocabulary(_one(folder, "trgvocab*.spm"))
    decoder = Decoder(arrays, config, model.name)
    lists = sorted(folder.glob("lex*.bin"))
    shortlist = Shortlist(lists[0], len(decoder.bias)) if lists else None
    encoder = Encoder(arrays, config, model.name)
    _check_sizes(folder, encoder, known, decoder, own)
    return Students(native, encoder, known, {target: Target(decoder, own, shared, shortlist)})


def _parts(folder: Path, source: str | None, wanted: Sequence[str]) -> Students:
    about = _about(folder)
    known_sources: list[str] = about.get("sources") or [about.get("source", source or "en")]
    if source is None and len(known_sources) > 1:
        raise UsageError(
            f"The student in {folder} reads {' '.join(known_sources)}; give the source language."
        )
    native = source if source is not None and source in known_sources else known_sources[0]
    served = {
        path.stem: path for path in sorted(folder.glob("*.npz")) if path.name not in (ENCODER_PART, RESTORER)
    }
    if source not in (None, native) or not set(wanted) <= served.keys():
        asked = f"{source or native} into {' '.join(wanted)}"
        read = " ".join(known_sources)
        raise UsageError(f"The student in {folder} translates {read} into {' '.join(served)}, not {asked}.")
    common = read_part(folder / ENCODER_PART)
    known = StudentVocabulary(_one(folder, SOURCE_VOCABULARY))
    encoder = Encoder(common, CONFIG, ENCODER_PART)
    targets = {}
    for code in wanted or served:
        arrays: Arrays = {"Wemb": common["encoder_Wemb"], **read_part(served[code])}
        decoder = Decoder(arrays, CONFIG, served[code].name)
        shared = "decoder_Wemb" not in arrays
        own = known if shared else StudentVocabulary(_one(folder, f"{code}.model"))
        _check_sizes(folder, encoder, known, decoder, own)
        targets[code] = Target(decoder, own, shared, spoken=code in about.get("spoken", []))
    tagger = folder / RESTORER
    restorer = Restorer(tagger, encoder, known) if tagger.is_file() else None
    return Students(native, encoder, known, targets, restorer)


def _check_sizes(
    folder: Path, encoder: Encoder, source: StudentVocabulary, decoder: Decoder, target: StudentVocabulary
) -> None:
    for words, table in ((source, encoder.table), (target, decoder.table)):
        if len(words) > len(table.values):
            raise ModelMissingError(
                f"A vocabulary in {folder} has {len(words)} pieces, the model {len(table.values)}: "
                "they do not belong together."
            )


def _about(folder: Path) -> Mapping[str, Any]:
    """The description of a student in parts, where there is one."""
    path = folder / ABOUT
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelMissingError(f"{path} is not JSON: {error}") from error
    return found if isinstance(found, dict) else {}


def _one(folder: Path, pattern: str) -> Path:
    """The only file of a kind."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        packed = any(folder.glob(pattern + ".gz"))
        what = (
            f"{len(found)} files"
            if found
            else "only packed files (.gz); unpack them"
            if packed
            else "no file"
        )
        raise ModelMissingError(f"The folder {folder} has {what} {pattern}; one is needed.")
    return found[0]
