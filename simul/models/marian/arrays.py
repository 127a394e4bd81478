"""Weights as both file formats give them: matrices stored [out, in] as integers or floats with a scale for each row."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


class Matrix(NamedTuple):
    """A matrix [out, in], or an embedding table [pieces, width]: `values` (int8 or float32) times `scale` [out]."""

    values: NDArray[Any]
    scale: Vector

    def rows(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some rows as float32 [n, in]."""
        return self.values[ids].astype(np.float32) * self.scale[ids, None]


Arrays = dict[str, "Matrix | Vector"]
"""Weights by Marian's names (`encoder_l1_self_Wq`, ...)."""


def whole(values: NDArray[Any], scale: float | NDArray[np.float32] = 1.0) -> Matrix:
    """A matrix from values [out, in] and one scale, or one for each row."""
    rows = np.ascontiguousarray(np.broadcast_to(np.float32(scale), len(values)))
    return Matrix(np.ascontiguousarray(values), rows)


def stacked(*parts: Matrix) -> Matrix:
    """Matrices of the same input side by side, so that one product serves them all."""
    values = np.concatenate([part.values for part in parts])
    return Matrix(values, np.concatenate([part.scale for part in parts]))
