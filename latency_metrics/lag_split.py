"""Lag split by cause: waiting for source (policy), computing and queueing (system), playing (playback)."""

from __future__ import annotations

from collections.abc import Sequence

from latency_metrics.base import Instance, Metric, NoValue, mean
from latency_metrics.timeline import intervals_of, is_speech
from latency_metrics.word_lag import lags


def heard_times(instance: Instance) -> Sequence[float]:
    """Time at which each unit has been shown or heard: the log's `playback`, else the ends of its intervals.

    Raises:
        NoValue: the log carries neither.
    """
    if instance.playback is not None:
        return instance.playback
    if not is_speech(instance):
        raise NoValue("the log carries no playback times")
    return [start + duration for start, duration in intervals_of(instance)]


def _difference(later: Sequence[float], earlier: Sequence[float], what: str) -> float:
    if len(later) != len(earlier):
        raise NoValue(f"it has {len(earlier)} units but {len(later)} {what}")
    return mean(b - a for a, b in zip(earlier, later, strict=True))


class PolicyLag(Metric):
    """Mean of d_i − i/γ_max over all units, ms: what the decision to wait for more source costs.

    PolicyLag + SystemLag + PlaybackLag is the mean lag of a unit when it is heard.
    """

    name = "PolicyLag"

    def _value(self, instance: Instance) -> float:
        return mean(lags(self, instance))


class SystemLag(Metric):
    """Mean of e_i − d_i over all units, ms: what computing and queueing cost.

    Reads the metric's clock against `delays`, so `clock="queue"` charges waiting in a queue and the clock
    `cu` gives 0.
    """

    name = "SystemLag"

    def _value(self, instance: Instance) -> float:
        if not instance.delays:
            raise NoValue(
                "the log carries no CU times" if instance.delays is None else "the hypothesis is empty"
            )
        return _difference(self.times(instance), instance.delays, "computation-aware times")


class PlaybackLag(Metric):
    """Mean of (time heard − emission time on the metric's clock) over all units, ms: what playing costs."""

    name = "PlaybackLag"

    def _value(self, instance: Instance) -> float:
        return _difference(heard_times(instance), self.times(instance), "playback times")
