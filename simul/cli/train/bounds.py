"""What numbers the steps of `simul train` take."""

from __future__ import annotations

from simul.cli.options import MOST_ROWS, decimal, whole

_MOST_PIECES = 1_000_000
_LONGEST_MINUTES = 1_000_000.0

count = whole(1, MOST_ROWS)
"""Sentences or texts."""
pieces = whole(1, _MOST_PIECES)
"""Of a target vocabulary, or of a batch."""
minutes = decimal(0.0, _LONGEST_MINUTES)
learning_rate = decimal(1e-9, 1.0)
