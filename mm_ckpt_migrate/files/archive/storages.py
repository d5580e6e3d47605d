"""The storages that a pickle refers to through persistent ids."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from mm_ckpt_migrate.files.archive.dtypes import ITEM_SIZES, STORAGE_DTYPES
from mm_ckpt_migrate.files.pickles.errors import PickleError
from mm_ckpt_migrate.files.pickles.nodes import Global, Node, Persistent, Scalar, Text, Tuple

_LOCATION: Final = re.compile(r"(cpu|meta|(cuda|npu|mps|xpu|hpu|mlu|musa|privateuseone)(:[0-9]{1,4})?)")
_KEY: Final = re.compile(r"0|[1-9][0-9]{0,19}")


class StorageRef(NamedTuple):
    """What a persistent id says about a storage.

    Attributes:
        key: the storage's name in the container.
        dtype: element type; `uint8` for an untyped storage.
        numel: length in elements.
        location: where torch.load would put it, such as `cuda:0`.
    """

    key: str
    dtype: str
    numel: int
    location: str

    @property
    def nbytes(self) -> int:
        return self.numel * ITEM_SIZES[self.dtype]


def storage_ref(node: Persistent) -> StorageRef:
    """What one persistent id says.

    Raises:
        PickleError: it is not a storage as torch.save writes it.
    """
    if not isinstance(node.meaning, StorageRef):
        node.meaning = _read(node)
    return node.meaning


def _read(node: Persistent) -> StorageRef:
    items = node.pid.items if isinstance(node.pid, Tuple) else []
    if len(items) not in (5, 6):
        raise _odd("a persistent id is not that of a storage")
    tag, kind, key, location, numel = items[:5]
    if not (
        isinstance(tag, Text)
        and isinstance(kind, Global)
        and isinstance(key, Text)
        and isinstance(location, Text)
        and isinstance(numel, Scalar)
    ):
        raise _odd("a persistent id is not that of a storage")
    if tag.value != "storage" or kind.module not in ("torch", "torch.storage"):
        raise _odd(f"a persistent id is of the type {tag.value[:40]!r}")
    if kind.name not in STORAGE_DTYPES:
        raise _odd(f"unknown storage type {kind.name[:80]!r}")
    if type(numel.value) is not int or not 0 <= numel.value < 1 << 48:
        raise _odd(f"a storage has {numel.value!r} elements")
    if not _KEY.fullmatch(key.value):
        raise _odd(f"a storage has the key {key.value[:40]!r}")
    if not _LOCATION.fullmatch(location.value):
        raise _odd(f"a storage lies at {location.value[:40]!r}")
    if len(items) == 6 and not (isinstance(items[5], Scalar) and items[5].value is None):
        raise _odd("a storage is a view of another storage, which torch wrote before 2017")
    return StorageRef(key.value, STORAGE_DTYPES[kind.name], numel.value, location.value)


def storage_refs(nodes: Iterable[Node]) -> dict[str, StorageRef]:
    """Every storage among the nodes, in their order.

    Raises:
        PickleError: a persistent id is odd, or two disagree about one storage.
    """
    refs: dict[str, StorageRef] = {}
    for node in nodes:
        if isinstance(node, Persistent):
            ref = storage_ref(node)
            if refs.setdefault(ref.key, ref) != ref:
                raise _odd(f"storage {ref.key} is described in two ways")
    return refs


def _odd(reason: str) -> PickleError:
    return PickleError(0, reason)
