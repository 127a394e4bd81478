"""Average Token Delay (Kano et al. 2023), as SimulEval 1.1.4 computes it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Literal

from latency_metrics.base import Instance, Metric, NoValue
from latency_metrics.errors import MetricsError

Mode = Literal["auto", "text-text", "speech-text", "speech-speech"]
"""auto chooses from the data: durations make it speech output, `source_kind` says what the input is."""

PIECE_MS = 300.0
"""Length of one piece of speech."""


class ATD(Metric):
    """Average Token Delay in ms (source tokens for text input).

    Every target piece t is compared with the source piece that many pieces earlier: ATD = mean over t of
    (y_t − x_s), with y_t the end of the target piece and x_s the end of its source piece. Speech is cut into
    pieces of 300 ms, text counts one piece per unit. With clock `ca`, e_i − d_i is cumulative compute time.

    SimulEval treats every log it re-reads as speech→text; `mode="speech-text"` gives that value for speech
    output or text input.

    Args:
        mode: see `Mode`.
        **options: those of `Metric`.
    """

    name = "ATD"

    def __init__(self, *, mode: Mode = "auto", **options: Any) -> None:
        super().__init__(**options)
        if mode not in ("auto", "text-text", "speech-text", "speech-speech"):
            raise MetricsError(
                f"The ATD mode {mode!r} is not known; use auto, text-text, speech-text or speech-speech."
            )
        self.mode: Mode = mode

    def _signature_fields(self) -> dict[str, str]:
        return {"mode": self.mode}

    def _mode(self, instance: Instance) -> str:
        if self.mode != "auto":
            return self.mode
        if instance.durations is not None:
            return "speech-speech"
        return "text-text" if instance.source_kind == "text" else "speech-text"

    def _value(self, instance: Instance) -> float:
        stamped = self.times(instance)
        delays = instance.delays
        if delays is None or len(delays) != len(stamped):
            raise NoValue("ATD needs delays, one for each computation-aware time")
        mode = self._mode(instance)
        compute = [0.0] * len(delays) if self.clock == "cu" else _compute_times(delays, stamped)
        if mode == "speech-speech":
            durations = instance.durations
            if durations is None or len(durations) != len(delays):
                raise NoValue("ATD of speech output needs one duration for each delay")
            chunks = _speech_target(delays, durations, compute)
        else:
            chunks = [
                [(time, 0.0 if mode == "speech-text" else 1.0, cost) for time, cost in run]
                for _, run in groupby(zip(delays, compute, strict=True), key=lambda unit: unit[0])
            ]
        ends, counts = _source(delays, 1.0 if mode == "text-text" else PIECE_MS, mode == "text-text")
        return _mean_delay(chunks, ends, counts)


def _compute_times(delays: Sequence[float], elapsed: Sequence[float]) -> list[float]:
    """Compute time of each unit from cumulative e_i − d_i; all zero when all e are zero."""
    if not any(elapsed):
        return [0.0] * len(delays)
    waits = [e - d for d, e in zip(delays, elapsed, strict=True)]
    return [wait - before for wait, before in zip(waits, [0.0, *waits], strict=False)]


def _cut(span: float, piece: float) -> list[float]:
    """`span` in pieces of `piece` plus the remainder when it is not zero."""
    count, rest = divmod(span, piece)
    return [piece] * int(count) + ([rest] if rest else [])


def _source(delays: Sequence[float], piece: float, whole_units: bool) -> tuple[list[float], list[int]]:
    """End time of every source piece (x_0 = 0 first), and the pieces in the chunks up to each chunk."""
    ends = [0.0]
    counts: list[int] = []
    before = 0.0
    for time in dict.fromkeys(delays):
        span = time - before
        if whole_units and span != int(span):
            raise NoValue("delays of text input must be whole numbers of source tokens")
        for length in _cut(span, piece):
            ends.append(ends[-1] + length)
        counts.append(len(ends) - 1)
        before = time
    return ends, counts


def _speech_target(
    delays: Sequence[float], durations: Sequence[float], compute: Sequence[float]
) -> list[list[tuple[float, float, float]]]:
    """Runs of equal delays, each cut into pieces of (time, length, compute time)."""
    chunks = []
    units = zip(delays, durations, compute, strict=True)
    for time, run in groupby(units, key=lambda unit: unit[0]):
        members = list(run)
        pieces = _cut(sum(member[1] for member in members), PIECE_MS)
        cost = sum(member[2] for member in members)
        chunks.append([(time, length, cost / len(pieces)) for length in pieces])
    return chunks


def _mean_delay(
    chunks: Sequence[Sequence[tuple[float, float, float]]], ends: Sequence[float], counts: Sequence[int]
) -> float:
    """Mean of y_t − x_s over all target pieces.

    Args:
        chunks: target pieces (time, length, compute time) of each target chunk.
        ends: end time of each source piece, x_0 = 0 first.
        counts: source pieces up to and including each source chunk.
    """
    total = 0.0
    end = 0.0
    piece = 0
    for c, chunk in enumerate(chunks):
        sources_before = counts[c - 1] if 0 < c <= len(counts) else (counts[-1] if c else 0)
        sources_now = counts[min(c, len(counts) - 1)]
        targets_before = piece
        for time, length, cost in chunk:
            piece += 1
            end = max(time, end) + length + cost
            source = min(piece - max(0, targets_before - sources_before), sources_now)
            total += end - ends[source]
    if piece == 0:
        raise NoValue("its speech output has no duration")
    return total / piece
