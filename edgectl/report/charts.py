"""Charts as inline SVG. Colors are the page's variables, so that a chart follows light, dark and print."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 640, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 118, 14, 44
_MOST_POINTS = 400
_LINE = 15
"""Distance of labels one below the other."""


@dataclass(frozen=True)
class Series:
    """One line, its name written at its end. ``dashed``: told from the others without colors."""

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


@dataclass(frozen=True)
class Note:
    """A point with words beside it."""

    text: str
    x: float
    y: float


@dataclass(frozen=True)
class Axis:
    """``low`` and ``high``: None for as far as the points go."""

    label: str
    low: float | None = None
    high: float | None = None


def line_chart(
    title: str, series: Sequence[Series], x: Axis, y: Axis, notes: Sequence[Note] = ()
) -> Markup:
    """Lines over one another. ``title`` is what a screen reader says."""
    shown = [s for s in series if s.points]
    if not shown:
        return Markup("")
    xs, ys = ([p[i] for s in shown for p in s.points] for i in (0, 1))
    across = _scale(x, xs, _LEFT, _WIDTH - _RIGHT)
    up = _scale(y, ys, _HEIGHT - _BOTTOM, _TOP)
    parts = [*_grid(across, up, x.label, y.label)]
    ends = []
    for k, one in enumerate(shown):
        points = _thin(one.points)
        path = " ".join(f"{across.place(a):.1f},{up.place(b):.1f}" for a, b in points)
        dash = ' stroke-dasharray="6 4"' if one.dashed else ""
        parts.append(f'<polyline class="line c{k % 6}" points="{path}"{dash}/>')
        last = one.points[-1]
        ends.append((up.place(last[1]), across.place(last[0]), k, one.name))
    for (_, right, k, name), at in zip(
        sorted(ends), _spread([e[0] for e in sorted(ends)]), strict=True
    ):
        parts.append(
            f'<text class="end t{k % 6}" x="{right + 6:.1f}" y="{at + 4:.1f}">{escape(name)}</text>'
        )
    for note in notes:
        a, b = across.place(note.x), up.place(note.y)
        parts.append(f'<circle class="note" cx="{a:.1f}" cy="{b:.1f}" r="4"/>')
        anchor = "end" if a > _WIDTH * 0.6 else "start"
        shift = -8 if anchor == "end" else 8
        parts.append(
            f'<text class="said" text-anchor="{anchor}" x="{a + shift:.1f}" y="{b - 8:.1f}">'
            f"{escape(note.text)}</text>"
        )
    return _svg(title, _WIDTH, _HEIGHT, parts)


def bar_chart(title: str, bars: Sequence[tuple[str, float, str]]) -> Markup:
    """Horizontal bars: name, value, and the value in words."""
    if not bars:
        return Markup("")
    most = max(value for _, value, _ in bars) or 1.0
    height = 26 * len(bars) + 6
    left, room = 190, _WIDTH - 190 - 150
    parts = []
    for k, (name, value, said) in enumerate(bars):
        top = 4 + 26 * k
        wide = max(1.0, room * value / most)
        parts += [
            f'<text text-anchor="end" x="{left - 8}" y="{top + 14}">{escape(_short(name))}</text>',
            f'<rect class="bar" x="{left}" y="{top}" width="{wide:.1f}" height="18" rx="3"/>',
            f'<text class="said" x="{left + wide + 8:.1f}" y="{top + 14}">{escape(said)}</text>',
        ]
    return _svg(title, _WIDTH, height, parts)


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float
    ticks: list[float]

    def place(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)


def _scale(axis: Axis, values: Sequence[float], start: float, end: float) -> _Scale:
    low = min(values) if axis.low is None else axis.low
    high = max(values) if axis.high is None else axis.high
    if high <= low:
        low, high = low - 0.5, low + 0.5
    step = _step((high - low) / 5)
    ticks = [
        t * step for t in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]
    return _Scale(low, high, start, end, ticks)


def _step(raw: float) -> float:
    """1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)


def _grid(across: _Scale, up: _Scale, x: str, y: str) -> list[str]:
    parts = []
    for tick in up.ticks:
        at = up.place(tick)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        )
        parts.append(
            f'<text class="tick" text-anchor="end" x="{_LEFT - 6}" y="{at + 4:.1f}">{tick:g}</text>'
        )
    for tick in across.ticks:
        at = across.place(tick)
        below = _HEIGHT - _BOTTOM + 18
        parts.append(
            f'<text class="tick" text-anchor="middle" x="{at:.1f}" y="{below}">{tick:g}</text>'
        )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(
        f'<text class="axis" text-anchor="middle" x="{middle:.0f}" y="{_HEIGHT - 6}">{escape(x)}</text>'
    )
    parts.append(
        f'<text class="axis" text-anchor="middle" transform="rotate(-90 12 {_HEIGHT / 2 - 20:.0f})" '
        f'x="12" y="{_HEIGHT / 2 - 16:.0f}">{escape(y)}</text>'
    )
    return parts


def _spread(places: Sequence[float]) -> list[float]:
    """Ascending places moved down until no two labels touch, and the whole up again from below the edge."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + _LINE) if moved else place)
    over = max(0.0, moved[-1] - (_HEIGHT - _BOTTOM)) if moved else 0.0
    for k in range(len(moved) - 1, -1, -1):
        limit = moved[k + 1] - _LINE if k + 1 < len(moved) else moved[k] - over
        moved[k] = min(moved[k], limit)
    return moved


def _thin(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most so many points, the first and the last among them."""
    every = -(-len(points) // _MOST_POINTS)
    kept = list(itertools.islice(points, 0, None, max(1, every)))
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def _short(name: str, limit: int = 26) -> str:
    """Cut in the middle, where names of files differ least."""
    half = (limit - 1) // 2
    return name if len(name) <= limit else f"{name[:half]}…{name[-half:]}"


def _svg(title: str, width: int, height: int, parts: Sequence[str]) -> Markup:
    # every word from outside is escaped where it is put in
    return Markup(  # noqa: S704
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {width} {height}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
