"""`Release`: the release that a zoo belongs to, and what its configs build there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from mm_ckpt_migrate.identify.layouts.table import Table
from mm_ckpt_migrate.mapping.rules.detect import Layout, detect
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet

# The folder of a package, and what the table calls it.
_PACKAGES: Final = {"mmdet": "mmdet", "mmseg": "mmsegmentation"}
_VERSION: Final = r"\d+\.\d+\.\d+(?:rc\d+)?"
_NAME: Final = re.compile(rf"(mmdet|mmsegmentation)-({_VERSION})")
_ASSIGNED: Final = re.compile(rf"^__version__ = ['\"]({_VERSION})['\"]", re.MULTILINE)
_SINCE: Final = re.compile(rf"(mmdet|mmsegmentation) ({_VERSION}) and later")
_FINAL: Final = 1000
_MAX_BYTES: Final = 1 << 16

Version: TypeAlias = "tuple[int, ...]"


@dataclass(frozen=True, slots=True)
class Release:
    """A release, and the table of what releases build.

    Attributes:
        name: such as `mmdet-3.3.0`; the table need not have it.
    """

    name: str
    table: Table
    families: Sequence[RuleSet]

    @property
    def known(self) -> bool:
        return self.name in self.table.releases

    @property
    def older(self) -> list[str]:
        """The releases of the package in the table that came before, oldest first."""
        return [name for name in self._siblings() if _version(name) < _version(self.name)]

    @property
    def next(self) -> str | None:
        """The release in the table that it is, or the first that came after."""
        later = (name for name in self._siblings() if _version(name) >= _version(self.name))
        return next(later, None)

    def layout(self, config: str) -> int | None:
        """The number of what a config builds; None where that is not known.

        For a release that the table lacks, this is what the releases before and after it agree on;
        where they do not, it is known if a family of the rules says since when.
        """
        config = config.removeprefix("configs/")
        if self.known:
            return self.table.releases[self.name].get(config)
        before, after = self._around(config)
        if before is None or after is None or before == after:
            return before if before == after else None
        changed = self._changed(before)
        return None if changed is None else after if changed else before

    def renames(self, layout: int) -> bool:
        """Whether the release renames the keys of a layout while it loads them."""
        return layout in self.table.loading.get(self.next or "", ())

    def _around(self, config: str) -> tuple[int | None, int | None]:
        """What the config builds in the releases before and after, also where one renamed it."""
        if not self.older or self.next is None:
            return None, None
        before, after = self.older[-1], self.next
        renamed = self.table.counterparts[before] if self.table.is_current(after) else {}
        old = [name for name, new in renamed.items() if new == config]
        old_configs, new_configs = self.table.releases[before], self.table.releases[after]
        if config not in old_configs and len(old) == 1:
            return old_configs[old[0]], new_configs.get(config)
        return old_configs.get(config), new_configs.get(renamed.get(config, config))

    def _siblings(self) -> list[str]:
        package = self.name.partition("-")[0]
        return [name for name in self.table.releases if name.startswith(f"{package}-")]

    def _changed(self, layout: int) -> bool | None:
        """Whether the change of names that the rules tell of has happened to a layout by then."""
        package = self.name.partition("-")[0]
        for found in detect(self.table.schema(layout).names, self.families):
            since = dict(_SINCE.findall(found.rules.released_to))
            if found.layout is Layout.OLD and package in since:
                return _version(self.name) >= _version(f"{package}-{since[package]}")
        return None


def is_release(name: str) -> bool:
    """Whether a name is a release's, such as `mmsegmentation-1.2.2`."""
    return _NAME.fullmatch(name) is not None


def release_of(root: Path) -> str | None:
    """The release that a zoo belongs to, by the version of the package that is around or in it."""
    for folder, package in _PACKAGES.items():
        inside = root / folder / "version.py"
        path = root.parent / "version.py" if root.parent.name == folder else inside
        text = path.read_bytes()[:_MAX_BYTES] if path.is_file() else b""
        found = _ASSIGNED.search(text.decode("utf-8", "replace"))
        if found:
            return f"{package}-{found.group(1)}"
    return None


def _version(name: str) -> Version:
    """A release's version, to be compared; a final one comes after its candidates."""
    numbers = [int(digits) for digits in re.findall(r"\d+", name.partition("-")[2])]
    return (*numbers, _FINAL) if "rc" not in name else tuple(numbers)
