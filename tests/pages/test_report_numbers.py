"""Numbers, folded names and plots as text."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from report_examples import renames

import mm_ckpt_migrate.pages as room
from mm_ckpt_migrate.pages import numbers
from mm_ckpt_migrate.pages.data import RenameLine
from mm_ckpt_migrate.pages.folding import fold_renames
from mm_ckpt_migrate.pages.scatter import SIDE, scatter

CSS = (Path(room.__file__).parent / "templates" / "page.css").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "exactly 0"),
        (-0.0, "exactly 0"),
        (1e-45, "1e−45"),
        (1.19e-07, "1.19e−7"),
        (0.31, "0.31"),
        (math.nan, "NaN"),
        (math.inf, "inf"),
        (1e20, "1e20"),
    ],
)
def test_a_difference_is_zero_or_says_how_much(value: float, text: str) -> None:
    assert numbers.difference(value) == text


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (44.29, 44.29, "exactly 0"),
        (44.29, 44.3, "+0.01"),
        (44.3, 44.29, "−0.01"),
        (1.0, 1.001, "+0.001"),
        (1.0, math.nan, "NaN"),
    ],
)
def test_scores_differ_as_they_were_measured(old: float, new: float, text: str) -> None:
    assert numbers.signed(new - old) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_449, "99.4 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_999, "1.0 MB"),
        (176_000_000, "176 MB"),
        (2 * 10**15, "2000 TB"),
    ],
)
def test_bytes_are_counted_as_disks_are(value: int, text: str) -> None:
    assert numbers.size(value) == text


def test_shares_and_bars() -> None:
    assert numbers.share(1, 349696) == "0.00029 %"
    assert numbers.share(0, 5) == "0 %"
    assert numbers.share(1, 0) == numbers.share(math.nan, 1) == "–"
    assert numbers.share(12.34, 100) == "12 %"
    assert numbers.log_bar(0.0) == 0
    assert numbers.log_bar(math.nan) == numbers.log_bar(math.inf) == numbers.log_bar(1e9) == 100
    assert 0 < numbers.log_bar(1e-45) < numbers.log_bar(1e-7) < numbers.log_bar(3.77) < 100
    assert numbers.linear_bar(math.nan) == numbers.linear_bar(-3.0) == 0
    assert numbers.linear_bar(44.29) == 44.3


def test_renames_are_folded_and_counted() -> None:
    lines = fold_renames(renames() | {"stays": "stays"})
    assert sum(line.count for line in lines) == len(renames())
    assert lines[0] == RenameLine("ema_steps", None)
    assert lines[1] == RenameLine(
        "decode_head.transformer_decoder.layers.{0…8}.attentions.0.attn.in_proj_weight",
        "decode_head.transformer_decoder.layers.{0…8}.cross_attn.attn.in_proj_weight",
        9,
    )
    assert fold_renames({}) == ()


def test_equal_values_lie_on_the_diagonal() -> None:
    values = [-3.0, 0.0, 1.5, 12.0]
    plot = scatter([(value, value) for value in values])
    assert plot is not None
    assert plot.off == plot.missing == 0
    points = re.findall(r"M([\d.]+) ([\d.]+)h0", plot.path)
    assert len(points) == len(values)
    for x, y in points:
        assert float(x) + float(y) == pytest.approx(SIDE, abs=0.11)
    assert [tick.label for tick in plot.ticks] == ["0", "5", "10"]


@pytest.mark.parametrize("points", [[], [(math.nan, 1.0)], [(math.inf, math.inf)], [(1.7e308, -1.7e308)]])
def test_what_cannot_be_drawn_is_not(points: list[tuple[float, float]]) -> None:
    assert scatter(points) is None


@pytest.mark.parametrize("value", [0.0, 1e-30, -7.0, 1e300])
def test_one_value_is_drawn_too(value: float) -> None:
    plot = scatter([(value, value), (math.nan, 0.0)])
    assert plot is not None
    assert plot.count == plot.missing == 1
    assert len(plot.ticks) >= 2


def test_a_point_off_the_diagonal_is_counted_however_near() -> None:
    plot = scatter([(1.0, math.nextafter(1.0, 2.0)), (2.0, 2.0)])
    assert plot is not None
    assert plot.off == 1


def schemes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    found = [dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in blocks]
    return dict(zip(("light", "dark", "print"), found, strict=True))


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_has_contrast(scheme: str) -> None:
    colours = schemes()[scheme]
    fronts = ("text", "soft", "pass", "fail", "skip", "warn", "link")
    pairs = [(front, back, 4.5) for front in fronts for back in ("paper", "card", "mark")]
    pairs += [("text", f"{s}-back", 4.5) for s in ("pass", "fail", "skip")]
    pairs += [("soft", "fail-back", 4.5), ("fail", "fail-back", 4.5)]
    pairs += [("new", "paper", 4.5), ("new", "track", 3.0), ("old", "track", 3.0)]
    for front, back, least in pairs:
        light, dark = sorted((luminance(colours[front]), luminance(colours[back])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= least, f"{front} on {back}"
