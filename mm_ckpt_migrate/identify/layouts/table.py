"""The table of layouts: what the shipped configs of six releases build.

A layout is a tree of modules, and most modules occur in many layouts: each is in the table once.
`tools/layouts/collect.py` makes the table.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

from mm_ckpt_migrate.schema import Schema, TensorSpec

LAYOUTS: Final = Path(__file__).with_name("layouts.json.gz")
_GZIP: Final = 31

# Name of each child to the number of a module, or to ~number of a kind of tensor; in order.
Module: TypeAlias = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a tensor is, but for its name.

    Attributes:
        parameter: whether it is a parameter rather than a buffer.
    """

    shape: tuple[int, ...]
    dtype: str
    parameter: bool


@dataclass(frozen=True, slots=True)
class Table:
    """Every layout, by its number.

    Attributes:
        roots: the module that each layout is.
        sizes: the number of each layout's keys.
        outlines: the module that each layout's outline is.
        ties: groups of names that share one tensor, of each layout.
        releases: `mmdet-3.3.0` and so on, oldest first: config to number of its layout.
        counterparts: of each older release, config to the current release's config of that model.
        loading: release to the layouts with older names that it loads strictly: it renames them.
    """

    kinds: tuple[Kind, ...]
    modules: tuple[Module, ...]
    roots: tuple[int, ...]
    sizes: tuple[int, ...]
    outlines: tuple[int, ...]
    ties: tuple[tuple[tuple[str, ...], ...], ...]
    releases: Mapping[str, Mapping[str, int]]
    counterparts: Mapping[str, Mapping[str, str]]
    loading: Mapping[str, frozenset[int]]

    def __len__(self) -> int:
        return len(self.roots)

    def schema(self, number: int) -> Schema:
        """The state dict of a layout."""
        specs = (TensorSpec(name, kind.shape, kind.dtype) for name, kind in self._tensors(number))
        return Schema(tuple(specs), None, self.ties[number])

    def parameters(self, number: int) -> tuple[str, ...]:
        """`named_parameters()` of a layout: what optimizer state is indexed by."""
        again = {name for group in self.ties[number] for name in group[1:]}
        tensors = self._tensors(number)
        return tuple(name for name, kind in tensors if kind.parameter and name not in again)

    def configs(self, number: int) -> dict[str, tuple[str, ...]]:
        """The configs that build a layout, by release."""
        found = {
            release: tuple(config for config, layout in configs.items() if layout == number)
            for release, configs in self.releases.items()
        }
        return {release: configs for release, configs in found.items() if configs}

    def loads(self, release: str, layout: int) -> bool:
        """Whether a release loads a layout as it is: it builds that, or renames what it loads."""
        return layout in self.releases[release].values() or layout in self.loading.get(release, ())

    def is_current(self, release: str) -> bool:
        return release not in self.counterparts

    def current(self, release: str) -> str:
        """The current release of the package that a release is of."""
        package = release.partition("-")[0]
        return next(r for r in self.releases if self.is_current(r) and r.startswith(package))

    def _tensors(self, number: int) -> Iterator[tuple[str, Kind]]:
        return self._below(self.roots[number], "")

    def _below(self, module: int, prefix: str) -> Iterator[tuple[str, Kind]]:
        for name, child in self.modules[module].items():
            if child < 0:
                yield prefix + name, self.kinds[~child]
            else:
                yield from self._below(child, f"{prefix}{name}.")


@cache
def load_table() -> Table:
    """The installed table."""
    return read_table(json.loads(zlib.decompress(LAYOUTS.read_bytes(), _GZIP)))


def read_table(data: Mapping[str, Any]) -> Table:
    """The table in its packed form: flat lists, and each segment of a name once."""
    segments = data["segments"]
    layouts = data["layouts"]
    return Table(
        kinds=tuple(Kind(tuple(shape), dtype, bool(flag)) for shape, dtype, flag in data["kinds"]),
        modules=tuple(
            {segments[name]: child for name, child in zip(row[::2], row[1::2], strict=True)}
            for row in data["modules"]
        ),
        roots=tuple(layout["root"] for layout in layouts),
        sizes=tuple(layout["size"] for layout in layouts),
        outlines=tuple(layout["outline"] for layout in layouts),
        ties=tuple(tuple(map(tuple, layout["ties"])) for layout in layouts),
        releases=data["releases"],
        counterparts=data["counterparts"],
        loading={release: frozenset(layouts) for release, layouts in data.get("loading", {}).items()},
    )
