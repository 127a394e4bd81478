"""Figures of one scored run: quality against latency, lag over each recording, distribution of lag."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from latency_metrics.base import Clock, Instance, Score
from latency_metrics.quantiles import quantiles
from latency_metrics.reports.document import Figure
from latency_metrics.reports.lag_series import binned, lag_points, pooled_lags
from latency_metrics.reports.resampling import Interval
from latency_metrics.reports.statistics import Statistic, statistics_of
from latency_metrics.reports.svg import Plot, Scale, legend
from latency_metrics.scoring.result import Report, clocks_present
from latency_metrics.units import LatencyUnit

PANELS = 24
"""Recordings whose lag a page draws."""

BINS = 48
"""Bars of a histogram, and stretches of a recording."""

NAMES: dict[Clock, str] = {"cu": "computation-unaware (CU)", "ca": "computation-aware (CA)"}
STYLES: dict[Clock, str] = {"cu": "c0", "ca": "c1"}


def figures(
    report: Report, statistics: Mapping[str, Statistic] | None, intervals: Mapping[str, Interval]
) -> list[Figure]:
    """The figures that a report's scores and times allow.

    Args:
        report: the scored run.
        statistics: of `statistics_of(report)`; made when needed without.
        intervals: confidence intervals by name of the score.
    """
    clocks = clocks_present(report.instances) if report.settings.get("latency_unit") else []
    scored = [clock for clock in clocks if report.find("YAAL", clock)]
    if not scored:
        return []
    found = []
    recordings = list(dict.fromkeys(i.recording for i in report.instances if i.recording is not None))
    if "BLEU" in report:
        found.append(_plane(report, scored, statistics, intervals, recordings))
    found.append(histogram(report, scored))
    if recordings:
        found.append(over_time(report, scored, recordings))
    elif "cu" in scored:
        found.append(_positions(report.instances))
    return found


def _plane(
    report: Report,
    clocks: Sequence[Clock],
    statistics: Mapping[str, Statistic] | None,
    intervals: Mapping[str, Interval],
    recordings: Sequence[str],
) -> Figure:
    several = len(recordings) > 1
    caption = f"BLEU against {_lag(report, clocks[0]).metric}, all segments together"
    if intervals:
        caption += ", with confidence intervals"
    if several:
        caption += "; small marks: single recordings, numbered as in the table of recordings, CU joined to CA"
    return Figure(
        "Quality and latency",
        lambda: _draw_plane(report, clocks, statistics or statistics_of(report), intervals, recordings),
        caption + ". Better is up and to the left.",
    )


def _lag(report: Report, clock: Clock) -> Score:
    score = report.find("YAAL", clock)
    assert score is not None
    return score


def _draw_plane(
    report: Report,
    clocks: Sequence[Clock],
    statistics: Mapping[str, Statistic],
    intervals: Mapping[str, Interval],
    recordings: Sequence[str],
) -> str:
    lags = {clock: _lag(report, clock) for clock in clocks}
    quality = report["BLEU"].value
    points: dict[Clock, list[tuple[float, float]]] = {clock: [] for clock in clocks}
    if len(recordings) > 1:
        member = np.array([[i.recording == name for i in report.instances] for name in recordings], float)
        bleu = statistics["BLEU"].values(member)
        for clock, score in lags.items():
            points[clock] = list(zip(statistics[score.name].values(member) / 1000, bleu, strict=True))
    corpus = {clock: score.value / 1000 for clock, score in lags.items()}
    ends = [intervals[score.name] for score in lags.values() if score.name in intervals]
    xs = [*corpus.values(), *(x for found in points.values() for x, _ in found)]
    xs += [end / 1000 for interval in ends for end in (interval.low, interval.high)]
    ys = [quality, *(y for found in points.values() for _, y in found)]
    if "BLEU" in intervals:
        ys += [intervals["BLEU"].low, intervals["BLEU"].high]
    plot = Plot(
        Scale.over(xs, f"{lags[clocks[0]].metric}, s"),
        Scale.over(ys, "BLEU"),
        title="Quality against latency",
        legend=[(STYLES[clock], "circle", NAMES[clock]) for clock in clocks],
    )
    for pair in zip(*points.values(), strict=True):
        plot.line([(float(x), float(y)) for x, y in pair], "cn thin")
    for clock, found in points.items():
        for number, (x, y) in enumerate(found):
            if math.isfinite(x):
                tip = f"{recordings[number]}: {x:.2f} s, BLEU {y:.1f}"
                plot.dot(float(x), float(y), f"{STYLES[clock]} open", size=3.6, tip=tip)
                plot.keep_clear(float(x), float(y))
    for clock, x in corpus.items():
        if math.isfinite(x):
            lag, height = intervals.get(lags[clock].name), intervals.get("BLEU")
            across = None if lag is None else (lag.low / 1000, lag.high / 1000)
            plot.whiskers(
                x, quality, STYLES[clock], across, None if height is None else (height.low, height.high)
            )
            plot.dot(
                x, quality, STYLES[clock], size=6.5, tip=f"{lags[clock].name} {x:.3f} s, BLEU {quality:.2f}"
            )
            plot.keep_clear(x, quality, 9)
    if len(recordings) <= 12:
        for number, (x, y) in enumerate(points[clocks[0]]):
            if math.isfinite(x):
                plot.label(float(x), float(y), str(number + 1), before=True)
    return plot.svg()


def histogram(report: Report, clocks: Sequence[Clock]) -> Figure:
    """The distribution of the lag of single units under every clock."""
    unit: LatencyUnit = report.settings["latency_unit"]
    pooled = {clock: pooled_lags(report.instances, clock, unit) for clock in clocks}
    ends = [quantiles(values, 0.005, 0.99) for values in pooled.values() if values] or [(0.0, 1.0)]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    beyond = sum(1 for values in pooled.values() for value in values if not low <= value <= high)
    count = max(len(values) for values in pooled.values())
    word = "character" if unit == "char" else "word"
    outside = {0: "", 1: ", one value lies outside the axis"}.get(
        beyond, f", {beyond} values lie outside the axis"
    )
    caption = (
        f"Lag of every {word} behind an even pace through its segment (the term that LAAL averages); "
        f"{count} {word}s{outside}. Dashed: median and 95th percentile."
    )
    return Figure(f"Lag of single {word}s", lambda: _draw_histogram(pooled, low, high, word), caption)


def _draw_histogram(pooled: Mapping[Clock, Sequence[float]], low: float, high: float, word: str) -> str:
    x = Scale.over([low, high], f"lag of a {word}, s", pad=0.0)
    edges = np.linspace(x.low, x.high, BINS + 1)
    heights = {
        clock: 100 * np.histogram(values, edges)[0] / max(1, len(values)) for clock, values in pooled.items()
    }
    plot = Plot(
        x,
        Scale.over([float(h) for found in heights.values() for h in found], f"% of {word}s", zero=True),
        title=f"Distribution of the lag of single {word}s",
        legend=[(STYLES[clock], "area", NAMES[clock]) for clock in pooled],
    )
    for clock, found in heights.items():
        plot.steps([float(edge) for edge in edges], [float(h) for h in found], STYLES[clock])
    rules = sorted(
        (at, f"{clock.upper()} {name}", STYLES[clock])
        for clock, values in pooled.items()
        for at, name in zip(quantiles(values, 0.5, 0.95), ("median", "95 %"), strict=True)
    )
    for row, (at, name, style) in enumerate(rules):
        if x.low <= at <= x.high:
            plot.rule(at, style, f"{name} {at:.1f} s".replace("-", "−"), row)
    return plot.svg()


def over_time(report: Report, clocks: Sequence[Clock], recordings: Sequence[str]) -> Figure:
    """The lag over the time of each recording, a panel each."""
    unit: LatencyUnit = report.settings["latency_unit"]
    shown = list(recordings)[:PANELS]
    left = f" The first {PANELS} of {len(recordings)} recordings." if len(recordings) > PANELS else ""
    caption = (
        "Lines: median lag of what was due in a stretch of the recording; shaded: 10th to 90th percentile. "
        "A line that climbs is a system that falls behind for good (LagSlope)." + left
    )
    return Figure(
        "Lag over time", lambda: _draw_over_time(report.instances, clocks, shown, unit), caption, wide=True
    )


def _draw_over_time(
    instances: Sequence[Instance], clocks: Sequence[Clock], recordings: Sequence[str], unit: LatencyUnit
) -> str:
    series = {}
    for name in recordings:
        own = [instance for instance in instances if instance.recording == name]
        points = {clock: lag_points(own, clock, unit) for clock in clocks}
        last = max((time for found in points.values() for time, _ in found), default=1.0)
        width = max(5.0, last / BINS)
        series[name] = {clock: binned(found, width) for clock, found in points.items()}
    bins = [b for found in series.values() for each in found.values() for b in each]
    y = Scale.over([q for b in bins for q in (b.low, b.high)], "lag, s", zero=True, pad=0.03)
    x = Scale.over([0.0, *(b.time / 60 for b in bins)], "time in the recording, min", zero=True, pad=0.02)
    panels = []
    for number, (name, found) in enumerate(series.items(), 1):
        plot = Plot(
            x, y, 350, 210, f"Lag over the recording {name}", f"{number}  {name}", right=6
        )  # fmt: skip
        for clock, each in found.items():
            upper = [(b.time / 60, b.high) for b in each]
            plot.area(upper, [(b.time / 60, b.low) for b in each], STYLES[clock])
            plot.line([(b.time / 60, b.median) for b in each], STYLES[clock])
        panels.append(plot.svg())
    return legend([(STYLES[clock], NAMES[clock]) for clock in clocks]) + _grid(panels)


def _grid(panels: Sequence[str]) -> str:
    return f'<div class="panels">{"".join(panels)}</div>'


def _positions(instances: Sequence[Instance]) -> Figure:
    return Figure(
        "When words appear",
        lambda: _draw_positions(instances),
        "Emission time of every word as a share of its utterance's duration (CU). A bar at 100 % holds the words "
        "that were shown only when the source had ended: with many of them a policy waits instead of translating.",
    )


def _draw_positions(instances: Sequence[Instance]) -> str:
    shares = [
        min(1.0, max(0.0, time / instance.source_length))
        for instance in instances
        if instance.source_length
        for time in instance.delays or ()
    ]
    edges = np.linspace(0, 100, 26)
    heights = 100 * np.histogram([100 * share for share in shares], edges)[0] / max(1, len(shares))
    plot = Plot(
        Scale(0, 100, (0, 20, 40, 60, 80, 100), "emission time, % of the source"),
        Scale.over([float(h) for h in heights], "% of words", zero=True),
        title="When words appear within their utterance",
    )
    plot.steps([float(edge) for edge in edges], [float(h) for h in heights], "c0")
    return plot.svg()
