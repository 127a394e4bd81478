"""Alignment of long-form output with reference segments, the tokens both are compared by, and pauses of audio.

    from segmenter import SoftSegmenter

    alignment = SoftSegmenter(lang="de").align(["Guten Tag.", "Wie geht es?"], "Guten Tag wie geht es dir?")
    alignment.segment_of_unit  # array([0, 0, 1, 1, 1, 1])

Importing this package is cheap; the compiled kernel loads with the first alignment.
"""

from segmenter.alignment import Alignment, SegmenterError
from segmenter.mwer import MwerSegmenter
from segmenter.soft import SoftSegmenter, align_tokens
from simul.hearing.pauses import PauseSegmenter, Span

__all__ = [
    "Alignment",
    "MwerSegmenter",
    "PauseSegmenter",
    "SegmenterError",
    "SoftSegmenter",
    "Span",
    "align_tokens",
]
