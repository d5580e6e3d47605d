"""The files of a folder of weights, against what the metafiles say of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.audit.finding import Check, Finding, about
from mm_ckpt_migrate.audit.origin import Origin
from mm_ckpt_migrate.errors import CheckpointError, ConfigError
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.identify.layouts.overlap import equal_layouts
from mm_ckpt_migrate.identify.layouts.table import Table
from mm_ckpt_migrate.schema import Schema
from mm_ckpt_migrate.zoo.metafile import ZooModel

_SUFFIXES: Final = (".pth", ".pt", ".safetensors")
# Eight digits that are a date are none of a digest.
_DATE: Final = r"20[0-3]\d[01]\d[0-3]\d"
_DIGEST: Final = re.compile(rf"-(?!{_DATE})([0-9a-f]{{8}})\.(?:pth|pt|safetensors)$")


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file of weights.

    Attributes:
        sha256: None where the file cannot be read at all.
        schema: what it holds; None where it cannot be opened as a checkpoint.
        fault: why not.
    """

    path: Path
    sha256: str | None
    schema: Schema | None
    fault: str | None

    def origin(self, table: Table) -> Origin | None:
        """What it holds, for comparison with a config."""
        if self.schema is None:
            return None
        layouts = tuple(equal_layouts(self.schema, table))
        return Origin(self.schema, layouts, f"{self.path.name} holds that")


def find_files(folder: Path) -> dict[str, Path]:
    """The files of weights in a folder and below, by name.

    Raises:
        ConfigError: there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigError(folder, "is no folder with weights")
    found = sorted(
        Path(place) / name
        for place, _, names in os.walk(folder)
        for name in names
        if name.endswith(_SUFFIXES)
    )
    return {path.name: path for path in reversed(found)}


def open_file(path: Path) -> WeightsFile:
    """Read what a file holds, and its digest."""
    digest, schema, fault = None, None, None
    try:
        with Source(path) as source:
            source.start_digest()
            try:
                schema = open_checkpoint(source).schema
            except CheckpointError as error:
                fault = error.reason
            digest = source.digest()
    except CheckpointError as error:
        fault = error.reason
    return WeightsFile(path, digest, schema, fault)


def check_files(models: Iterable[ZooModel], files: Mapping[str, WeightsFile]) -> Iterator[Finding]:
    """Files that are damaged, or other than their name says."""
    for model in models:
        for name in model.files:
            file = files.get(name)
            if file and file.fault:
                yield about(model, Check.DAMAGED, f"{name} cannot be read: {file.fault}")
            promised = _DIGEST.search(name)
            if file and file.sha256 and promised and not file.sha256.startswith(promised.group(1)):
                sentence = f"by its name the SHA-256 of {name} begins with {promised.group(1)}"
                yield about(model, Check.HASH, f"{sentence}, and it is {file.sha256}")


def check_same(files: Mapping[str, WeightsFile]) -> Iterator[Finding]:
    """Files with different names and the same content."""
    groups: dict[str, list[str]] = {}
    for name, file in sorted(files.items()):
        if file.sha256:
            groups.setdefault(file.sha256, []).append(name)
    for digest, (first, *others) in groups.items():
        if others:
            sentence = f"{' and '.join((first, *others))} are one file"
            yield Finding(
                check=Check.SAME, entry="", place=first, sentence=sentence, evidence=(f"SHA-256 {digest}",)
            )
