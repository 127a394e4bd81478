"""Reader of students in parts (NPZ): encoder.npz serves a decoder file for each target language.

Arrays have Marian's names; an int8 matrix [out, in] has its scales beside it (`NAME.scale`, one for each row). A
decoder without a table of its own shares the encoder's.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from simul.errors import ModelMissingError
from simul.models.marian.arrays import Arrays, whole

SCALE = ".scale"
CONFIG: dict[str, Any] = {
    "transformer-heads": 8,
    "transformer-decoder-autoreg": "rnn",
    "dec-cell": "ssru",
    "transformer-guided-alignment-layer": "last",
}
"""What the weights do not tell; the same for every student in parts."""


def read_part(path: Path) -> Arrays:
    """The weights of one part.

    Raises:
        ModelMissingError: the file is not there, or is no such part.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            values = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ModelMissingError(f"The part of a student {path} cannot be read: {error}") from error
    arrays: Arrays = {}
    for name, array in values.items():
        if name.endswith(SCALE):
            continue
        if array.ndim == 2:
            arrays[name] = whole(array, values.get(name + SCALE, 1.0))
        else:
            arrays[name] = array.astype(np.float32).reshape(-1)
    return arrays
