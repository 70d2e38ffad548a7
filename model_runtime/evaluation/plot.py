"""A line plot as SVG, without a plotting library: axes, one line a series, every point named."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    #: Of one line of a plot: x, y and name of each, in any order.
    Points = Sequence[tuple[float, float, str]]

_WIDTH, _HEIGHT = 760, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 220, 44, 52
#: Okabe and Ito's palette: told apart with any colour vision.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_N_TICKS = 5


def draw_plot(series: Mapping[str, Points], *, title: str, x_title: str, y_title: str) -> str:
    """Draw series, by their names, over axes that begin at 0, with a legend at the right."""
    every = [point for points in series.values() for point in points]
    x_ticks = _ticks(max((x for x, _, _ in every), default=1.0))
    y_ticks = _ticks(max((y for _, y, _ in every), default=1.0))
    x_scale = (_WIDTH - _LEFT - _RIGHT) / x_ticks[-1]
    y_scale = (_HEIGHT - _TOP - _BOTTOM) / y_ticks[-1]

    def place(x: float, y: float) -> tuple[float, float]:
        return _LEFT + x * x_scale, _HEIGHT - _BOTTOM - y * y_scale

    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
            ' font-family="sans-serif" font-size="12">'
        ),
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_LEFT, _TOP - 20, title, extra=' font-size="15"'),
        _text((_LEFT + right) / 2, _HEIGHT - 12, x_title, "middle"),
        _text(16, _TOP - 6, y_title),
    ]
    for tick in x_ticks:
        x, _ = place(tick, 0)
        parts += [_line(x, _TOP, x, bottom), _text(x, bottom + 18, f"{tick:g}", "middle")]
    for tick in y_ticks:
        _, y = place(0, tick)
        parts += [_line(_LEFT, y, right, y), _text(_LEFT - 8, y + 4, f"{tick:g}", "end")]
    for index, (name_of_line, points) in enumerate(series.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        placed = [(*place(x, y), name) for x, y, name in sorted(points)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in placed)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, y, name in placed:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')
            parts.append(_text(x + 6, y - 6, name, extra=f' font-size="10" fill="{colour}"'))
        height, fill = _TOP + 14 + 18 * index, f' fill="{colour}"'
        parts.append(_text(right + 14, height, name_of_line, extra=fill))
    return "\n".join([*parts, "</svg>", ""])


def _ticks(largest: float) -> list[float]:
    """Return round numbers from 0 to `largest` or just over it."""
    if not largest > 0:
        return [0.0, 1.0]
    rough = largest / _N_TICKS
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.999)
    return [round(step * i, 10) for i in range(math.ceil(largest / step - 1e-9) + 1)]


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, text: str, anchor: str = "start", extra: str = "") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place}{extra}>{escape(text)}</text>"
