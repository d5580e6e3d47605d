"""`inspect`: what is in a file, for any checkpoint, even one of another project."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

from mm_ckpt_migrate.archive.format import Format
from mm_ckpt_migrate.archive.legacy import read_legacy
from mm_ckpt_migrate.archive.sniff import sniff
from mm_ckpt_migrate.archive.source import Source
from mm_ckpt_migrate.archive.torchzip import read_zip
from mm_ckpt_migrate.checkpoint.model import Checkpoint
from mm_ckpt_migrate.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.checkpoint.policy import foreign_globals
from mm_ckpt_migrate.checkpoint.weights_only import refused_globals
from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.pickles.build import is_mapping, pairs
from mm_ckpt_migrate.pickles.errors import PickleError
from mm_ckpt_migrate.pickles.nodes import Node, Text, walk
from mm_ckpt_migrate.pickles.parse import parse_whole
from mm_ckpt_migrate.ruleset.detect import Layout, detect, find_lookalike
from mm_ckpt_migrate.ruleset.library import Library

_HASH_IN_NAME: Final = re.compile(r"[-_]([0-9a-f]{8})\.(pth|pt|safetensors)")


@dataclass(frozen=True, slots=True)
class Survey:
    """What a file is and holds.

    Attributes:
        name_hash: whether the eight hex digits in the file's name are its own digest's; None where
            the name has none.
        sections: the root's entries.
        tensors, elements, size: of the state dict: entries, elements, and bytes of all storages.
        dtypes: entries by element type.
        family: as recognised, or the lookalike's name, or None.
        layout: `old`, `new` or `mixed`, or None.
        advice: what to do with it, in a sentence.
        weights_only: whether torch.load at its defaults takes it.
        refused_globals: names that `weights_only` refuses.
        foreign: names that no checkpoint of OpenMMLab needs.
        fault: why there is no state dict to show, or None.
    """

    path: str
    format: str
    file_size: int
    sha256: str
    name_hash: bool | None
    sections: tuple[str, ...]
    tensors: int
    elements: int
    size: int
    dtypes: Mapping[str, int]
    ties: int
    has_config: bool
    has_metadata: bool
    has_optimizer: bool
    has_ema: bool
    versions: Mapping[str, str]
    stamp: Mapping[str, str] | None
    family: str | None
    layout: str | None
    advice: str
    weights_only: bool
    refused_globals: tuple[str, ...]
    foreign: tuple[str, ...]
    fault: str | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def survey(path: Path, library: Library, *, check_crc: bool = True) -> Survey:
    """Look into a file without executing anything in it.

    Raises:
        CheckpointError: the container is damaged or no checkpoint's.
    """
    with Source(path) as source:
        source.start_digest()
        root = _root(source, check_crc)
        nodes = walk(root) if root else []
        refused = refused_globals(nodes)
        checkpoint, fault = _open(source, check_crc)
        family, layout, advice = _judge(checkpoint, library)
        tensors = checkpoint.tensors.values() if checkpoint else ()
        digest = source.digest()
        sections = _sections(root) if root else ()
        return Survey(
            path=str(path),
            format=sniff(source).value,
            file_size=source.size,
            sha256=digest,
            name_hash=_name_hash(path, digest),
            sections=sections,
            tensors=len(tensors),
            elements=sum(prod(tensor.spec.shape) for tensor in tensors),
            size=sum(e.size for e in checkpoint.extents.values()) if checkpoint else 0,
            # Not a Counter, which `asdict` would count the items of.
            dtypes=dict(Counter(tensor.spec.dtype for tensor in tensors)),
            ties=len(checkpoint.schema.ties) if checkpoint else 0,
            has_config=bool(checkpoint and checkpoint.config),
            has_metadata=bool(checkpoint and checkpoint.schema.modules),
            has_optimizer="optimizer" in sections,
            has_ema="ema_state_dict" in sections,
            versions=checkpoint.versions if checkpoint else {},
            stamp=_stamp(checkpoint),
            family=family,
            layout=layout,
            advice=advice,
            weights_only=not refused,
            refused_globals=refused,
            foreign=tuple(foreign_globals(nodes)),
            fault=fault,
        )


def _root(source: Source, check_crc: bool) -> Node | None:
    """The pickled object; None for safetensors."""
    kind = sniff(source)
    try:
        if kind is Format.ZIP:
            return parse_whole(read_zip(source, check_crc=check_crc).pickle)
        return read_legacy(source).root if kind is Format.LEGACY else None
    except PickleError as error:
        raise CheckpointError(source.path, str(error)) from error


def _open(source: Source, check_crc: bool) -> tuple[Checkpoint | None, str | None]:
    try:
        return open_checkpoint(source, check_crc=check_crc), None
    except CheckpointError as error:
        if sniff(source) is Format.SAFETENSORS:
            raise
        return None, error.reason


def _sections(root: Node) -> tuple[str, ...]:
    if not is_mapping(root):
        return ()
    names = tuple(key.value for key, _ in pairs(root) if isinstance(key, Text))
    return names if len(names) <= _MAX_SECTIONS else ()


_MAX_SECTIONS: Final = 40


def _name_hash(path: Path, digest: str) -> bool | None:
    found = _HASH_IN_NAME.search(path.name)
    return digest.startswith(found.group(1)) if found else None


def _stamp(checkpoint: Checkpoint | None) -> dict[str, str] | None:
    if checkpoint is None or checkpoint.stamp is None:
        return None
    stamp = checkpoint.stamp.items()
    return {key: str(value) for key, value in stamp if key not in ("plan", "configs", "added")}


def _judge(checkpoint: Checkpoint | None, library: Library) -> tuple[str | None, str | None, str]:
    """Family, layout, and what to do."""
    if checkpoint is None:
        return None, None, "There is no state dict that could be migrated."
    names = checkpoint.schema.names
    found = detect(names, library.families)
    if len(found) == 1:
        rules, layout = found[0].rules, found[0].layout
        advice = {
            Layout.OLD: f"Migrate it: mm-ckpt-migrate convert {rules.family} CFG OLD NEW.",
            Layout.NEW: f"Its names are those of {rules.released_to}: nothing to rename.",
            Layout.MIXED: "It was half migrated; start again from the original.",
        }[layout]
        return rules.family, layout.value, advice
    if lookalike := find_lookalike(names, library.lookalikes):
        return lookalike.name, None, lookalike.advice
    return None, None, "No family of the rules has these keys; most models need no renaming."
