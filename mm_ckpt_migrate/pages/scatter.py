"""Old against new values as one SVG path: two thousand points in some twenty kilobytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mm_ckpt_migrate.pages.numbers import MINUS

SIDE: Final = 300  # of the square plot, in its own units
_MARGIN: Final = 0.04


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on both axes: its distance from the origin, and its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Scatter:
    """A plot with equal axes, so that equal values lie on the diagonal.

    Attributes:
        path: every point as a line of no length, drawn with round ends.
        off: how many points lie off the diagonal, however little.
        missing: how many points are not finite, and cannot be drawn.
    """

    path: str
    ticks: tuple[Tick, ...]
    count: int
    off: int
    missing: int


def scatter(points: Sequence[tuple[float, float]]) -> Scatter | None:
    """The plot, or None where no point can be drawn."""
    drawn = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if not drawn:
        return None
    low, high = _range([value for pair in drawn for value in pair])
    if not math.isfinite(high - low):
        return None

    def place(value: float) -> float:
        return round((value - low) / (high - low) * SIDE, 1)

    # Points that fall on one another are drawn once.
    spots = dict.fromkeys((place(x), round(SIDE - place(y), 1)) for x, y in drawn)
    return Scatter(
        path="".join(f"M{x:g} {y:g}h0" for x, y in spots),
        ticks=tuple(Tick(place(value), label) for value, label in _ticks(low, high)),
        count=len(drawn),
        off=sum(x != y for x, y in drawn),
        missing=len(points) - len(drawn),
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    # One value alone has no range; the plot is then drawn around it.
    room = (high - low) * _MARGIN or abs(high) * 0.5 or 1.0
    return low - room, high + room


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Round values, about five."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(n for n in (1, 2, 5, 10) if n * power >= rough * 0.999)
    first, last = math.ceil(low / step), math.floor(high / step)
    values = [number * step for number in range(first, last + 1)]
    return [(value, f"{value:.4g}".replace("-", MINUS)) for value in values]
