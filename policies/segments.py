"""What the segment policies of Dugan et al. 2023 share: gate, profiles, and segments turned into token counts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, ClassVar, Protocol

from policies.base import (
    DECODE,
    READ,
    SAMPLES_PER_MS,
    WAIT,
    Decision,
    Evidence,
    Need,
    Plan,
    Policy,
    Segment,
    SourceView,
    commit_all,
)
from policies.parameters import parameter


class Judged(Protocol):
    """What the rules look at: any timed piece of a Whisper-like result, in whatever unit of time."""

    @property
    def text(self) -> str: ...

    @property
    def no_speech_prob(self) -> float: ...


@dataclass(frozen=True)
class SegmentState:
    """`previous`: tokens and text of the segments of the last pass that were not spoken then, None before the first.

    `cut`: the sample before which the audio is gone.
    """

    previous: tuple[tuple[int, str], ...] | None = None
    cut: int = 0


@dataclass(frozen=True)
class SegmentPolicy(Policy):
    """Base of the policies that accept or reject whole segments.

    Source: Dugan et al., "Learning When to Speak: Latency and Quality Trade-offs for Simultaneous
    Speech-to-Speech Translation with Offline Models", Interspeech 2023, and the program released with it.

    Profile `fixed`: only leading segments are accepted, a pass needs a frame of new audio, committed text is
    the context of the next pass, and everything is committed at the end. Profile `faithful`: the live loop as
    released. A segment after a rejected one is spoken and the rejected one's audio is lost with it, a pass needs
    a frame of audio, new or not, no context reaches the model, and what is not accepted at the end is lost.
    What is lost is reported as skipped.
    """

    state_type: ClassVar[type] = SegmentState

    profile: str = parameter("fixed", "repaired, or as released", choices=("fixed", "faithful"))
    no_speech_limit: float = parameter(
        0.9, "no-speech probability above which a segment is skipped", low=0, high=1
    )
    frame_ms: int = parameter(1000, "audio a pass needs, in ms", low=0)

    @property
    def needs(self) -> frozenset[Need]:
        needs = frozenset({Need.TOKENS, Need.SEGMENTS})
        return needs | {Need.CUT} if self.profile == "faithful" else needs

    @abstractmethod
    def speaks(self, index: int, segment: Judged, previous: Sequence[str] | None) -> bool:
        """The rule: whether to speak the pass's segment `index`, given the unspoken segments of the last pass."""

    def accepts(self, segments: Sequence[Judged], previous: Sequence[str] | None) -> list[bool]:
        """Gate and rule for each segment, whatever becomes of the others."""
        limit = self.no_speech_limit
        return [s.no_speech_prob <= limit and self.speaks(i, s, previous) for i, s in enumerate(segments)]

    def plan(self, state: SegmentState, source: SourceView) -> Plan:
        frame = self.frame_ms * SAMPLES_PER_MS
        if source.segment_final:
            return DECODE
        if self.profile == "faithful":
            return DECODE if source.heard - max(state.cut, source.segment_start) > frame else READ
        return DECODE if source.new >= max(1, frame) else READ

    def judge(self, state: SegmentState, evidence: Evidence) -> tuple[Any, Decision]:
        if self.plan(state, evidence.source) is READ:
            return replace(state, previous=self._before(state, evidence)), WAIT
        segments = evidence.candidate.segments or ()
        if self.profile == "faithful":
            return self._judge_faithful(state, evidence, segments)
        if evidence.source.segment_final:
            return self.start(), commit_all(evidence)
        previous = self._before(state, evidence)
        verdicts = self.accepts(segments, _texts(previous))
        count = verdicts.index(False) if False in verdicts else len(verdicts)
        seen = tuple((s.tokens, s.text) for s in segments)
        ends = list(accumulate(s.tokens for s in segments[:count]))
        commit = min(ends[-1] if ends else 0, evidence.candidate.limit)
        whole = sum(end <= commit for end in ends)
        if not whole:
            return SegmentState(seen, state.cut), Decision(commit, reason="segment" if commit else "")
        cut = max(state.cut, max(s.end for s in segments[:whole]))
        forget = len(evidence.committed) + ends[whole - 1]
        return SegmentState(seen, cut), Decision(commit, reason="segment", cut=cut, forget=forget)

    def _before(self, state: SegmentState, evidence: Evidence) -> tuple[tuple[int, str], ...] | None:
        """The last pass's segments that were not spoken, given what was committed of it."""
        return state.previous if self.profile == "faithful" else _beyond(state.previous, len(evidence.fresh))

    def _judge_faithful(
        self, state: SegmentState, evidence: Evidence, segments: Sequence[Segment]
    ) -> tuple[Any, Decision]:
        verdicts = self.accepts(segments, _texts(state.previous))
        accept = tuple(v for v, s in zip(verdicts, segments, strict=True) for _ in range(s.tokens))
        spoken = [s for v, s in zip(verdicts, segments, strict=True) if v]
        cut = spoken[-1].end if spoken else state.cut
        previous = tuple((s.tokens, s.text) for s in segments if not spoken or s.end > cut)
        commit = max((i + 1 for i, said in enumerate(accept) if said), default=0)
        forget = len(evidence.committed) + sum(accept)
        decision = Decision(
            commit,
            accept=accept,
            reason="segment",
            cut=cut if spoken else None,
            forget=forget,
            drop_context=True,
        )
        return SegmentState(previous, cut), decision


def _texts(previous: tuple[tuple[int, str], ...] | None) -> list[str] | None:
    return None if previous is None else [text for _, text in previous]


def _beyond(
    previous: tuple[tuple[int, str], ...] | None, committed: int
) -> tuple[tuple[int, str], ...] | None:
    """The segments of the last pass that were not committed, `committed` tokens being so."""
    if previous is None:
        return None
    index = 0
    while index < len(previous) and 0 < previous[index][0] <= committed:
        committed -= previous[index][0]
        index += 1
    return previous[index:]
