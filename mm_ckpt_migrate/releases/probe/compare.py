"""Child only: compare two files of outputs, and find the first module where two models part."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np

from mm_ckpt_migrate.releases.probe import watch
from mm_ckpt_migrate.releases.probe.loaded_model import BadRecord

_NO_OUTPUTS = ("image", "record", watch.NAMES, watch.VALUES)
_POINTS = 2000


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a `compare` request.

    Request:
        first, second: `.npz` files.
        points: also give pairs of values.
        modules: name of a module in the second, to its name in the first.
        tolerance: of modules, relative to the largest value of the row.

    Returns:
        `differences`: name, largest absolute difference, largest absolute value of the first; and
        `points`, and `module`: the first that differs, by its name in the second, or None.
    """
    first, second = arrays(request["first"]), arrays(request["second"])
    names = [name for name in {**first, **second} if name not in _NO_OUTPUTS]
    modules = request.get("modules")
    return {
        "differences": [[name, *_difference(first, second, name)] for name in names],
        "points": _points(first, second, names) if request.get("points") else [],
        "module": None if modules is None else _module(first, second, modules, float(request["tolerance"])),
    }


def arrays(path: str) -> dict[str, Any]:
    """The arrays of an `.npz` file.

    Raises:
        BadRecord: it is none, holds pickled objects, or outputs that are no numbers.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found = dict(file)
    except Exception as error:
        raise BadRecord(path, f"it is no .npz file of recorded outputs: {error}") from error
    for name, array in found.items():
        if name not in _NO_OUTPUTS and (array.dtype.kind not in "fiu" or not array.size):
            raise BadRecord(path, f"it holds no numbers as {name!r}")
    return found


def _difference(first: Any, second: Any, name: str) -> tuple[float, float]:
    if name not in first or name not in second or first[name].shape != second[name].shape:
        return float("inf"), 0.0
    old = first[name].astype(np.float64)
    with np.errstate(invalid="ignore"):  # infinities that agree give NaN, which fails
        return float(np.abs(old - second[name]).max()), float(np.abs(old).max())


def _points(first: Any, second: Any, names: list[str]) -> list[list[float]]:
    """Pairs of values, as many of each output."""
    pairs: list[list[float]] = []
    for name in names:
        if name in first and name in second and first[name].shape == second[name].shape:
            old, new = first[name].ravel(), second[name].ravel()
            places = np.random.RandomState(0).randint(0, old.size, _POINTS // len(names))
            pairs += [[float(old[place]), float(new[place])] for place in places]
    return pairs


def _module(first: Any, second: Any, names: dict[str, str], tolerance: float) -> str | None:
    """The first module, in the second's order, whose output is not the first's.

    Those that the releases call another number of times are passed over.
    """
    rows, calls = _rows(first), Counter(name for name, _ in _rows(first))
    again = Counter(name for name, _ in _rows(second))
    for (name, number), new in _rows(second).items():
        known = names.get(name, name)
        old = rows.get((known, number))
        if old is None or calls[known] != again[name] or old[0] != new[0]:
            continue
        if not _same(old, new, tolerance):
            return name
    return None


def _rows(file: Any) -> dict[tuple[str, str], Any]:
    """A row of numbers by module and number of the call."""
    calls = (call.rpartition("#") for call in json.loads(str(file[watch.NAMES])))
    return {(n, k): row for (n, _, k), row in zip(calls, file[watch.VALUES])}  # noqa: B905


def _same(old: Any, new: Any, tolerance: float) -> bool:
    """Sums of squares and of values are compared with the sum of their sizes."""
    scale = np.concatenate([[1.0, old[2], old[2], old[3]], np.full(old.size - 4, _largest(old))])
    return bool(np.all(np.abs(old - new) <= tolerance * np.maximum(scale, 1e-300)))


def _largest(row: Any) -> float:
    """The root of the mean square at least: the drawn elements may miss the largest."""
    return float(max(np.abs(row[4:]).max(), np.sqrt(row[3] / max(row[0], 1.0))))
