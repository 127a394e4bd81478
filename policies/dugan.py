"""The evaluation of Dugan et al. 2023: growing windows over one clip, and average lagging as they print it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policies.base import SAMPLES_PER_MS
from policies.consensus import Consensus
from policies.offline import Offline
from policies.segments import SegmentPolicy


@dataclass(frozen=True)
class ClipSegment:
    """One segment of a pass; `start` and `end` in seconds from the beginning of the clip passed to the model."""

    start: float
    end: float
    text: str
    no_speech_prob: float


@dataclass(frozen=True)
class Spoken:
    """Text that was spoken; `delay` in seconds from the beginning of the utterance, computation included."""

    text: str
    delay: float


class EvaluationLoop:
    """Walks over one utterance: ask for `clip`, decode it, hand the segments to `judge`, until there is no clip.

    The policy's profile decides which of two loops this is. Faithful, as in the released script: every spoken
    segment's end, which counts from the clip's beginning, is added to the position reached, so that a second
    spoken segment skips audio; consensus stops at the first rejected segment, the others do not; a delay is the
    end of the window, even beyond the utterance, plus the computation of this pass alone; the tail that is not
    spoken at the end is lost; Offline runs all passes for nothing. Fixed: the position advances to the latest
    end, in samples; only leading segments are spoken; a pass begins when its audio has arrived and the one
    before is done; the last pass speaks everything; Offline runs none.

    `text` and `delays` hold what came of it. When `needs_offline` is true at the end, the whole utterance is to
    be decoded and handed to `offline`.
    """

    def __init__(
        self, policy: SegmentPolicy | Offline, length: float, increment: float, faithful: bool | None = None
    ) -> None:
        """`length` of the utterance and window `increment` in seconds; `faithful` defaults to the policy's profile."""
        self._policy, self._length, self._increment = policy, length, increment
        if faithful is None:
            faithful = isinstance(policy, SegmentPolicy) and policy.profile == "faithful"
        self._faithful = faithful
        self._progress = self._position = self._free = 0.0
        self._previous: list[str] | None = None
        self.spoken: list[Spoken] = []
        self._next()

    def _next(self) -> None:
        skip = isinstance(self._policy, Offline) and not self._faithful
        self._running = self._progress < self._length and not skip
        if self._running:
            self._progress += self._increment

    @property
    def clip(self) -> tuple[float, float] | None:
        """Beginning and end in seconds of the audio to decode now; None when all passes are done.

        The faithful loop may ask for an empty clip, where it has skipped beyond the audio that has arrived.
        """
        if not self._running:
            return None
        return self._position, max(self._position, min(self._progress, self._length))

    def judge(self, segments: Sequence[ClipSegment], elapsed: Sequence[float]) -> list[Spoken]:
        """What is spoken of this pass.

        elapsed: seconds of computation from the beginning of the pass to the moment each segment is judged,
        with the total of the pass as a last entry.
        """
        chosen = self._chosen(segments)
        begin = self._progress if self._faithful else max(min(self._progress, self._length), self._free)
        new = [Spoken(segments[i].text, begin + elapsed[i]) for i in chosen]
        if self._faithful:
            for i in chosen:
                self._position += segments[i].end
        elif chosen:
            latest = self._position + max(segments[i].end for i in chosen)
            self._position = round(latest * 1000 * SAMPLES_PER_MS) / (1000 * SAMPLES_PER_MS)
        self._free = begin + elapsed[-1]
        self._previous = [s.text for i, s in enumerate(segments) if i not in chosen]
        self.spoken += new
        self._next()
        return new

    def _chosen(self, segments: Sequence[ClipSegment]) -> list[int]:
        """The segments of this pass to speak."""
        policy = self._policy
        if isinstance(policy, Offline):
            return []
        if not self._faithful and self._progress >= self._length:
            return list(range(len(segments)))
        chosen = []
        for i, segment in enumerate(segments):
            open_gate = segment.no_speech_prob <= policy.no_speech_limit
            if open_gate and policy.speaks(i, segment, self._previous):
                chosen.append(i)
            elif not self._faithful or (open_gate and isinstance(policy, Consensus)):
                break
        return chosen

    @property
    def needs_offline(self) -> bool:
        """Whether nothing was spoken in any pass."""
        return not self._running and not self.spoken

    def offline(self, text: str, elapsed: float) -> None:
        """Speak the translation of the whole utterance, which took `elapsed` seconds."""
        begin = self._length if self._faithful else max(self._length, self._free)
        self.spoken.append(Spoken(text, begin + elapsed))


def published_average_lagging(
    delays: Sequence[float], source: float, reference: int, length_adaptive: bool = False
) -> float | None:
    """Average lagging as Dugan et al. print it: one reference token's duration above the standard value.

    The ideal delay of token i (from 0) is taken as (i - 1) token durations instead of i, and the cut is at the
    first delay greater than the source length, not at the first one equal to it.

    Args:
        delays: computation-aware delay of each target token, in ms.
        source: length of the source, in ms.
        reference: tokens of the reference.
        length_adaptive: LAAL, with the longer of reference and hypothesis.

    Returns:
        ms, or None without tokens.
    """
    if not delays or not reference:
        return None
    step = source / (max(reference, len(delays)) if length_adaptive else reference)
    last = next((i for i, delay in enumerate(delays) if delay > source), len(delays) - 1)
    return sum(delays[i] - step * (i - 1) for i in range(last + 1)) / (last + 1)


def published_corpus_lagging(values: Sequence[float | None]) -> float | None:
    """Their mean over utterances, which leaves out None and values of exactly zero; None when nothing is left."""
    kept = [value for value in values if value]
    return sum(kept) / len(kept) if kept else None
