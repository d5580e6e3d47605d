"""What this tool says a file means, in a form that can be held against what torch makes of it."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any, Final, TypeAlias

from mm_ckpt_migrate.errors import CheckpointError, LimitError
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.torchzip import TorchZip
from mm_ckpt_migrate.files.archive.transfer import measure_extents
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.files.checkpoint.tensors import Tensor, read_tensor
from mm_ckpt_migrate.files.pickles import opcodes as op
from mm_ckpt_migrate.files.pickles.build import is_mapping, pairs
from mm_ckpt_migrate.files.pickles.errors import PickleError
from mm_ckpt_migrate.files.pickles.nodes import Call, Dict, List, Mutable, Node, Scalar, Text, Tuple, walk
from mm_ckpt_migrate.files.pickles.parse import parse_whole

# A kind, then what it holds: see `_Describer.node`.
Description: TypeAlias = tuple[Any, ...]
OPAQUE: Final = "opaque"


class RefusedError(Exception):
    """The file is not accepted; the message says why."""


def read(fd: int, *, check_crc: bool = True) -> Description:
    """What an open file means, if `convert` would go on from here: every storage is read.

    Raises:
        RefusedError: it would not.
    """
    with Source(Path("old.pth"), fd) as source:
        try:
            checkpoint = open_checkpoint(source, check_crc=check_crc)
            if checkpoint.tree is not None and checkpoint.tree.foreign:
                raise RefusedError("it names classes that no genuine checkpoint needs")
            measure_extents(source, checkpoint.extents.values())
        except (CheckpointError, LimitError) as error:
            raise RefusedError(error.message) from error
        return describe(checkpoint)


def describe(checkpoint: Checkpoint) -> Description:
    """The whole object, and what was read of it: tensors by name, config, versions, metadata."""
    describer = _Describer(checkpoint)
    whole: Description = (OPAQUE, "")
    if checkpoint.tree:
        root = _root(checkpoint)
        describer.given = _given(root)
        whole = describer.node(root)
    named = {checkpoint.prefix + name: describer.view(tensor) for name, tensor in checkpoint.tensors.items()}
    return (
        "file",
        whole,
        checkpoint.tree.path if checkpoint.tree else (),
        tuple(named.items()),
        checkpoint.config,
        tuple(checkpoint.versions.items()),
        () if checkpoint.prefix else tuple((checkpoint.schema.modules or {}).items()),
        tuple((getattr(checkpoint.container, "metadata", None) or {}).items()),
    )


def _root(checkpoint: Checkpoint) -> Node:
    """The object as it is in the file: what was read of it may have been moved or renamed since."""
    if isinstance(checkpoint.container, TorchZip):
        return parse_whole(checkpoint.container.pickle)
    assert checkpoint.tree is not None
    return checkpoint.tree.root


def _given(root: Node) -> set[int]:
    """States of objects that are no dicts: the `__setstate__` of HistoryBuffer takes one apart."""
    objects = (node for node in walk(root) if isinstance(node, Call) and not is_mapping(node))
    changes = (change for node in objects for change in node.changes)
    return {id(change.operands[0]) for change in changes if change.opcode == op.BUILD}


def digest(description: Description) -> bytes:
    """Equal for equal meanings."""
    return hashlib.sha256(repr(description).encode("utf-8", "surrogatepass")).digest()


class _Describer:
    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.numbers: dict[int, int] = {}
        self.contents: dict[str, str] = {}
        self.given: set[int] = set()

    def node(self, node: Node) -> Description:
        """Lists and dicts have numbers, by which they are known again where they are shared."""
        if isinstance(node, Text):
            return ("str", node.value)
        if isinstance(node, Scalar):
            return scalar(node.value)
        if isinstance(node, Tuple):
            return ("tuple", tuple(map(self.node, node.items)))
        if isinstance(node, List) or is_mapping(node):
            assert isinstance(node, Mutable)
            return self._container(node)
        if isinstance(node, Call) and (tensor := self._tensor(node)) is not None:
            return tensor
        return (OPAQUE, getattr(getattr(node, "callee", node), "path", type(node).__name__))

    def view(self, tensor: Tensor) -> Description:
        """Its storage is known again by the storage's key."""
        key = tensor.storage
        if key not in self.contents:
            extent = self.checkpoint.extents[key]
            data = self.checkpoint.source.read(extent.offset, extent.size)
            self.contents[key] = hashlib.sha256(data).hexdigest()
        return (
            "tensor",
            tensor.spec.dtype,
            tensor.spec.shape,
            tensor.stride,
            tensor.offset,
            key,
            self.contents[key],
        )

    def _container(self, node: Mutable) -> Description:
        if id(node) in self.numbers:
            return ("again", self.numbers[id(node)])
        number = self.numbers[id(node)] = len(self.numbers)
        if isinstance(node, List):
            items = [item for change in node.changes for item in change.operands]
            return ("list", number, tuple(map(self.node, items)))
        if any(change.opcode in (op.APPEND, op.APPENDS) for change in node.changes):
            return (OPAQUE, "a dict to which something is appended")
        if id(node) in self.given:
            return (OPAQUE, "a dict that a class's own code was given")
        entries = tuple((self.node(key), self.node(value)) for key, value in pairs(node))
        kind = "dict" if isinstance(node, Dict) else "OrderedDict"
        return (kind, number, entries, self._attributes(node))

    def _attributes(self, node: Mutable) -> Description:
        """What BUILD adds to an object's own dict, from dicts that do not become that one."""
        held: dict[Description, Description] = {}
        for change in node.changes:
            # Another state than a dict is refused by whoever unpickles it.
            if change.opcode == op.BUILD and is_mapping(change.operands[0]):
                held.update((self.node(k), self.node(v)) for k, v in pairs(change.operands[0]))
        return tuple(held.items())

    def _tensor(self, node: Call) -> Description | None:
        """What is no dense tensor in a storage of this file is carried, and not looked into."""
        try:
            tensor = read_tensor("", node)
        except PickleError:
            return None
        return self.view(tensor)


def scalar(value: bool | int | float | None) -> Description:
    """A number to the last bit."""
    shown = struct.pack(">d", value) if isinstance(value, float) else value
    return (type(value).__name__, shown)
