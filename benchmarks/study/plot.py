"""A line plot with intervals as SVG text: nothing to install, and a diff shows what changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from srl_swe.intervals import Estimate

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 560, 320, 64, 48
_COLOURS = ("#7f7f7f", "#1f77b4", "#d62728", "#2ca02c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A named series of (x, estimate)."""

    name: str
    points: tuple[tuple[float, Estimate], ...]

    @property
    def known(self) -> list[tuple[float, Estimate]]:
        """Points that were measured."""
        return [point for point in self.points if not math.isnan(point[1].value)]


def line_plot(lines: Sequence[Line], *, x: str, y: str) -> str:
    """The plot; x on a logarithmic scale."""
    known = [point for line in lines for point in line.known]
    if not known:
        return ""
    across = sorted({place for place, _ in known})
    bounds = [edge for _, estimate in known for edge in (estimate.low, estimate.value, estimate.high)]
    low, high = min(b for b in bounds if not math.isnan(b)), max(b for b in bounds if not math.isnan(b))
    pad = 0.05 * (high - low or 1.0)
    low, high = low - pad, high + pad
    wide = math.log(across[-1] / across[0]) or 1.0

    def place(value: float) -> float:
        return _LEFT + math.log(value / across[0]) / wide * (_WIDTH - _LEFT - 24)

    def level(value: float) -> float:
        return (high - value) / (high - low) * (_HEIGHT - _BOTTOM - 16) + 16

    parts = ['<rect width="100%" height="100%" fill="white"/>', *_axes(place, level, across, (low, high), x, y)]
    for line, colour in zip(lines, _COLOURS, strict=False):
        path = " ".join(f"{place(a):.1f},{level(e.value):.1f}" for a, e in line.known)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for a, e in line.known:
            parts.append(f'<circle cx="{place(a):.1f}" cy="{level(e.value):.1f}" r="3" fill="{colour}"/>')
            if not math.isnan(e.low):
                ends = f'y1="{level(e.low):.1f}" y2="{level(e.high):.1f}"'
                parts.append(f'<line x1="{place(a):.1f}" x2="{place(a):.1f}" {ends} stroke="{colour}"/>')
        if line.known:
            a, e = line.known[-1]
            where = f'x="{place(a) - 6:.1f}" y="{level(e.value) - 8:.1f}"'
            parts.append(f'<text {where} fill="{colour}" text-anchor="end">{line.name}</text>')
    body = "\n".join(parts)
    style = 'font-family="sans-serif" font-size="12"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {style}>\n{body}\n</svg>\n'


def _axes(
    place: Callable[[float], float],
    level: Callable[[float], float],
    across: Sequence[float],
    bounds: tuple[float, float],
    x: str,
    y: str,
) -> list[str]:
    """Ticks at the measured places and at five levels, with their names."""
    floor = _HEIGHT - _BOTTOM
    parts = []
    for value in across:
        parts.append(f'<text x="{place(value):.1f}" y="{floor + 18}" text-anchor="middle">{value:g}</text>')
    for step in range(5):
        value = bounds[0] + (bounds[1] - bounds[0]) * step / 4
        at = level(value)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - 24}" y1="{at:.1f}" y2="{at:.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{value:.2f}</text>')
    middle = (_LEFT + _WIDTH - 24) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{x}</text>')
    turned = f'transform="rotate(-90 14 {floor / 2})"'
    parts.append(f'<text x="14" y="{floor / 2}" text-anchor="middle" {turned}>{y}</text>')
    return parts
