"""Small made-up runs for the tests of reports: recordings with segments, and systems of chosen quality and lag."""

from __future__ import annotations

import random
from collections.abc import Sequence

from latency_metrics import RecordingHypothesis, ReferenceSegment, Report, score_longform

WORDS = [
    "the", "a", "house", "river", "small", "green", "walks", "sees", "often", "never", "bridge", "morning",
    "letter", "stone", "quiet", "runs", "home",
]  # fmt: skip


def segments(recordings: int = 3, each: int = 6, seed: int = 1) -> list[ReferenceSegment]:
    """Recordings of segments of 3 s, a second apart, five to nine words each."""
    draw = random.Random(seed)
    found = []
    for document in range(recordings):
        for number in range(each):
            text = " ".join(draw.choices(WORDS, k=draw.randint(5, 9)))
            found.append(
                ReferenceSegment(
                    f"talk{document}.wav", 4000.0 * number, 3000.0, text, document=document, number=number
                )
            )
    return found


def system(
    given: Sequence[ReferenceSegment], lag: float, errors: float, seed: int = 2
) -> list[RecordingHypothesis]:
    """What a system says that is `lag` ms behind and gets a share `errors` of words wrong."""
    draw = random.Random(seed)
    found = []
    for name in dict.fromkeys(segment.recording for segment in given):
        units: list[str] = []
        delays: list[float] = []
        elapsed: list[float] = []
        for segment in (s for s in given if s.recording == name):
            words = segment.reference.split()
            for i, word in enumerate(words):
                units.append(draw.choice(WORDS) if draw.random() < errors else word)
                delays.append(segment.offset + 3000.0 * i / len(words) + lag + draw.uniform(-300, 300))
                elapsed.append(delays[-1] + 150.0)
        found.append(
            RecordingHypothesis(
                name, units, " ".join(units), sorted(delays), sorted(elapsed), elapsed_kind="per_chunk"
            )
        )
    return found


def run(lag: float = 1500.0, errors: float = 0.2, seed: int = 2, **options: object) -> Report:
    """A scored run."""
    given = segments()
    return score_longform(given, system(given, lag, errors, seed), lang="en", **options)  # type: ignore[arg-type]
