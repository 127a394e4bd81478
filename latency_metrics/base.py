"""What every metric shares: the instance it reads, the score it returns, and its signature.

Times are milliseconds from the start of the instance; for text input they count source tokens.
Symbols: d_i emission times (`delays`), e_i computation-aware times (`elapsed`), X source duration,
R reference length, H number of times.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar, Literal

from latency_metrics import units
from latency_metrics.errors import MetricsError
from latency_metrics.times import checked_time, checked_times

Clock = Literal["cu", "ca", "queue"]
"""Which times a metric reads.

cu     computation-unaware: how much source had arrived (`delays`).
ca     computation-aware as the log states it (`elapsed`).
queue  computation-aware by the queueing recursion of `latency_metrics.clocks` (`queued`).
"""

EdgeRule = Literal["skip", "simuleval"]
"""What AL and LAAL do with a source of length 0: skip it, or return d_0 when d_0 > 0 (SimulEval)."""

_CLOCK_FIELDS: dict[str, str] = {"cu": "delays", "ca": "elapsed", "queue": "queued"}
CLOCK_LABELS: dict[Clock, str] = {"cu": "CU", "ca": "CA", "queue": "CA-queue"}
"""How names of scores show a clock."""

Per = Literal["instance", "recording"]
"""What the values behind a score belong to."""


@dataclass(frozen=True)
class StreamStats:
    """Counts of one recording's whole event log.

    Attributes:
        units: units of the final text.
        erased_units: units of all deleted tokens, each deletion detokenised alone (simulstream).
        prefix_erased_units: sum over updates of the units beyond the common prefix with the next text
            (Arivazhagan et al. 2020).
        compute_ms: computation time of all events.
        audio_ms: audio processed at the last event.
    """

    units: int
    erased_units: int = 0
    prefix_erased_units: int = 0
    compute_ms: float = 0.0
    audio_ms: float = 0.0


@dataclass(frozen=True)
class Instance:
    """One utterance, or one reference segment after resegmentation.

    Attributes:
        index: name or number of the instance, used in notices.
        prediction: the system's text (or the path of its audio for speech output).
        reference: the reference text; None stands for "unknown" (the length of the hypothesis is used).
        delays: d_i, one per emitted unit; None when the log carries none.
        elapsed: e_i, one per emitted unit; None when the log carries none.
        queued: times by the queueing recursion, see `latency_metrics.clocks.with_queue`.
        source_length: X; None when unknown.
        time_to_recording_end: from this segment's start to the end of its recording; None when unknown.
        recording: name of the recording the segment belongs to.
        segment: number of the segment within its recording.
        document: number of the recording within the corpus, from 0.
        offset: start of the segment in its recording.
        durations: speech output: milliseconds of audio of each chunk.
        intervals: speech output: (start, duration) of each chunk on the playback clock; derived from
            `delays` and `durations` when absent.
        playback: times at which each unit has been heard or shown, where the log carries them.
        source_kind: "speech" or "text".
        reference_length: overrides the count of `reference` (logs without texts, SentencePiece units).
        stream: counts of the recording's event log, for erasure and real-time factor.

    Raises:
        MetricsError: times are not finite numbers. Arrays of numpy and other libraries become lists.
    """

    index: int | str = 0
    prediction: str = ""
    reference: str | None = None
    delays: Sequence[float] | None = None
    elapsed: Sequence[float] | None = None
    queued: Sequence[float] | None = None
    source_length: float | None = None
    time_to_recording_end: float | None = None
    recording: str | None = None
    segment: int | None = None
    document: int | None = None
    offset: float = 0.0
    durations: Sequence[float] | None = None
    intervals: Sequence[tuple[float, float]] | None = None
    playback: Sequence[float] | None = None
    source_kind: Literal["speech", "text"] = "speech"
    reference_length: int | None = None
    stream: StreamStats | None = None

    def __post_init__(self) -> None:
        whose = f"of instance {self.index!r:.60}"
        for name in ("delays", "elapsed", "queued", "durations", "playback"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, checked_times(getattr(self, name), f"The {name} {whose}"))
        for name in ("source_length", "offset"):
            if getattr(self, name) is not None:
                checked_time(getattr(self, name), f"The {name} {whose}")

    def times(self, clock: Clock) -> Sequence[float] | None:
        """The times of `clock`, or None when the log does not carry them."""
        times: Sequence[float] | None = getattr(self, _CLOCK_FIELDS[clock])
        return times


class NoValue(Exception):
    """An instance has no value under a metric; the message is the reason."""


@dataclass(frozen=True)
class Notice:
    """Something about the input that changed what was counted.

    Attributes:
        where: the instance, segment or recording.
        reason: what was found and what was done.
        metrics: the scores that it changed, such as "LAAL (CU)"; none for what holds for all of them.
    """

    where: str
    reason: str
    metrics: tuple[str, ...] = ()

    def __str__(self) -> str:
        named = f" [{', '.join(self.metrics)}]" if self.metrics else ""
        return f"{self.where}: {self.reason}{named}"


@dataclass(frozen=True)
class Score:
    """The value of one metric over a corpus.

    Attributes:
        metric: published name of the metric, such as "LAAL".
        value: corpus value; NaN when no instance has one.
        unit: "ms", "ratio", "count", "%", "s/s" or "flag".
        values: one value per instance or recording in input order, None where it has none.
        notices: instances skipped, with the reason.
        signature: one line that pins down how the value was computed.
        details: further figures behind the value, such as BLEU's n-gram counts.
        clock: which times it is of; None for quality.
        per: what `values` belong to. Only of instances is the corpus value their mean.
        normalized: whether the texts were put into NFKC.
    """

    metric: str
    value: float
    unit: str
    values: list[float | None] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    signature: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    clock: Clock | None = None
    per: Per = "instance"
    normalized: bool = False

    @property
    def name(self) -> str:
        """Name as tables and OmniSTEval show it, such as "LAAL (CU)"."""
        label = CLOCK_LABELS[self.clock] if self.clock else "NFKC-normalized" if self.normalized else ""
        return f"{self.metric} ({label})" if label else self.metric

    @property
    def counted(self) -> int:
        """Number of instances with a value."""
        return sum(1 for value in self.values if value is not None)

    def signed(self, **fields: object) -> Score:
        """The score with further fields of its signature."""
        further = "".join(f"|{key}:{value}" for key, value in fields.items())
        return replace(self, signature=self.signature + further)

    def __float__(self) -> float:
        return self.value


@cache
def package_version() -> str:
    """Version of the distribution that this package came with, "unknown" where it is not installed."""
    try:
        return version("simul")
    except PackageNotFoundError:
        return "unknown"


def mean(values: Iterable[float]) -> float:
    """Arithmetic mean, exactly rounded before the division; NaN of nothing."""
    kept = list(values)
    return math.fsum(kept) / len(kept) if kept else math.nan


class Metric(ABC):
    """A latency metric: one value per instance and one per corpus.

    Args:
        clock: which times to read, see `Clock`.
        latency_unit: how references are counted, see `latency_metrics.units.LatencyUnit`.
        use_reference_length: False replaces R by H (SimulEval's `--no-use-ref-len`).
        edge: what to do with a source of no length, see `EdgeRule`.
    """

    name: ClassVar[str]
    unit: ClassVar[str] = "ms"
    per: ClassVar[Per] = "instance"
    version: ClassVar[int] = 1

    def __init__(
        self,
        *,
        clock: Clock = "cu",
        latency_unit: units.LatencyUnit = "word",
        use_reference_length: bool = True,
        edge: EdgeRule = "skip",
    ) -> None:
        if clock not in _CLOCK_FIELDS:
            raise MetricsError(f"The clock {clock!r} is not known; use one of {', '.join(_CLOCK_FIELDS)}.")
        if edge not in ("skip", "simuleval"):
            raise MetricsError(f"The edge rule {edge!r} is not known; use skip or simuleval.")
        units.length("", latency_unit)
        self.clock: Clock = clock
        self.latency_unit: units.LatencyUnit = latency_unit
        self.use_reference_length = use_reference_length
        self.edge: EdgeRule = edge

    @property
    def label(self) -> str:
        """Name with clock, such as "LAAL (CU)"."""
        return f"{self.name} ({CLOCK_LABELS[self.clock]})"

    @abstractmethod
    def _value(self, instance: Instance) -> float:
        """Value of one instance.

        Raises:
            NoValue: the instance has no value.
        """

    def instance(self, instance: Instance) -> float | None:
        """Value of one instance, or None when it has none (`corpus` names the reason)."""
        try:
            return self._value(instance)
        except NoValue:
            return None

    def corpus(self, instances: Iterable[Instance]) -> Score:
        """Unweighted mean over the instances that have a value; the others are named in `Score.notices`."""
        values, notices = self._values(instances)
        return self._score(mean(value for value in values if value is not None), values, notices)

    def _values(
        self, instances: Iterable[Instance], fate: str = "skipped"
    ) -> tuple[list[float | None], list[Notice]]:
        """The value of each instance, None where it has none, and why; `fate`: what became of such an instance."""
        values: list[float | None] = []
        notices: list[Notice] = []
        for instance in instances:
            try:
                values.append(self._value(instance))
            except NoValue as reason:
                values.append(None)
                notices.append(Notice(describe(instance), f"{fate}, {reason}"))
        return values, notices

    def _score(self, value: float, values: list[float | None], notices: list[Notice]) -> Score:
        named = [self._named(notice) for notice in notices]
        return Score(
            self.name, value, self.unit, values, named, self.signature(), clock=self.clock, per=self.per
        )

    def _named(self, notice: Notice) -> Notice:
        """`notice` as one of this metric's."""
        return replace(notice, metrics=(self.label,))

    def signature(self) -> str:
        """One line in the manner of sacreBLEU: metric, version, unit, clock and the rules in force."""
        fields = {
            "metric": self.name,
            "version": str(self.version),
            "unit": self.unit,
            "clock": CLOCK_LABELS[self.clock],
            "count": self.latency_unit,
            "length": "reference" if self.use_reference_length else "hypothesis",
            "edge": self.edge,
        }
        fields |= {**self._signature_fields(), "simul": package_version()}
        return "|".join(f"{key}:{value}" for key, value in fields.items())

    def _signature_fields(self) -> dict[str, str]:
        """Further fields of a metric's own."""
        return {}

    def times(self, instance: Instance) -> Sequence[float]:
        """Times of the metric's clock.

        Raises:
            NoValue: the log carries none, or the hypothesis is empty.
        """
        times = instance.times(self.clock)
        if times is None:
            raise NoValue(f"the log carries no {CLOCK_LABELS[self.clock]} times")
        if len(times) == 0:
            # A log that keeps only one of its two time lists says nothing about the other clock.
            if instance.delays:
                raise NoValue(f"the log carries no {CLOCK_LABELS[self.clock]} times")
            raise NoValue("the hypothesis is empty")
        return times

    def source_length(self, instance: Instance) -> float:
        """X of an instance.

        Raises:
            NoValue: X is unknown, or not above 0.
        """
        if instance.source_length is None:
            raise NoValue("its source length is unknown")
        if not instance.source_length > 0:
            raise NoValue(f"its source length is {instance.source_length:g}")
        return instance.source_length

    def reference_length(self, instance: Instance) -> int:
        """R of an instance; H where the reference is unknown or the metric was told not to use it."""
        if self.use_reference_length:
            if instance.reference_length is not None:
                return instance.reference_length
            if instance.reference is not None:
                return units.length(instance.reference, self.latency_unit)
        return len(self.times(instance))


def describe(instance: Instance) -> str:
    """How notices name an instance."""
    if instance.recording is not None and instance.segment is not None:
        return f"instance {instance.index} (recording {instance.recording}, segment {instance.segment})"
    return f"instance {instance.index}"
