"""Figures as inline SVG and HTML, drawn where the site is made: they need no script, and colours are the page's own.

Where a figure stands in a row of a table, the row is its text alternative; the figure has no text of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

TICKS = 5


@dataclass(frozen=True)
class Scale:
    """A line from ``low`` to ``high``, with places in percent of it."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Where a value lies, in percent, with one decimal."""
        span = (self.high - self.low) or 1.0
        return round(100 * min(max((value - self.low) / span, 0.0), 1.0), 1)

    @property
    def ticks(self) -> list[float]:
        """Round values within the scale."""
        step = nice_step((self.high - self.low) / (TICKS - 1))
        first = -(-self.low // step)
        return [k * step for k in range(int(first), int(self.high // step) + 1)]


def nice_step(rough: float) -> float:
    """1, 2 or 5 times a power of ten, not below a size."""
    power = 1.0
    while power < rough:
        power *= 10
    while power > rough > 0:
        power /= 10
    return next((power * factor for factor in (1, 2, 5, 10) if power * factor >= rough), 1.0)


def scale_of(values: Iterable[float | None], at_least: tuple[float, float] | None = None) -> Scale:
    """A scale over values, widened to round ends; over 0 to 1 when there are none."""
    known = [v for v in values if v is not None]
    if at_least is not None:
        known += at_least
    if not known:
        return Scale(0.0, 1.0)
    low, high = min(known), max(known)
    step = nice_step(((high - low) or 1.0) / TICKS)
    return Scale((low // step) * step, -(-high // step) * step)


def interval(scale: Scale, value: float | None, low: float | None, high: float | None, kind: str) -> Markup:
    """A dot at a value with a line from low to high, as a cell of a table."""
    if value is None:
        return Markup("")
    line = ""
    if low is not None and high is not None:
        start = scale.at(low)
        line = f'<b style="left:{start:g}%;width:{scale.at(high) - start:.1f}%"></b>'
    return Markup(f'<i class="{("t " + kind).strip()}">{line}<u style="left:{scale.at(value):g}%"></u></i>')


def strip(scale: Scale, values: Sequence[tuple[float, bool]]) -> Markup:
    """A dot for each value on one line; those marked have a shape of their own."""
    dots = "".join(f'<u{" class=w" if marked else ""} style="left:{scale.at(v):g}%"></u>' for v, marked in values)
    return Markup(f'<i class="t strip">{dots}</i>')


def bar(part: float | None, kind: str = "") -> Markup:
    """A bar of a share (0..1), as a cell of a table."""
    if part is None:
        return Markup("")
    return Markup(f'<i class="{("t bar " + kind).strip()}"><b style="width:{100 * part:.1f}%"></b></i>')


WIDTH, HEIGHT, PAD = 132, 52, 5


def spark(values: Sequence[float | None], national: Sequence[float | None], absolute: Sequence[float | None]) -> Markup:
    """The lines of a small chart: a value over the years, with both limits. A year without a value is a gap."""
    known = [v for line in (values, national, absolute) for v in line if v is not None]
    if not known:
        return Markup("")
    low, high = min(known), max(known)
    span = (high - low) or 1.0
    step = (WIDTH - 2 * PAD) / max(len(values) - 1, 1)

    def places(line: Sequence[float | None]) -> list[str]:
        return [
            "" if v is None else f"{PAD + i * step:.0f} {HEIGHT - PAD - (v - low) / span * (HEIGHT - 2 * PAD):.0f}"
            for i, v in enumerate(line)
        ]

    def path(line: Sequence[float | None]) -> str:
        at = places(line)
        if len(set(line)) == 1 and at[0]:
            return f"M{at[0]}H{WIDTH - PAD}"
        # points that follow the first of a path are joined to it
        return "".join(f"{' ' if i and at[i - 1] else 'M'}{place}" for i, place in enumerate(at) if place)

    at = ["", *places(values), ""]
    alone = "".join(f"M{at[i]}h0" for i in range(1, len(at) - 1) if at[i] and not at[i - 1] and not at[i + 1])
    drawn = [("n", path(national)), ("a", path(absolute)), ("", path(values)), ("d", alone)]
    return Markup("".join(f'<path{f" class={kind}" if kind else ""} d="{d}"/>' for kind, d in drawn if d))


def histogram(
    counts: Sequence[int], marks: Sequence[tuple[float, str]], label: str, within: Sequence[bool] | None = None
) -> Markup:
    """Columns of counts side by side; ``marks`` are lines at places (0..1) with a class each."""
    width, height = 100 * len(counts), 400
    top = max(counts, default=0) or 1
    columns = "".join(
        f'<rect x="{100 * i + 6}" y="{height - round(height * n / top)}" width="88" height="{round(height * n / top)}"'
        f"{' class=in' if within and within[i] else ''}/>"
        for i, n in enumerate(counts)
        if n
    )
    lines = "".join(
        f'<path class="{kind}" d="M{round(width * place)} 0V{height}" vector-effect="non-scaling-stroke"/>'
        for place, kind in marks
    )
    return Markup(
        f'<svg class="hist" viewBox="0 0 {width} {height}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">{columns}{lines}</svg>'
    )


@dataclass(frozen=True)
class Line:
    """A line of a chart: its values at the places of the horizontal scale, and its class."""

    values: Sequence[float | None]
    kind: str


def lines(
    columns: Sequence[str], drawn: Sequence[Line], ticks: Sequence[tuple[float, str]], label: str, mark: float | None
) -> Markup:
    """Lines over columns that have names, with a scale at the left; ``mark`` is a place between columns (0..n-1)."""
    width, height, left, right, top, foot = 400, 200, 42, 16, 8, 24
    low, high = ticks[0][0], ticks[-1][0]
    span = (high - low) or 1.0
    step = (width - left - right) / max(len(columns) - 1, 1)

    def y(value: float) -> str:
        return f"{height - foot - (value - low) / span * (height - top - foot):.1f}"

    parts = [
        f'<path class="g" d="M{left} {y(v)}H{width - right}"/>'
        f'<text x="{left - 8}" y="{float(y(v)) + 4:.1f}" text-anchor="end">{escape(name)}</text>'
        for v, name in ticks
    ]
    parts += [
        f'<text x="{left + i * step:.1f}" y="{height - 6}" text-anchor="middle">{escape(name)}</text>'
        for i, name in enumerate(columns)
    ]
    if mark is not None:
        parts.append(f'<path class="m" d="M{left + mark * step:.1f} {top}V{height - foot}"/>')
    for line in drawn:
        pen, path = "M", []
        for i, v in enumerate(line.values):
            if v is None:
                pen = "M"
                continue
            path.append(f"{pen}{left + i * step:.1f} {y(v)}")
            pen = "L"
        parts.append(f'<path class="{line.kind}" d="{"".join(path)}"/>')
    return Markup(
        f'<svg class="lines" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )


@dataclass(frozen=True)
class Place:
    """An area of a map: its outline, what its colour says, where it leads and what it is called."""

    outline: str
    kind: str
    link: str
    name: str


def choropleth(width: float, height: float, places: Sequence[Place], label: str) -> Markup:
    """Areas with their colours; each is a link with its name as a tooltip, and a table of the page lists them too."""
    parts = [
        f'<a href="{escape(p.link)}" tabindex="-1"><path class="{p.kind}" d="{p.outline}">'
        f"<title>{escape(p.name)}</title></path></a>"
        for p in places
    ]
    return Markup(
        f'<svg class="map" viewBox="0 0 {width:g} {height:g}" role="group" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )
