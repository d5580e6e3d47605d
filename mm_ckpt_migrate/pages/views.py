"""What the template shows, worked out before: it makes no decisions of its own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from mm_ckpt_migrate.pages import numbers
from mm_ckpt_migrate.pages.data import ClassScore, ForwardData, MetricData, OutputDifference, ReportData
from mm_ckpt_migrate.pages.pictures import hexadecimal, palette

_MOST: Final = 1e9


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure worth seeing first."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class OutputRow:
    """One row of the table of differences; `bar` is a length of 0 to 100."""

    name: str
    kind: str
    largest: str
    scale: str
    share: str
    bar: float
    control: bool = False


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric; `before` is the old release's own figure, where the reference is another."""

    name: str
    before: str | None
    reference: str
    new: str
    change: str


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class; lengths of bars are 0 to 100, the `*_key`s are what a table is sorted by."""

    label: int
    name: str
    colour: str
    old: str
    new: str
    change: str
    old_bar: float
    new_bar: float
    differs: bool
    old_key: float
    new_key: float
    change_key: float


def tiles(data: ReportData) -> list[Tile]:
    """The figures at the top, as far as they were measured."""
    found: list[Tile] = []
    if data.forward is not None and data.forward.differences:
        largest = _largest(data.forward.differences)
        control = data.forward.control
        note = "" if control is None else f"a wrong mapping: {numbers.plain(control)}"
        found.append(Tile(numbers.difference(largest), "largest difference of an output", note))
    if data.metric is not None and data.metric.new:
        name, value = next(iter(data.metric.new.items()))
        found.append(Tile(numbers.percent(value), name, _beside(data.metric, name, value)))
    if data.renames or data.kept is not None:
        renamed = sum(line.count for line in data.renames)
        kept = "" if data.kept is None else f"{data.kept:,} stay"
        found.append(Tile(f"{renamed:,}", "names change", kept))
    return found


def _beside(metric: MetricData, name: str, value: float) -> str:
    before = _before(metric, name)
    if before is None:
        return "nothing to compare with"
    return f"reference {numbers.percent(before)}, difference {numbers.signed(value - before)}"


def _before(metric: MetricData, name: str) -> float | None:
    found = metric.reference.metrics.get(name)
    return (metric.old or {}).get(name) if found is None else found


def _largest(differences: Iterable[OutputDifference]) -> float:
    """The largest, or NaN where any is: `max` would hide it."""
    values = [found.largest for found in differences]
    return math.nan if any(map(math.isnan, values)) else max(values)


def output_rows(forward: ForwardData) -> list[OutputRow]:
    """Every output in float32, then in float64, then the control."""
    rows = [_output_row(found, "float32") for found in forward.differences]
    rows += [_output_row(found, "float64") for found in forward.differences64 or ()]
    if forward.control is not None:
        rows.append(
            OutputRow(
                name="the wrong mapping",
                kind="control",
                largest=numbers.difference(forward.control),
                scale="–",
                share="–",
                bar=numbers.log_bar(forward.control),
                control=True,
            )
        )
    return rows


def checks(forward: ForwardData) -> list[tuple[bool, str]]:
    """Whether the comparison could have failed: what was asked, and whether it is so."""
    control = forward.control
    differs = None if control is None else control != 0
    seen = not forward.unseen and not forward.untried if forward.tensors else None
    tensors = f"Every one of {forward.tensors:,} tensors is seen by an output"
    asked = (
        (differs, "The wrong mapping, which loads strictly too, gives other outputs"),
        (forward.repeats, "The same run gives the same outputs each time"),
        (forward.reaches, "Another image gives other outputs"),
        (forward.alive, "The queries give different class logits"),
        (seen or None, tensors),
    )
    return [(holds, text) for holds, text in asked if holds is not None]


def _output_row(found: OutputDifference, kind: str) -> OutputRow:
    return OutputRow(
        name=found.name,
        kind=kind,
        largest=numbers.difference(found.largest),
        scale=numbers.plain(found.scale),
        share=numbers.share(found.largest, found.scale),
        bar=numbers.log_bar(found.largest),
    )


def shows_before(metric: MetricData) -> bool:
    """Whether the old release's own figures are another column than the reference."""
    return metric.old is not None and metric.old != metric.reference.metrics


def metric_rows(metric: MetricData) -> list[MetricRow]:
    """Every metric of the new file beside its reference."""
    rows = []
    for name, value in metric.new.items():
        before = _before(metric, name)
        old = numbers.percent((metric.old or {}).get(name)) if shows_before(metric) else None
        change = numbers.signed(None if before is None else value - before)
        rows.append(
            MetricRow(
                name=name,
                before=old,
                reference=numbers.percent(before),
                new=numbers.percent(value),
                change=change,
            )
        )
    return rows


def class_rows(metric: MetricData) -> list[ClassRow]:
    """Every class, those that differ most first; what is no number anywhere comes last."""
    colours = palette(metric.palette)
    rows = [
        _class_row(label, score, hexadecimal(colours[min(label, 255)]))
        for label, score in enumerate(metric.classes)
    ]
    return sorted(rows, key=lambda row: (-row.change_key, row.label))


def _class_row(label: int, score: ClassScore, colour: str) -> ClassRow:
    change, key = _change(score)
    return ClassRow(
        label=label,
        name=score.name,
        colour=colour,
        old=numbers.iou(score.old),
        new=numbers.iou(score.new),
        change=change,
        old_bar=numbers.linear_bar(score.old),
        new_bar=numbers.linear_bar(score.new),
        differs=key > 0,
        old_key=_sortable(score.old),
        new_key=_sortable(score.new),
        change_key=key,
    )


def _change(score: ClassScore) -> tuple[str, float]:
    """As text, and how much it matters: present before and absent now (or the reverse) is most.

    The script in the page reads the second, and knows no infinity.
    """
    if score.old is None:
        return "–", -1.0
    if math.isnan(score.old) or math.isnan(score.new):
        both = math.isnan(score.old) and math.isnan(score.new)
        return ("–", -1.0) if both else ("in one only", _MOST)
    found = score.new - score.old
    return numbers.signed(found), min(abs(round(found, 6)), _MOST)


def _sortable(value: float | None) -> float:
    return -1.0 if value is None or math.isnan(value) else min(max(value, -_MOST), _MOST)


def version_rows(data: ReportData) -> list[tuple[str, str | None, str | None]]:
    """Package, old version, new version: every package of either side."""
    old, new = data.old_versions or {}, data.versions
    return [(name, old.get(name), new.get(name)) for name in dict.fromkeys((*old, *new))]


def differing_classes(rows: Sequence[ClassRow]) -> int:
    return sum(row.differs for row in rows)
