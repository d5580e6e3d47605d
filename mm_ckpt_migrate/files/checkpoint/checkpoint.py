"""An opened checkpoint, as the rest of the program sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.archive.image import Extent
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.storages import StorageRef
from mm_ckpt_migrate.files.checkpoint.tensors import Tensor
from mm_ckpt_migrate.files.pickles.build import Plain
from mm_ckpt_migrate.files.pickles.nodes import Mutable, Node
from mm_ckpt_migrate.schema import Schema

if TYPE_CHECKING:
    from mm_ckpt_migrate.files.archive.legacy import LegacyFile
    from mm_ckpt_migrate.files.archive.safetensors import SafetensorsFile
    from mm_ckpt_migrate.files.archive.torchzip import TorchZip

Container: TypeAlias = "TorchZip | LegacyFile | SafetensorsFile"


@dataclass(frozen=True, slots=True)
class Tree:
    """The nodes of a pickled checkpoint.

    Attributes:
        root: the pickled object.
        path: keys from the root to the state dict: `("state_dict",)`, or `()` where the root is it.
        state_dict, ema: the mappings of tensors; `ema` is mmengine's `ema_state_dict`.
        storages: every storage that the pickle refers to, by its key.
        foreign: globals that no genuine checkpoint needs.
    """

    root: Node
    path: tuple[str, ...]
    state_dict: Mutable
    ema: Mutable | None
    storages: Mapping[str, StorageRef]
    foreign: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint's content, with tensors located but not read.

    Attributes:
        source: the open file.
        format: its container's format.
        schema: the state dict's layout.
        tensors: the state dict's tensors by name, in order.
        averaged: the tensors of mmengine's `ema_state_dict`, by their names there.
        extents: the bytes of every storage in the file, by storage key.
        config: text of the config inside (`meta.cfg`, or `meta.config` of mmcv 1.x), or None.
        versions: what `meta` says of the software that wrote it.
        stamp: this tool's stamp, or None.
        sections: names of the root's entries; empty where the root is the state dict.
        tree: the nodes; None for safetensors.
        prefix: what stood before every key in the file (`checkpoint.wrappers`), and is taken off
            in everything above.
    """

    source: Source
    format: Format
    container: Container
    schema: Schema
    tensors: Mapping[str, Tensor]
    averaged: Mapping[str, Tensor]
    extents: Mapping[str, Extent]
    config: str | None
    versions: Mapping[str, str]
    stamp: Mapping[str, Plain] | None
    sections: tuple[str, ...]
    tree: Tree | None
    prefix: str = ""
