"""What comes of a sweep: a point for every setting, and the best of them within a latency."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simul.evaluation.sweep.grid import Setting

OFFLINE = "offline"
"""The policy that waits for everything, the ceiling of quality."""
LIMITS = (1.0, 2.0, 3.0)
"""Latencies, in seconds, at which the best policy is named."""


@dataclass(frozen=True)
class Point:
    """One setting's scores over all recordings.

    scores: by name, such as "chrF", "LAAL (CU)" (ms), "LongYAAL (CA)". figures: recordings, passes, those passes
    that the model computed, those that approximate what it would have said, real_time_factor, erased units.
    """

    setting: Setting
    scores: Mapping[str, float]
    figures: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; scores without a value are left out."""
        return {
            "policy": self.setting.policy,
            "args": dict(self.setting.args),
            "chunk_ms": self.setting.chunk_ms,
            "curve": self.setting.curve,
            "scores": dict(self.scores),
            "figures": dict(self.figures),
        }


@dataclass(frozen=True)
class SweepResult:
    """What came of a sweep.

    pseudo: references are the output of the Offline policy of the same model on the same audio. quality, latency:
    names of the scores that stand for the trade-off.
    """

    points: Sequence[Point]
    quality: str
    latency: str
    pseudo: bool
    failures: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    interrupted: bool = False

    def ceiling(self) -> Point | None:
        """The Offline policy."""
        return next((p for p in self.points if p.setting.policy == OFFLINE), None)

    def frontier(self, latency: str, quality: str) -> list[Point]:
        """By latency, the settings that no faster one surpasses; neither Offline nor policies that take text back."""
        best: list[Point] = []
        for point in sorted(
            (p for p in self.points if p.setting.policy != OFFLINE and {latency, quality} <= p.scores.keys()),
            key=lambda p: (p.scores[latency], -p.scores[quality]),
        ):
            if not point.setting.make().revises and (
                not best or point.scores[quality] > best[-1].scores[quality]
            ):
                best.append(point)
        return best

    def best(self, limit: float, latency: str | None = None, revising: bool = False) -> Point | None:
        """Of the settings whose latency is at most `limit` seconds, the one of the highest quality.

        Neither Offline nor, unless `revising`, policies that take text back, whose latency does not tell of that.
        """
        latency, quality = latency or self.latency, self.quality
        kept = [
            p
            for p in self.points
            if p.setting.policy != OFFLINE
            and (revising or not p.setting.make().revises)
            and p.scores.get(latency, math.inf) <= 1000 * limit
            and quality in p.scores
        ]
        return max(kept, key=lambda p: (p.scores[quality], -p.scores[latency]), default=None)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        best = {f"{limit:g}": self.best(limit) for limit in LIMITS}
        return {
            "settings": dict(self.settings),
            "quality": self.quality,
            "latency": self.latency,
            "pseudo_references": self.pseudo,
            "points": [point.to_dict() for point in self.points],
            "best": {limit: None if point is None else str(point.setting) for limit, point in best.items()},
            "failures": dict(self.failures),
        }
