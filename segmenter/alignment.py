"""What a segmenter returns: the segment of every hypothesis unit and the path that led to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class SegmenterError(ValueError):
    """Input a segmenter cannot work on; the message says what was wrong and what to do."""

    exit_code = 1


@dataclass(frozen=True)
class Segmentation:
    """Alignment of one recording's hypothesis with its reference segments.

    Units are what carries a time (words or characters); tokens are the pieces of units that were compared.
    """

    units: list[str]
    """Hypothesis units as given."""
    segments: int
    """Number of reference segments."""
    segment_of_unit: NDArray[np.int32]
    """Reference segment of each hypothesis unit, non-decreasing among assigned units; -1 = dropped."""
    tokens: list[str]
    """Hypothesis tokens as compared (normalised, lower-cased where the method says so)."""
    unit_of_token: NDArray[np.int32]
    """Index in ``units`` of the unit each hypothesis token comes from."""
    segment_of_token: NDArray[np.int32]
    """Reference segment of each hypothesis token; -1 = dropped."""
    ref_tokens: list[str]
    """Reference tokens as compared."""
    ops: str
    """The path from left to right: M both tokens, D reference token only, I hypothesis token only."""

    @property
    def dropped(self) -> list[int]:
        """Indices of the units that belong to no segment."""
        return [int(index) for index in np.flatnonzero(self.segment_of_unit < 0)]

    def units_per_segment(self) -> list[int]:
        """Number of hypothesis units in each segment."""
        kept = self.segment_of_unit[self.segment_of_unit >= 0]
        return [int(count) for count in np.bincount(kept, minlength=self.segments)]

    def unit_indices(self) -> list[list[int]]:
        """For each segment the indices of its units, in order."""
        lists: list[list[int]] = [[] for _ in range(self.segments)]
        for index, segment in enumerate(self.segment_of_unit.tolist()):
            if segment >= 0:
                lists[segment].append(index)
        return lists

    def texts(self, joiner: str = " ") -> list[str]:
        """Text of each segment: its units joined by ``joiner`` (words: a space, characters: nothing)."""
        return [joiner.join(self.units[index] for index in indices) for indices in self.unit_indices()]


def check_references(references: Sequence[str]) -> list[str]:
    """The references as a list.

    Raises:
        SegmenterError: one text was given in place of a list of texts, or something that is no text is among them.
    """
    if isinstance(references, str):
        raise SegmenterError(
            "references must be a list with one text for each segment, not one text; use [text]."
        )
    return check_texts(references, "references")


def check_texts(texts: Iterable[str], what: str) -> list[str]:
    """Texts, or units of a text, as a list.

    Raises:
        SegmenterError: they are none.
    """
    try:
        listed = list(texts)
    except TypeError:
        raise SegmenterError(f"{what} must be a list of texts, not {type(texts).__name__}.") from None
    for place, text in enumerate(listed, 1):
        if not isinstance(text, str):
            raise SegmenterError(
                f"{what} must be a list of texts; number {place} is {type(text).__name__}: {text!r:.60}."
            )
    return listed
