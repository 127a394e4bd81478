"""The vocabulary of decisions: what a policy may ask for, what it is shown, and what it answers.

A policy judges; it never calls a model. It works in two phases on immutable values: `plan` before any
computation (read on, or decode now), `judge` on the evidence of a decoding pass (how many of the candidate's
tokens are safe to commit). Times are integer samples of the session's stream clock.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from policies.parameters import check_parameters

SAMPLES_PER_MS = 16
"""The stream clock counts 16 kHz samples."""


class Need(Enum):
    """Evidence a policy may need and a backend may provide."""

    TOKENS = "tokens"
    LOGPROBS = "log-probabilities of the candidate's tokens"
    SPANS = "source times of the candidate's tokens"
    SEGMENTS = "segments with a no-speech probability"
    ALIGNMENT = "cross-attention of the candidate's tokens on source frames"
    BEAMS = "several hypotheses of one pass"
    CTC = "a CTC word count"
    UNIT_COUNTS = "a running count of source words"
    ACTIVITY = "voice activity"
    CUT = "audio that is cut where the policy says"


SUBSTITUTES: Mapping[Need, str] = {
    Need.ALIGNMENT: "the align-bridge policy, which needs only source times, or a Whisper folder of the transformers "
    "format, which shows its attention",
    Need.SEGMENTS: "local-agreement, which needs only tokens",
    Need.LOGPROBS: "local-agreement, which needs only tokens",
    Need.BEAMS: "local-agreement, which compares passes instead of hypotheses of one pass",
    Need.CTC: "wait-k with the unit 'chunk' or 'word'",
    Need.UNIT_COUNTS: "wait-k with the unit 'chunk'",
    Need.SPANS: "hold-n, which needs only tokens",
    Need.ACTIVITY: "the policy without its gate",
    Need.CUT: "the profile 'fixed', which needs no cut",
}


@dataclass(frozen=True)
class StopRule:
    """A rule, as data, by which a decoder may stop a pass early; a backend that knows none ignores it.

    The token that a rule stops before is still shown, as a draft: it tells whether the word before it is complete.
    `at_frame`: stop before the first token whose strongest source frame lies within this many samples of the end of
    what was heard. `score_below`: stop before the first token whose log-probability is lower.
    `suppress_end`: the decoder may not end the candidate by itself (an offline model wants to end where the
    audio so far ends, which schedule policies must forbid).
    """

    at_frame: int | None = None
    score_below: float | None = None
    suppress_end: bool = False


class PlanKind(Enum):
    """What to do next with a stream."""

    READ = "read"
    DECODE = "decode"


@dataclass(frozen=True)
class Plan:
    """Answer of the first phase.

    `max_new_tokens` limits the candidate (None: the backend's own limit). `stop` lets the decoder end the pass early.
    `reason` may say why, in a word.
    """

    kind: PlanKind
    max_new_tokens: int | None = None
    stop: StopRule | None = None
    reason: str = ""


READ = Plan(PlanKind.READ)
DECODE = Plan(PlanKind.DECODE)


@dataclass(frozen=True)
class Activity:
    """Voice activity at the end of what was heard: trailing silence (samples) and share of speech in the new audio."""

    silence: int
    speech_ratio: float


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word of the source.

    `start_sample` and `end_sample` (exclusive) count samples from the start of the stream. `confidence` is
    the word's posterior probability in the final lattice, or None while the utterance is still open. `heard`: what a
    term was put in the place of, None for a word as it was understood.
    """

    text: str
    start_sample: int
    end_sample: int
    confidence: float | None = None
    heard: str | None = None


@dataclass(frozen=True)
class SourceView:
    """What is known of the source before decoding.

    `heard`: samples received since the stream began. `new`: samples since the last decoding pass.
    `segment_start`: where the current segment begins. `segment_final`: no later audio can change this segment
    (a pause, a limit or the end of the stream closed it). `finished`: the stream has ended.
    `units`: counters of the current segment, such as {"word": 7}. `words`: what a cascade's recogniser understood of
    the current segment. `speech`: the current segment's audio holds speech. `closed_by`: what closed a final segment
    ("pause", "limit" or "end").
    """

    heard: int
    new: int
    segment_start: int = 0
    segment_final: bool = False
    finished: bool = False
    units: Mapping[str, int] = field(default_factory=dict)
    activity: Activity | None = None
    words: tuple[Word, ...] = ()
    speech: bool = True
    closed_by: str = ""


@dataclass(frozen=True)
class Segment:
    """One timed piece of a Whisper-like result; `tokens` counts the candidate's tokens that belong to it."""

    start: int
    end: int
    text: str
    no_speech_prob: float
    tokens: int


@dataclass(frozen=True)
class Alignment:
    """Cross-attention [candidate tokens, source frames]; frame j covers `origin + j * frame` samples on."""

    weights: NDArray[np.float32]
    frame: int
    origin: int
    strongest: dict[tuple[str, int], NDArray[np.int64]] = field(
        default_factory=dict, repr=False, compare=False
    )
    """Kept from the first call of `policies.attention.strongest`, since several policies ask for the same. A function
    of the weights, which never change, and no part of the value: comparisons leave it out."""


@dataclass(frozen=True)
class Candidate:
    """What one decoding pass proposes after the committed prefix.

    tokens: surface pieces; a piece that begins a word starts with a space. Bytes of an unfinished character
        are carried as surrogate escapes, so joining the pieces and re-encoding restores the text.
    ids: the model's token numbers, one per token.
    logprobs: float array [n] or None. spans: int array [n, 2] of source samples (start, end) or None.
    committable: tokens from this index on are a draft: they may be shown but not committed.
    source_text: what a cascade's recogniser understood so far in this segment, settled or not.
    beams: other hypotheses of the pass (token tuples), best first.
    repairs: (start, stop, heard): tokens that a term put in the place of the words `heard`.
    spoken: the language that is spoken (ISO 639-1), where the backend was to find it out or hears another one than it
        was told; empty otherwise.
    """

    tokens: tuple[str, ...]
    ids: tuple[int, ...] = ()
    logprobs: NDArray[np.float64] | None = None
    spans: NDArray[np.int64] | None = None
    segments: tuple[Segment, ...] | None = None
    alignment: Alignment | None = None
    beams: tuple[tuple[str, ...], ...] = ()
    committable: int | None = None
    source_text: str | None = None
    spoken: str = ""
    repairs: tuple[tuple[int, int, str], ...] = ()
    ended: bool = True
    """The decoder ended the candidate itself (false: a token limit or stop rule cut it)."""

    @property
    def limit(self) -> int:
        """How many tokens may be committed at most."""
        return len(self.tokens) if self.committable is None else min(self.committable, len(self.tokens))

    @property
    def times(self) -> NDArray[np.int64] | None:
        """Source samples [n, 2] (start, end) of the tokens: their spans, or else those of their segments."""
        if self.spans is not None or self.segments is None:
            return self.spans
        counts = [s.tokens for s in self.segments]
        times = np.repeat(np.array([(s.start, s.end) for s in self.segments]).reshape(-1, 2), counts, axis=0)
        return times if len(times) == len(self.tokens) else None


@dataclass(frozen=True)
class Evidence:
    """What a policy judges: the source, the tokens committed in this segment, and the new candidate.

    The candidate continues the committed tokens, which were forced. For a policy that revises nothing is
    forced: the candidate is all audio that is still kept anew. `committed` are the segment's tokens whose audio
    is still kept. `fresh` are the tokens that the previous decision of the segment committed in the end, which a
    limit or a combination of policies may have made more or fewer than this policy proposed.
    """

    source: SourceView
    committed: tuple[str, ...]
    candidate: Candidate
    fresh: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """How many tokens of the candidate are safe.

    commit: tokens to commit, counted from the candidate's first. retract: tokens to take back first, counted
    from the end of what was committed (only policies that revise). start: the candidate's first token to put
    out then (only policies that revise; None: as many as were left standing, which the candidate repeats).
    accept: which of the first tokens are put out, for policies that skip some (None: all). reason: a short word
    for logs. forced: committed by a limit and not by the rule. cut: audio before this sample is needed no more;
    with it, the first `forget` committed tokens leave the forced prefix and become context. drop_context: the
    context misleads the model and is to be emptied.
    """

    commit: int
    retract: int = 0
    accept: tuple[bool, ...] | None = None
    reason: str = ""
    forced: bool = False
    start: int | None = None
    cut: int | None = None
    forget: int = 0
    drop_context: bool = False


WAIT = Decision(0)


class Policy(ABC):
    """A read/write policy. Instances are immutable configuration; all that changes is in the state.

    A policy with parameters is a frozen dataclass that declares each with `parameters.parameter`.

    States are frozen dataclasses (or None) whose fields are numbers, strings, booleans, None and tuples of
    these, so that they can be stored and restored.
    """

    name: ClassVar[str]
    state_type: ClassVar[type | None] = None
    revises: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_parameters(self)

    @property
    def needs(self) -> frozenset[Need]:
        """The evidence without which the policy cannot judge."""
        return frozenset({Need.TOKENS})

    def start(self) -> Any:
        """The state at the beginning of a stream."""
        return None if self.state_type is None else self.state_type()

    def next_segment(self, state: Any) -> Any:
        """The state at the beginning of a further segment; everything is forgotten unless a policy overrides this."""
        return self.start()

    def plan(self, state: Any, source: SourceView) -> Plan:
        """Whether to decode now; by default whenever there is new audio or the segment is complete."""
        return DECODE if source.new > 0 or source.segment_final else READ

    @abstractmethod
    def judge(self, state: Any, evidence: Evidence) -> tuple[Any, Decision]:
        """The new state and how much of the candidate to commit.

        When `evidence.source.segment_final` holds, nothing later can change the candidate, and policies
        commit all of it.
        """

    def dump_state(self, state: Any) -> Any:
        """`state` as plain JSON values."""
        return None if state is None else dataclasses.asdict(state)

    def load_state(self, dumped: Any) -> Any:
        """The state that `dump_state` stored, also after a round trip through JSON."""
        if dumped is None or self.state_type is None:
            return None
        return self.state_type(**{name: _tuples(value) for name, value in dumped.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, (list, tuple)) else value


def commit_all(evidence: Evidence, reason: str = "segment end") -> Decision:
    """Commit the whole candidate."""
    return Decision(len(evidence.candidate.tokens), reason=reason)


def common_prefix(sequences: Sequence[Sequence[Any]]) -> int:
    """Length of the longest prefix that all `sequences` share."""
    first = sequences[0]
    n = len(first)
    for sequence in sequences[1:]:
        n = next(
            (i for i, (a, b) in enumerate(zip(first[:n], sequence, strict=False)) if a != b),
            min(n, len(sequence)),
        )
    return n
