"""Drawing of plots as inline SVG: scales, axes, lines, bands, marks; colours come from the page's style.

Not matplotlib, tried on a report of five talks: its drawings have 103 kB instead of 34, importing it takes 0.4 s where
the whole page takes 0.3, and it adds 97 MB of packages to what scoring needs. Its colours do not follow the reader's
light or dark system, its marks say nothing when they are pointed at, and its labels cover one another.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

Point = tuple[float, float]

SHAPES = ("circle", "square", "triangle", "diamond")
_CORNERS: dict[str, tuple[Point, ...]] = {
    "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    "triangle": ((0, -1), (1, 0.8), (-1, 0.8)),
    "diamond": ((0, -1.1), (1.1, 0), (0, 1.1), (-1.1, 0)),
}

SERIES = 8
"""Colours of the page's style, classes c0 to c7."""

_TEXT_WIDTH = 6.3
"""Mean advance of a character at the size of labels, px."""


def nice_step(span: float, count: int) -> float:
    """The step of 1, 2 or 5 times a power of ten that cuts `span` into about `count` parts."""
    if not span > 0:
        return 1.0
    rough = span / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough))
    return next((m * power for m in (1, 2, 5) if m * power >= rough * 0.999), 10 * power)


@dataclass(frozen=True)
class Scale:
    """A linear axis.

    Attributes:
        low, high: data range.
        ticks: where marks and grid lines stand.
        label: what the axis shows, with its unit.
    """

    low: float
    high: float
    ticks: tuple[float, ...]
    label: str = ""

    @classmethod
    def over(
        cls,
        values: Iterable[float],
        label: str = "",
        *,
        zero: bool = False,
        count: int = 5,
        pad: float = 0.06,
    ) -> Scale:
        """A scale that holds all finite `values` and some room around them; `zero` keeps 0 in sight."""
        kept = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
        low, high = min(kept), max(kept)
        if zero:
            low, high = min(low, 0.0), max(high, 0.0)
        if high - low <= max(1e-6 * max(abs(low), abs(high)), 1e-12):
            # Nothing to tell apart, or too little for a label: a wider axis around one value.
            low, high = low - abs(low) * 0.1 - 0.5, high + abs(high) * 0.1 + 0.5
        margin = (high - low) * pad
        low, high = (low if zero and low == 0 else low - margin), high + margin
        step = nice_step(high - low, count)
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        return cls(low, high, tuple(i * step for i in range(first, last + 1)), label)

    def share(self, value: float) -> float:
        """Where `value` lies between the ends, 0 to 1."""
        return (value - self.low) / (self.high - self.low)

    def text(self, tick: float) -> str:
        """A tick's label, with as many digits as the ticks need."""
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 1.0
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        return f"{tick:,.{digits}f}".replace(",", " ").replace("-", "−")


@dataclass
class Plot:
    """One plot: axes first, then whatever is drawn, in order.

    Attributes:
        x, y: the axes.
        width, height: size of the drawing in px.
        title: name for those who hear the page.
        heading: short text above the plot.
        legend: (class, shape or "line" or "area", text) entries above the plot.
    """

    x: Scale
    y: Scale
    width: float = 520
    height: float = 320
    title: str = ""
    heading: str = ""
    legend: Sequence[tuple[str, str, str]] = ()
    right: float = 14
    bottom: float = 44
    left: float = field(init=False)
    _marks: list[str] = field(default_factory=list)
    _labels: list[tuple[float, float, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.left = 30 + _TEXT_WIDTH * max((len(self.y.text(tick)) for tick in self.y.ticks), default=1)

    @property
    def top(self) -> float:
        """Room above the plot."""
        return 12 + (18 if self.heading else 0) + (22 if self.legend else 0)

    def px(self, value: float) -> float:
        """Horizontal place of a value."""
        return self.left + self.x.share(value) * (self.width - self.left - self.right)

    def py(self, value: float) -> float:
        """Vertical place of a value."""
        return self.height - self.bottom - self.y.share(value) * (self.height - self.top - self.bottom)

    def line(self, points: Sequence[Point], style: str) -> None:
        """A line through points; a NaN interrupts it. A single point is a dot."""
        if len(points) == 1 and all(map(math.isfinite, points[0])):
            self.dot(*points[0], style, size=3.5)
            return
        path, pen = [], "M"
        for x, y in points:
            if not (math.isfinite(x) and math.isfinite(y)):
                pen = "M"
                continue
            path.append(f"{pen}{self.px(x):.1f} {self.py(y):.1f}")
            pen = "L"
        if path:
            self._marks.append(f'<path class="line {style}" d="{"".join(path)}"/>')

    def area(self, upper: Sequence[Point], lower: Sequence[Point], style: str) -> None:
        """The area between two lines."""
        points = [*upper, *reversed(lower)]
        if points:
            path = "L".join(f"{self.px(x):.1f} {self.py(y):.1f}" for x, y in points)
            self._marks.append(f'<path class="area {style}" d="M{path}Z"/>')

    def steps(self, edges: Sequence[float], counts: Sequence[float], style: str) -> None:
        """A histogram as a filled outline; one more edge than counts."""
        outline: list[Point] = [(edges[0], 0.0)]
        for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
            outline += [(left, count), (right, count)]
        outline.append((edges[-1], 0.0))
        base = [(edges[0], 0.0), (edges[-1], 0.0)]
        self.area(outline, base, style)
        self.line(outline, style)

    def dot(
        self, x: float, y: float, style: str, *, shape: str = "circle", size: float = 5, tip: str = ""
    ) -> None:
        """A mark; `tip` is shown when it is pointed at."""
        self._marks.append(mark(self.px(x), self.py(y), style, shape, size, tip))

    def whiskers(self, x: float, y: float, style: str, xs: Point | None, ys: Point | None) -> None:
        """Intervals through a point, along either axis."""
        parts = []
        if xs is not None and all(map(math.isfinite, xs)):
            parts.append(f"M{self.px(xs[0]):.1f} {self.py(y):.1f}H{self.px(xs[1]):.1f}")
        if ys is not None and all(map(math.isfinite, ys)):
            parts.append(f"M{self.px(x):.1f} {self.py(ys[0]):.1f}V{self.py(ys[1]):.1f}")
        if parts:
            self._marks.append(f'<path class="whisker {style}" d="{"".join(parts)}"/>')

    def rule(self, x: float, style: str, text: str = "", row: int = 0) -> None:
        """A vertical line with a text at its top; `row` moves the text down."""
        at, top = self.px(x), self.top
        self._marks.append(f'<path class="rule {style}" d="M{at:.1f} {top:.1f}V{self.py(self.y.low):.1f}"/>')
        if text:
            fits = at + 4 + len(text) * _TEXT_WIDTH < self.width
            place, anchor = (at + 4, "start") if fits else (at - 4, "end")
            self._marks.append(
                f'<text class="note" x="{place:.1f}" y="{top + 11 + 14 * row:.1f}" text-anchor="{anchor}">'
                f"{escape(text)}</text>"
            )

    def label(
        self, x: float, y: float, text: str, gap: float = 8, before: bool = False, aslant: bool = False
    ) -> None:
        """A text beside a point, moved where it would cover another one or leave the plot.

        Args:
            x, y: the point.
            text: what to write.
            gap: distance in px.
            before: to the left if there is room.
            aslant: above or below the axes through the point, off its whiskers.
        """
        width, half = len(text) * _TEXT_WIDTH, 7.0
        at, mid = self.px(x), self.py(y)
        sides = [at + gap, at - gap - width]
        if before:
            sides.reverse()
        shifts = (-gap - 3, gap + 3) if aslant else (0.0,)
        places = [(left, mid + shift) for shift in shifts for left in sides]
        places += [(at - width / 2, mid - gap - half), (at - width / 2, mid + gap + half)]
        places += [(left, mid + shift) for shift in (-16, 16, -30, 30, -44, 44) for left in sides]
        box = (0.0, 0.0, 0.0, 0.0)
        for left, centre in places:
            box = (left, centre - half, left + width, centre + half)
            inside = box[0] >= self.left and box[2] <= self.width - 2 and box[1] >= self.top
            if inside and not any(_overlap(box, other) for other in self._labels):
                break
        else:
            left, centre = places[0]
            box = (left, centre - half, left + width, centre + half)
        self._labels.append(box)
        self._marks.append(
            f'<text class="note" x="{box[0]:.1f}" y="{(box[1] + box[3]) / 2 + 4:.1f}">{escape(text)}</text>'
        )

    def keep_clear(self, x: float, y: float, size: float = 6) -> None:
        """Keep labels off a mark."""
        at, mid = self.px(x), self.py(y)
        self._labels.append((at - size, mid - size, at + size, mid + size))

    def svg(self) -> str:
        """The drawing."""
        frame = self._frame()
        name = escape(self.title, quote=True)
        return (
            f'<svg viewBox="0 0 {self.width:g} {self.height:g}" role="img" aria-label="{name}">'
            + "".join([*frame, *self._marks])
            + "</svg>"
        )

    def _frame(self) -> list[str]:
        left, right = self.left, self.width - self.right
        base = self.height - self.bottom
        parts = []
        for tick in self.y.ticks:
            at = self.py(tick)
            parts.append(f'<path class="grid" d="M{left:.1f} {at:.1f}H{right:.1f}"/>')
            parts.append(
                f'<text class="tick" x="{left - 8:.1f}" y="{at + 4:.1f}" text-anchor="end">{self.y.text(tick)}</text>'
            )
        for tick in self.x.ticks:
            at = self.px(tick)
            parts.append(f'<path class="axis" d="M{at:.1f} {base:.1f}v4"/>')
            parts.append(
                f'<text class="tick" x="{at:.1f}" y="{base + 17:.1f}" text-anchor="middle">{self.x.text(tick)}</text>'
            )
        parts.append(f'<path class="axis" d="M{left:.1f} {base:.1f}H{right:.1f}"/>')
        middle = (left + right) / 2
        if self.x.label:
            parts.append(
                f'<text class="title" x="{middle:.1f}" y="{self.height - 8:.1f}" text-anchor="middle">'
                f"{escape(self.x.label)}</text>"
            )
        if self.y.label:
            centre = (self.top + base) / 2
            parts.append(
                f'<text class="title" transform="translate(13 {centre:.1f}) rotate(-90)" text-anchor="middle">'
                f"{escape(self.y.label)}</text>"
            )
        if self.heading:
            parts.append(f'<text class="heading" x="{left:.1f}" y="16">{escape(self.heading)}</text>')
        return parts + self._legend()

    def _legend(self) -> list[str]:
        at, y = self.left + 6, 14.0 + (18 if self.heading else 0)
        parts = []
        for style, shape, text in self.legend:
            if shape in SHAPES:
                parts.append(mark(at, y, style, shape, 5))
            elif shape == "line":
                parts.append(f'<path class="line {style}" d="M{at - 6:.1f} {y}h14"/>')
            else:
                parts.append(f'<path class="area {style}" d="M{at - 6:.1f} {y - 5}h14v10h-14Z"/>')
            parts.append(f'<text class="note" x="{at + 13:.1f}" y="{y + 4:.1f}">{escape(text)}</text>')
            at += 34 + len(text) * _TEXT_WIDTH
        return parts


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Names of the lines of several plots, (class, text) each, as HTML."""
    items = "".join(f'<span><i class="{style}"></i>{escape(text)}</span>' for style, text in entries)
    return f'<div class="legend">{items}</div>'


def _overlap(a: Sequence[float], b: Sequence[float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def mark(x: float, y: float, style: str, shape: str, size: float, tip: str = "") -> str:
    """A mark of one of `SHAPES` at a place in px; `tip` is shown when it is pointed at."""
    inner = f"<title>{escape(tip)}</title>" if tip else ""
    if shape == "circle":
        return f'<circle class="dot {style}" cx="{x:.1f}" cy="{y:.1f}" r="{size:g}">{inner}</circle>'
    reach = size * (1.25 if shape != "square" else 0.95)
    corners = _CORNERS[shape]
    path = "L".join(f"{x + dx * reach:.1f} {y + dy * reach:.1f}" for dx, dy in corners)
    return f'<path class="dot {style}" d="M{path}Z">{inner}</path>'
