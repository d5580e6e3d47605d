"""Numbers as text: zero is exactly zero, and what is no number is called so."""

from __future__ import annotations

import math
from typing import Final

MINUS: Final = "\N{MINUS SIGN}"
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_SMALLEST, _LARGEST = -16.0, 2.0  # ends of the logarithmic bars, in powers of ten


def difference(value: float) -> str:
    """A largest difference: `exactly 0`, or three digits."""
    if value == 0:
        return "exactly 0"
    return plain(value)


def plain(value: float | None) -> str:
    """Three digits."""
    return "–" if value is None else _text(f"{value:.3g}")


def _text(number: str) -> str:
    """As people write it: 1e−5, and not 1e-05."""
    mantissa, exponent, power = number.replace("nan", "NaN").partition("e")
    return (mantissa + exponent + (power and str(int(power)))).replace("-", MINUS)


def percent(value: float | None) -> str:
    """A score in percent, as mmseg prints it."""
    return "–" if value is None else _text(f"{value:.2f}")


def iou(value: float | None) -> str:
    """A class's score: it has none where the class is absent."""
    return "absent" if value is not None and math.isnan(value) else percent(value)


def signed(value: float | None) -> str:
    """A difference of scores, with its sign; `exactly 0` where there is none."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return plain(value)
    # What is left of two numbers with two digits is 0.0099999, which nobody measured.
    value = round(value, 6)
    if value == 0:
        return "exactly 0"
    return _text(f"{value:+.2f}" if abs(value) >= 0.005 else f"{value:+.1g}")


def share(part: float, whole: float) -> str:
    """A share in percent."""
    if not (math.isfinite(part) and math.isfinite(whole)) or whole == 0:
        return "–"
    if part == 0:
        return "0 %"
    found = 100 * part / whole
    return _text(f"{found:.0f}" if found >= 9.5 else f"{found:.2g}") + " %"


def log_bar(value: float | None) -> float:
    """Length of a logarithmic bar, 0 to 100: none for 0, all of it for what is no number."""
    if value is None or value == 0:
        return 0.0
    if not math.isfinite(value):
        return 100.0
    place = (math.log10(abs(value)) - _SMALLEST) / (_LARGEST - _SMALLEST)
    return round(100 * min(max(place, 0.01), 1.0), 1)


def linear_bar(value: float | None) -> float:
    """Length of a bar of percent, 0 to 100."""
    if value is None or math.isnan(value):
        return 0.0
    return round(min(max(value, 0.0), 100.0), 1)


def size(value: int) -> str:
    """Bytes, as files are counted: in powers of ten."""
    number, left = float(value), list(_UNITS)
    while round(number) >= 1000 and len(left) > 1:
        number, left = number / 1000, left[1:]
    digits = 0 if left[0] == _UNITS[0] or number >= 99.5 else 1
    return f"{number:.{digits}f} {left[0]}"
