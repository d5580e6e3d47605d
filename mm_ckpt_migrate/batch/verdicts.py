"""Diagnoses, each made once: a zoo has the same layout many times."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from pathlib import PurePosixPath
from typing import Final, TypeAlias

from mm_ckpt_migrate.identify.diagnosis.diagnosis import Diagnosis
from mm_ckpt_migrate.identify.diagnosis.judge import diagnose
from mm_ckpt_migrate.identify.diagnosis.written import Written
from mm_ckpt_migrate.identify.layouts.table import Table
from mm_ckpt_migrate.mapping.rules.library import Library
from mm_ckpt_migrate.schema import Schema, TensorSpec

# Each holds the names of a whole state dict: more layouts of a zoo at once against memory.
_KEPT: Final = 64

_Key: TypeAlias = tuple[tuple[TensorSpec, ...], tuple[tuple[str, ...], ...], str, Written]


class Verdicts:
    """`diagnose` with a memory."""

    def __init__(self, library: Library, table: Table) -> None:
        self._library = library
        self._table = table
        configs = (c for release in table.releases.values() for c in release)
        self._stems = sorted({PurePosixPath(config).stem for config in configs})
        self._made: OrderedDict[_Key, Diagnosis] = OrderedDict()

    def diagnose(self, schema: Schema, name: str, written: Written) -> Diagnosis:
        """The diagnosis of a state dict in a file of that name."""
        hint = self._hint(name)
        key = (schema.tensors, schema.ties, hint, written)
        if key not in self._made:
            hints = [hint] if hint else []
            self._made[key] = diagnose(schema, self._library, self._table, hints, written)
            if len(self._made) > _KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        return self._made[key]

    def _hint(self, name: str) -> str:
        """The longest config that a name begins with: all that a diagnosis takes from a name."""
        number = bisect_right(self._stems, name)
        while number and not name.startswith(self._stems[number - 1]):
            number = bisect_right(self._stems, _shared(self._stems[number - 1], name), 0, number - 1)
        return self._stems[number - 1] if number else ""


def _shared(first: str, second: str) -> str:
    length = next(
        (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
        min(len(first), len(second)),
    )
    return first[:length]
