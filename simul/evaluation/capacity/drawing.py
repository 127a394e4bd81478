"""A picture of how many streams a machine holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from simul.evaluation.sweep.drawing import FAINT, SERIES, picture


def write_capacity(path: Path, streams: Mapping[str, int], names: Mapping[str, str], title: str) -> None:
    """Write bars as PNG: the first way in colour, those that it is compared with in grey.

    Raises:
        ModelMissingError: matplotlib is not installed.
    """
    with picture(7.0, 2.6) as drawing:
        axes = drawing.figure.subplots()
        ways = list(streams)[::-1]
        colours = [SERIES[0] if way == next(iter(streams)) else FAINT for way in ways]
        bars = axes.barh([names[way] for way in ways], [streams[way] for way in ways], color=colours)
        axes.bar_label(bars, padding=3)
        axes.set_xlabel("live streams with 95 % of decisions within a chunk")
        drawing.figure.suptitle(title, fontsize=9)
        drawing.png(path)
