"""Quantiles, in the one definition that all figures of this toolkit share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def quantiles(values: Sequence[float] | NDArray[np.float64], *shares: float) -> tuple[float, ...]:
    """For each share (0 to 1) the smallest value that at least this share of `values` does not exceed; NaN of nothing.

    The inverse of the empirical distribution function (Hyndman and Fan 1996, definition 1): always one of the values.
    """
    if not len(values):
        return (math.nan,) * len(shares)
    import numpy as np

    return tuple(np.quantile(values, shares, method="inverted_cdf").tolist())
