"""Counters, gauges and histograms in the text format of Prometheus; a page of one process needs no library for it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

SECONDS = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)


@dataclass
class _Family:
    """One metric: its kind, its help, its values by label."""

    kind: str
    help: str
    values: dict[str, float] = field(default_factory=dict)


@dataclass
class _Histogram:
    """Counts up to each bound, their number and sum."""

    help: str
    bounds: tuple[float, ...]
    counts: list[int]
    total: float = 0.0


class Metrics:
    """What a server counts. A label is a text such as `reason="full"`; every name begins with "simul_"."""

    def __init__(self) -> None:
        self._families: dict[str, _Family] = {}
        self._histograms: dict[str, _Histogram] = {}
        self._gauges: dict[str, tuple[str, Callable[[], float]]] = {}

    def counter(self, name: str, help: str) -> None:
        """Declare a counter; it begins at 0."""
        self._families[name] = _Family("counter", help, {})

    def gauge(self, name: str, help: str, value: Callable[[], float]) -> None:
        """Declare a gauge, whose value is asked for."""
        self._gauges[name] = (help, value)

    def histogram(self, name: str, help: str, bounds: tuple[float, ...] = SECONDS) -> None:
        """Declare a histogram."""
        self._histograms[name] = _Histogram(help, bounds, [0] * (len(bounds) + 1))

    def add(self, name: str, amount: float = 1, **labels: object) -> None:
        """Count up."""
        values = self._families[name].values
        label = ",".join(f'{key}="{value}"' for key, value in labels.items())
        values[label] = values.get(label, 0) + amount

    def observe(self, name: str, value: float) -> None:
        """Put a value into a histogram."""
        histogram = self._histograms[name]
        histogram.counts[bisect_left(histogram.bounds, value)] += 1
        histogram.total += value

    def value(self, name: str, **labels: object) -> float:
        """What a counter or a gauge says."""
        if name in self._gauges:
            return self._gauges[name][1]()
        label = ",".join(f'{key}="{value}"' for key, value in labels.items())
        return self._families[name].values.get(label, 0)

    def text(self) -> str:
        """The page."""
        return "\n".join([*self._lines(), ""])

    def _lines(self) -> Iterable[str]:
        for name, family in self._families.items():
            yield from _head(name, family.kind, family.help)
            for label, value in (family.values or {"": 0.0}).items():
                yield f"simul_{name}{{{label}}} {value:g}" if label else f"simul_{name} {value:g}"
        for name, (about, ask) in self._gauges.items():
            yield from _head(name, "gauge", about)
            yield f"simul_{name} {ask():g}"
        for name, histogram in self._histograms.items():
            yield from _head(name, "histogram", histogram.help)
            so_far = 0
            for bound, count in zip((*histogram.bounds, "+Inf"), histogram.counts, strict=True):
                so_far += count
                yield f'simul_{name}_bucket{{le="{bound}"}} {so_far}'
            yield f"simul_{name}_sum {histogram.total:g}"
            yield f"simul_{name}_count {so_far}"


def _head(name: str, kind: str, about: str) -> tuple[str, str]:
    return f"# HELP simul_{name} {about}", f"# TYPE simul_{name} {kind}"


def declare(host: Any) -> None:
    """The metrics of a host."""
    metrics = host.metrics
    metrics.gauge("sessions", "Sessions that take up a place.", lambda: host.active)
    metrics.gauge("sessions_limit", "Sessions at once.", lambda: host.limits.sessions)
    metrics.gauge(
        "sessions_detached",
        "Sessions whose client dropped out.",
        lambda: sum(h.peer is None for h in host.sessions.values()),
    )
    metrics.gauge("workers_ready", "Workers whose models are loaded.", lambda: host.ready_workers)
    metrics.gauge("compute_seconds", "Seconds of computing of all workers.", lambda: host.compute_seconds)
    metrics.gauge(
        "queue_seconds",
        "Audio that waits, of the session that is most behind.",
        lambda: max((h.live.waiting for h in host.sessions.values()), default=0.0),
    )
    metrics.gauge(
        "lost_samples",
        "Samples received and not processed.",
        lambda: sum(h.live.lost for h in host.sessions.values()),
    )
    metrics.counter("sessions_total", "Sessions begun.")
    metrics.counter("refused_total", "Sessions refused, by reason.")
    metrics.counter("detached_total", "Clients that dropped out.")
    metrics.counter("resumes_total", "Clients that came back, by result.")
    metrics.counter("audio_bytes_total", "Bytes of audio received.")
    metrics.counter("retries_total", "Streams that failed and were heard anew.")
    metrics.counter("worker_losses_total", "Workers that broke.")
    metrics.counter("closes_total", "Sockets closed, by code.")
    metrics.counter("protocol_errors_total", "Messages refused, by code.")
    metrics.histogram("settled_lag_seconds", "From the end of what was said until its text was settled.")
    metrics.histogram("step_seconds", "Computing for one step of a worker.")
