"""Read a zoo: a folder with `model-index.yml`, metafiles and configs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.zoo.metafile import ZooModel, is_metafile, models
from mm_ckpt_migrate.zoo.yamltree import MAX_BYTES, Item, YamlError, read_yaml

INDEXES: Final = ("model-index.yml", "model-index.yaml")
_SUFFIXES: Final = (".yml", ".yaml")
_MAX_FILES: Final = 100_000


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a metafile, or a line of the index, could not be read."""

    file: str
    line: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Zoo:
    """A model zoo.

    Attributes:
        root: the folder that its paths start from.
        models: all entries, those of the index's metafiles first.
        listed: the metafiles that the index names; None where there is no index.
        faults: what could not be read.
    """

    root: Path
    models: tuple[ZooModel, ...]
    listed: tuple[str, ...] | None
    faults: tuple[Fault, ...]

    def path(self, name: str) -> Path | None:
        """The file that a path in a metafile means; None where it leads out of the zoo."""
        return None if leads_out(name) else self.root / name


def read_zoo(path: Path) -> Zoo:
    """Read a zoo's metafiles, those that its index lists and those that it forgot.

    Args:
        path: the zoo's folder: a checkout, the `.mim` of an installed package, or that package.

    Raises:
        ConfigError: there is no such folder, or nothing in it lists models.
    """
    root = path / ".mim" if (path / ".mim").is_dir() else path
    if not root.is_dir():
        raise ConfigError(path, "is no folder")
    reader = _Reader(root)
    listed = reader.listed()
    found = tuple(reader.models(listed or ()))
    if not found and not reader.faults:
        hint = "Give the folder with model-index.yml and configs/, such as mmdet/.mim."
        raise ConfigError(path, "no metafile in it lists a model", hint=hint)
    return Zoo(root, found, listed, tuple(reader.faults))


def leads_out(name: str) -> bool:
    """Whether a path in a metafile is none inside the zoo."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or "\x00" in name


class _Reader:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.faults: list[Fault] = []

    def listed(self) -> tuple[str, ...] | None:
        """The metafiles that the index imports."""
        for name in INDEXES:
            if (self.root / name).is_file():
                index = self._read(name)
                return tuple(dict.fromkeys(self._imports(name, index))) if index else ()
        return None

    def _imports(self, index: str, root: Item) -> Iterator[str]:
        for item in root["Import"].items:
            if leads_out(item.text):
                self.faults.append(Fault(index, item.line, "it lists a file outside the zoo"))
            elif item.text:
                yield item.text

    def models(self, listed: tuple[str, ...]) -> Iterator[ZooModel]:
        for name in listed:
            root = self._read(name)
            if root is not None:
                yield from models(root, name)
        for name in self._others(listed):
            root = self._read(name)
            if root is not None and is_metafile(root):
                yield from models(root, name)

    def _others(self, listed: tuple[str, ...]) -> list[str]:
        """The YAML files below `configs` that the index does not list."""
        start = self.root / "configs" if (self.root / "configs").is_dir() else self.root
        found = []
        for number, (folder, _, files) in enumerate(os.walk(start)):
            if number > _MAX_FILES:
                raise ConfigError(self.root, f"has more than {_MAX_FILES} folders")
            here = Path(folder).relative_to(self.root)
            named = [(here / f).as_posix() for f in files if f.endswith(_SUFFIXES)]
            found += [name for name in named if (self.root / name).is_file()]
        return sorted(set(found) - {*listed, *INDEXES})

    def _read(self, name: str) -> Item | None:
        path = self.root / name
        try:
            if path.exists() and not path.is_file():
                raise YamlError("it is no regular file")
            with path.open("rb") as file:
                return read_yaml(file.read(MAX_BYTES + 1))
        except OSError as error:
            self.faults.append(Fault(name, None, f"it cannot be read: {error.strerror}"))
        except YamlError as error:
            self.faults.append(Fault(name, error.line, error.reason))
        return None
