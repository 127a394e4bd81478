"""Alignment of long-form output with reference segments, and the tokens both are compared by.

    from segmenter import SoftSegmenter

    alignment = SoftSegmenter(lang="de").align(["Guten Tag.", "Wie geht es?"], "Guten Tag wie geht es dir?")
    alignment.segment_of_unit  # array([0, 0, 1, 1, 1, 1])

Importing this package is cheap; the compiled kernel loads with the first alignment.
"""

from segmenter.alignment import Segmentation, SegmenterError
from segmenter.mwer import MwerSegmenter
from segmenter.soft import SoftSegmenter, align_tokens

__all__ = [
    "MwerSegmenter",
    "Segmentation",
    "SegmenterError",
    "SoftSegmenter",
    "align_tokens",
]
