"""Cached passes replayed through the evaluation loop, and the result table in the layout of Dugan et al. 2023."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policies.dugan.evaluation import ClipSegment, EvaluationLoop, Spoken
from policies.errors import PolicyError
from policies.offline import Offline
from policies.segments import SegmentPolicy

Cell = tuple[float, float]
Clip = tuple[int, int]


@dataclass(frozen=True)
class CachedUtterance:
    """One utterance's model outputs.

    length: seconds. passes: by the clip's beginning and end in ms, its segments and their elapsed seconds, with
    the pass's total as a last entry. offline: text and elapsed seconds of the whole utterance.
    """

    length: float
    passes: Mapping[Clip, tuple[tuple[ClipSegment, ...], tuple[float, ...]]]
    offline: tuple[str, float]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> CachedUtterance:
        """The utterance of a JSON object {"length", "offline": {"text", "elapsed"}, "passes": [{"begin", "end",
        "segments": [{"start", "end", "text", "no_speech_prob"}], "elapsed"}]}, times in seconds."""
        passes = {
            _clip(p["begin"], p["end"]): (tuple(ClipSegment(**s) for s in p["segments"]), tuple(p["elapsed"]))
            for p in data["passes"]
        }
        return cls(data["length"], passes, (data["offline"]["text"], data["offline"]["elapsed"]))


def _clip(begin: float, end: float) -> Clip:
    return round(begin * 1000), round(end * 1000)


def replay(
    policy: SegmentPolicy | Offline,
    utterance: CachedUtterance,
    increment: float,
    faithful: bool | None = None,
) -> list[Spoken]:
    """What the policy speaks of an utterance, from cached passes; `increment` of the window in seconds.

    Raises:
        PolicyError: the policy asks for a clip that is not cached.
    """
    loop = EvaluationLoop(policy, utterance.length, increment, faithful)
    while (clip := loop.clip) is not None:
        begin, end = clip
        found = utterance.passes.get(_clip(begin, end))
        if begin >= end:
            found = (), (0.0,)
        if found is None:
            raise PolicyError(
                f"The pass over {begin:.3f} s to {end:.3f} s of the utterance is not cached; decode it and add it."
            )
        loop.judge(*found)
    if loop.needs_offline:
        loop.offline(*utterance.offline)
    return loop.spoken


def results_table(
    cells: Mapping[tuple[str, str, float], Cell],
    policies: Sequence[str],
    languages: Sequence[str],
    increments: Sequence[float],
) -> str:
    """BLEU (AL in s) per policy, language and window increment, as a Markdown table in the paper's layout.

    A policy whose cell under the second increment equals that under the first, as Offline's does, says "same".

    Raises:
        PolicyError: a cell is missing.
    """
    columns = [(language, increment) for language in languages for increment in increments]
    lines = [
        "| policy | " + " | ".join(f"{language} {increment:g}s" for language, increment in columns) + " |",
        "| --- |" + " --- |" * len(columns),
    ]
    for policy in policies:
        row = []
        for language, increment in columns:
            if (policy, language, increment) not in cells:
                raise PolicyError(f"The table has no result of {policy} for {language} with {increment:g} s.")
            bleu, lagging = cells[policy, language, increment]
            first = cells.get((policy, language, increments[0]))
            same = increment != increments[0] and first == (bleu, lagging)
            row.append("same" if same else f"{bleu:.1f} ({lagging:.1f})")
        lines.append(f"| {policy} | " + " | ".join(row) + " |")
    return "\n".join(lines)
