"""Figures of a comparison: planes of quality and latency, distribution of lag, lag over time per system."""

from __future__ import annotations

import math
from collections.abc import Sequence

from latency_metrics.base import Clock
from latency_metrics.quantiles import quantiles
from latency_metrics.reports.comparison.compare import Comparison
from latency_metrics.reports.document import Figure
from latency_metrics.reports.lag_series import binned, lag_points, pooled_lags
from latency_metrics.reports.svg import SERIES, SHAPES, Plot, Scale, legend
from latency_metrics.units import LatencyUnit

CROWD = 12
"""Systems that a plane shows by name and with intervals; more of them are numbered."""

_CLOCK_NAMES: dict[Clock, str] = {"cu": "computation-unaware", "ca": "computation-aware"}


def figures(comparison: Comparison) -> list[Figure]:
    """The figures that the systems' scores and times allow."""
    found = []
    lags = {clock: comparison.baseline.report.find("YAAL", clock) for clock in _CLOCK_NAMES}
    names = {clock: s.name for clock, s in lags.items() if s and s.name in comparison.metrics}
    if "BLEU" in comparison.metrics:
        found += [_plane(comparison, name, _CLOCK_NAMES[clock]) for clock, name in names.items()]
    clocks = list(names)
    if clocks:
        found += [_distribution(comparison, clock) for clock in clocks]
        found += _over_time(comparison, clocks[0])
    return found


def _style(number: int) -> str:
    return f"c{number % SERIES}"


def _shape(number: int) -> str:
    return SHAPES[number // SERIES % len(SHAPES)]


def _plane(comparison: Comparison, name: str, words: str) -> Figure:
    crowded = len(comparison.systems) > CROWD
    detail = ", numbered as in the table of systems" if crowded else ", with confidence intervals"
    caption = (
        f"BLEU against {name}{detail}; up and to the left is better. "
        "Dashed: the systems that no other one beats in both."
    )
    return Figure(f"Quality and latency, {words}", lambda: _draw_plane(comparison, name), caption)


def _draw_plane(comparison: Comparison, name: str) -> str:
    points = [
        (comparison.value(i, name) / 1000, comparison.value(i, "BLEU"))
        for i in range(len(comparison.systems))
    ]
    crowded = len(points) > CROWD
    xs, ys = [x for x, _ in points], [y for _, y in points]
    for own in comparison.intervals:
        if not crowded and name in own:
            xs += [own[name].low / 1000, own[name].high / 1000]
            ys += [own["BLEU"].low, own["BLEU"].high]
    height = 420 if crowded else 340
    plot = Plot(Scale.over(xs, f"{name}, s"), Scale.over(ys, "BLEU"), 540, height, f"BLEU against {name}")
    plot.line(_front(points), "cn rule")
    for number, (x, y) in enumerate(points):
        if not (math.isfinite(x) and math.isfinite(y)):
            continue
        own = comparison.intervals[number]
        if not crowded and name in own:
            lag, quality = own[name], own["BLEU"]
            ends = (lag.low / 1000, lag.high / 1000)
            plot.whiskers(x, y, _style(number), ends, (quality.low, quality.high))
        system = comparison.systems[number].name
        tip = f"{system}: {x:.2f} s, BLEU {y:.1f}"
        plot.dot(x, y, _style(number), shape=_shape(number), size=4.5 if crowded else 6, tip=tip)
        plot.keep_clear(x, y)
    for number, (x, y) in enumerate(points):
        if math.isfinite(x) and math.isfinite(y):
            text = str(number + 1) if crowded else comparison.systems[number].name
            plot.label(x, y, text, aslant=not crowded)
    return plot.svg()


def _front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points that no other one beats in both latency (lower) and quality (higher), from fast to good."""
    front: list[tuple[float, float]] = []
    for x, y in sorted(point for point in points if all(map(math.isfinite, point))):
        if not front or y > front[-1][1]:
            front.append((x, y))
    return front


def _entries(comparison: Comparison) -> list[tuple[str, str]]:
    return [(_style(i), system.name) for i, system in enumerate(comparison.systems[:SERIES])]


def _left_out(comparison: Comparison) -> str:
    more = len(comparison.systems) - SERIES
    return f" The first {SERIES} of {len(comparison.systems)} systems." if more > 0 else ""


def _unit(comparison: Comparison) -> LatencyUnit:
    unit: LatencyUnit = comparison.baseline.report.settings["latency_unit"]
    return unit


def _distribution(comparison: Comparison, clock: Clock) -> Figure:
    word = "characters" if _unit(comparison) == "char" else "words"
    return Figure(
        f"Share of {word} within a lag, {_CLOCK_NAMES[clock]}",
        lambda: _draw_distribution(comparison, clock, word),
        f"How many % of all {word} appear with at most this lag behind an even pace through their segment "
        f"({clock.upper()}); further left is better." + _left_out(comparison),
    )


def _draw_distribution(comparison: Comparison, clock: Clock, word: str) -> str:
    pooled = [
        sorted(pooled_lags(system.report.instances, clock, _unit(comparison)))
        for system in comparison.systems[:SERIES]
    ]
    ends = [quantiles(values, 0.01, 0.98) for values in pooled if values] or [(0.0, 1.0)]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    x = Scale.over([low, high], f"lag ({clock.upper()}), s", pad=0.0)
    y = Scale(0, 104, (0, 25, 50, 75, 100), f"% of {word}")
    plot = Plot(x, y, 540, 320, f"Share of {word} within a lag")
    for number, values in enumerate(pooled):
        plot.line(_cumulative(values, x), _style(number))
    return legend(_entries(comparison)) + plot.svg()


def _cumulative(values: Sequence[float], x: Scale, points: int = 160) -> list[tuple[float, float]]:
    """Share of sorted values up to each place on an axis, %."""
    from bisect import bisect_right

    places = [x.low + (x.high - x.low) * i / points for i in range(points + 1)]
    return [(place, 100 * bisect_right(values, place) / max(1, len(values))) for place in places]


def _over_time(comparison: Comparison, clock: Clock) -> list[Figure]:
    instances = comparison.baseline.report.instances
    recordings = list(dict.fromkeys(i.recording for i in instances if i.recording is not None))[:12]
    if not recordings:
        return []
    caption = f"Median lag ({clock.upper()}) of what was due in a stretch of the recording." + _left_out(
        comparison
    )
    return [
        Figure("Lag over time", lambda: _draw_over_time(comparison, clock, recordings), caption, wide=True)
    ]


def _draw_over_time(comparison: Comparison, clock: Clock, recordings: Sequence[str]) -> str:
    unit = _unit(comparison)
    series: dict[str, list[list[tuple[float, float]]]] = {}
    for name in recordings:
        lines = []
        for system in comparison.systems[:SERIES]:
            own = [instance for instance in system.report.instances if instance.recording == name]
            points = lag_points(own, clock, unit)
            last = max((time for time, _ in points), default=1.0)
            lines.append([(b.time / 60, b.median) for b in binned(points, max(10.0, last / 30))])
        series[name] = lines
    every = [point for lines in series.values() for line in lines for point in line]
    y = Scale.over([value for _, value in every], "lag, s", zero=True, pad=0.03)
    x = Scale.over([0.0, *(time for time, _ in every)], "time in the recording, min", zero=True, pad=0.02)
    panels = []
    for name, lines in series.items():
        plot = Plot(x, y, 350, 210, f"Lag over the recording {name}", name, right=6)
        for number, line in enumerate(lines):
            plot.line(line, _style(number))
        panels.append(plot.svg())
    return legend(_entries(comparison)) + f'<div class="panels">{"".join(panels)}</div>'
