"""StreamAtt: which text and which audio an endless stream may forget (Papi et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from policies.attention import strongest
from policies.base import SAMPLES_PER_MS, Candidate, Decision, Evidence, Need, Plan, SourceView
from policies.combinators import Combinator, CombinedState
from policies.parameters import parameter
from policies.punctuation_hold import ends_sentence
from policies.words import count_words, word_starts

WORD_MS = 280
SNAP = 300 * SAMPLES_PER_MS
PAUSES = 16

Tokens = tuple[str, ...]


@dataclass(frozen=True)
class StreamAttState(CombinedState):
    """What the tokens rest on.

    attended: the sample each committed token attends to; proposed: the same of the last candidate's tokens.
    pauses: start and end of the latest silences. cut: the sample before which audio is gone.
    """

    attended: tuple[int, ...] = ()
    proposed: tuple[int, ...] = ()
    pauses: tuple[tuple[int, int], ...] = ()
    cut: int = 0


@dataclass(frozen=True)
class StreamAtt(Combinator):
    """Runs any policy on endless audio: keeps the last words as prefix and the audio that they attend to.

    Source: Papi, Gaido, Negri and Bentivogli, "StreamAtt: Direct Streaming Speech-to-Text Translation with
    Attention-based Audio History Selection", ACL 2024. Text history: the last words, the text since the last
    sentence end, or the last characters. Audio history: everything from the earliest frame that kept text or the
    text not yet committed rests on, by attention or by source times; or 280 ms less per forgotten word (their
    baseline).
    Further rules: the cut never moves back, moves to a pause up to 300 ms before it, and the audio has a hard
    limit, beyond which text is committed by force rather than lost.
    """

    name: ClassVar[str] = "stream-att"
    state_type: ClassVar[type] = StreamAttState
    example: ClassVar[str] = "stream-att(align-att(distance_ms=400), keep=20)"

    history: str = parameter("words", "what text is kept", choices=("words", "sentence", "characters"))
    keep: int = parameter(20, "how many words or characters are kept", low=1)
    audio: str = parameter(
        "attention", "what says which audio text rests on", choices=("attention", "times", "words")
    )
    max_audio_s: float = parameter(28.0, "audio that is kept at most, in s", low=1)
    pause_ms: int = parameter(200, "silence that a cut may move to, in ms", low=10)

    @property
    def needs(self) -> frozenset[Need]:
        extra = {"attention": Need.ALIGNMENT, "times": Need.SPANS}.get(self.audio, Need.TOKENS)
        return super().needs | {extra}

    def plan(self, state: CombinedState, source: SourceView) -> Plan:
        return self.plans(state, source)[0]

    def judge(self, state: StreamAttState, evidence: Evidence) -> tuple[Any, Decision]:
        states, (decision,) = self.judge_each(state, evidence)
        source, committed = evidence.source, evidence.committed
        cut = max(state.cut, source.segment_start)
        attended = _fit((*state.attended, *state.proposed[: len(evidence.fresh)]), len(committed), cut)
        proposed = self._rests_on(evidence)
        pauses = self._pauses(state.pauses, source)
        forget = len(committed) - self._kept(committed)
        if self.audio == "words":
            place = cut + count_words(committed[:forget]) * WORD_MS * SAMPLES_PER_MS
        else:
            # What nothing was committed of is still to be heard from its beginning, which lies before its evidence.
            kept = attended[forget:]
            place = _to_pause(min((*kept, *proposed)), pauses) if kept else cut
        limit = source.heard - int(self.max_audio_s * 1000 * SAMPLES_PER_MS)
        if place < limit:
            unsettled = proposed[:1] if self.audio != "words" else ()
            place = min(limit, max(place, *attended, *unsettled)) if proposed else limit
            forget = max(forget, next((i for i, a in enumerate(attended) if a >= place), len(committed)))
            if place < limit and evidence.candidate.limit > decision.commit:
                decision = replace(decision, commit=evidence.candidate.limit, reason="limit", forced=True)
        place = min(max(place, cut), source.heard)
        if place > cut or forget:
            decision = replace(decision, cut=place, forget=forget)
        return StreamAttState(states, attended[forget:], proposed, pauses, place), decision

    def _kept(self, tokens: Tokens) -> int:
        """How many of the last committed tokens stay in the prefix."""
        if self.history == "characters":
            size = index = 0
            for index in range(1, len(tokens) + 1):
                size += len(tokens[-index])
                if size >= self.keep:
                    break
            return index
        starts = word_starts(tokens)
        words = len(tokens) - starts[-self.keep] if len(starts) > self.keep else len(tokens)
        if self.history == "words":
            return words
        ends = [i for i, token in enumerate(tokens[:-1]) if ends_sentence(token)]
        return len(tokens) - ends[-1] - 1 if ends else len(tokens)

    def _rests_on(self, evidence: Evidence) -> tuple[int, ...]:
        """The source sample at which each of the candidate's tokens has its evidence; unknown: the latest possible."""
        candidate: Candidate = evidence.candidate
        if not candidate.tokens:
            return ()
        if self.audio == "attention" and candidate.alignment is not None:
            aligned, _ = strongest(evidence, "zscore-tokens")
            if len(aligned):
                return tuple(aligned.tolist())
        if self.audio == "times" and candidate.times is not None:
            return tuple(candidate.times[:, 0].tolist())
        return (evidence.source.heard,) * len(candidate.tokens)

    def _pauses(self, pauses: tuple[tuple[int, int], ...], source: SourceView) -> tuple[tuple[int, int], ...]:
        if source.activity is None or source.activity.silence < self.pause_ms * SAMPLES_PER_MS:
            return pauses
        latest = (source.heard - source.activity.silence, source.heard)
        if pauses and pauses[-1][1] >= latest[0]:
            latest = (pauses[-1][0], latest[1])
            pauses = pauses[:-1]
        return (*pauses, latest)[-PAUSES:]


def _fit(attended: tuple[int, ...], count: int, cut: int) -> tuple[int, ...]:
    """`attended` for exactly the last `count` tokens; of tokens not known of, the audio is taken to begin at `cut`."""
    known = attended[max(0, len(attended) - count) :]
    return (cut,) * (count - len(known)) + known


def _to_pause(place: int, pauses: tuple[tuple[int, int], ...]) -> int:
    """The last moment of silence at most 300 ms before `place`, or else `place`."""
    ends = [min(end, place) for start, end in pauses if start <= place and min(end, place) >= place - SNAP]
    return max(ends, default=place)
