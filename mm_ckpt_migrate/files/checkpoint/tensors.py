"""Tensors: what a `_rebuild_tensor_v2` node says, checked against the storage it views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

from mm_ckpt_migrate.files.archive.dtypes import ITEM_SIZES
from mm_ckpt_migrate.files.archive.storages import storage_ref
from mm_ckpt_migrate.files.checkpoint.call_args import MAX_DIMENSIONS
from mm_ckpt_migrate.files.pickles.build import named_pairs
from mm_ckpt_migrate.files.pickles.errors import PickleError
from mm_ckpt_migrate.files.pickles.nodes import Call, Global, Mutable, Node, Persistent, Scalar, Tuple
from mm_ckpt_migrate.schema import TensorSpec

_REBUILD: Final = {
    "torch._utils._rebuild_tensor": 4,
    "torch._utils._rebuild_tensor_v2": 6,
    "torch._utils._rebuild_tensor_v3": 7,
}
_PARAMETER: Final = "torch._utils._rebuild_parameter"
# Which argument says whether the tensor needs a gradient; the oldest form has no such.
_GRADIENT: Final = 4


@dataclass(frozen=True, slots=True)
class Tensor:
    """A view of a storage.

    Attributes:
        spec: name, shape and dtype.
        storage: key of the storage.
        offset: first element, counted in elements from the storage's start.
        stride: steps in elements, one per dimension.
    """

    spec: TensorSpec
    storage: str
    offset: int
    stride: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the elements, without gaps."""
        return prod(self.spec.shape) * ITEM_SIZES[self.spec.dtype]

    @property
    def byte_offset(self) -> int:
        """First byte, counted from the storage's start."""
        return self.offset * ITEM_SIZES[self.spec.dtype]

    @property
    def place(self) -> tuple[object, ...]:
        """Equal for two names exactly where they share one tensor."""
        return (self.storage, self.offset, self.spec.shape, self.stride, self.spec.dtype)

    @property
    def contiguous(self) -> bool:
        step = 1
        for size, stride in zip(reversed(self.spec.shape), reversed(self.stride), strict=True):
            if size != 1 and stride != step:
                return prod(self.spec.shape) == 0
            step *= size
        return True


def is_tensor(node: Node) -> bool:
    """Whether a node is a tensor of any kind, with its storage below it."""
    return isinstance(node, Call) and _path(node).startswith("torch._utils._rebuild_")


def read_tensor(name: str, node: Node) -> Tensor:
    """Read the tensor that a state dict holds under `name`.

    Raises:
        PickleError: it is no plain dense tensor, or reaches outside its storage.
    """
    whole = node
    if isinstance(node, Call) and _path(node) == _PARAMETER and isinstance(node.args, Tuple):
        node = node.args.items[0] if node.args.items else node
    args = node.args.items if isinstance(node, Call) and isinstance(node.args, Tuple) else []
    path = _path(node)
    if path not in _REBUILD or not _REBUILD[path] <= len(args) <= _REBUILD[path] + 1:
        raise _odd(name, f"is {path or 'no tensor'}, not a dense tensor")
    if any(isinstance(made, Mutable) and made.changes for made in (whole, node)):
        # BUILD on a tensor can give it another storage, shape and stride.
        raise _odd(name, "is changed after it is made")
    if len(args) > _REBUILD[path]:
        raise _odd(name, "is a conjugated or negated view, whose bytes are not its values")
    return _view(name, path, args)


def check_views(nodes: Iterable[Node]) -> None:
    """Look at the tensors beside the state dict too, which are carried as they are.

    Raises:
        PickleError: torch could not make one of them from its storage.
    """
    for node in nodes:
        if not isinstance(node, Call) or (path := _path(node)) not in _REBUILD:
            continue
        args = node.args.items if isinstance(node.args, Tuple) else []
        if not _REBUILD[path] <= len(args) <= _REBUILD[path] + 1:
            raise _odd("", f"is made from {len(args)} things")
        if not path.endswith("_v3") or _path_of(args[6]).removeprefix("torch.") in ITEM_SIZES:
            _view("", path, args)


def _view(name: str, path: str, args: Sequence[Node]) -> Tensor:
    storage, offset_node = args[0], args[1]
    if not isinstance(storage, Persistent):
        raise _odd(name, "has no storage")
    ref = storage_ref(storage)
    dtype, numel = ref.dtype, ref.numel
    if path.endswith("_v3"):
        dtype = _dtype_name(name, args[6])
        numel = ref.nbytes // ITEM_SIZES[dtype]
    if len(args) > _GRADIENT and not _is_bool(args[_GRADIENT]):
        raise _odd(name, "does not say whether it needs a gradient")
    offset = _natural(name, offset_node)
    shape, stride = _naturals(name, args[2]), _naturals(name, args[3])
    _check_bounds(name, shape, stride, offset, numel)
    return Tensor(TensorSpec(name, shape, dtype), ref.key, offset, stride)


def read_tensors(state_dict: Node) -> dict[str, Tensor]:
    """Every tensor of a mapping from str to tensor, in order; raises as `read_tensor` does."""
    return {key.value: read_tensor(key.value, value) for key, value in named_pairs(state_dict)}


def gather(storage: bytes, tensor: Tensor) -> bytes:
    """The elements of a strided view, in row-major order."""
    item = ITEM_SIZES[tensor.spec.dtype]
    out = bytearray()
    starts = [tensor.offset]
    *outer, (size, stride) = zip(tensor.spec.shape, tensor.stride, strict=True)
    for outer_size, outer_stride in outer:
        starts = [start + i * outer_stride for start in starts for i in range(outer_size)]
    for start in starts:
        for index in range(size):
            begin = (start + index * stride) * item
            out += storage[begin : begin + item]
    return bytes(out)


def ties(tensors: Mapping[str, Tensor]) -> tuple[tuple[str, ...], ...]:
    """Groups of names that share one tensor; empty tensors share nothing."""
    places: dict[tuple[object, ...], list[str]] = {}
    for name, tensor in tensors.items():
        places.setdefault(tensor.place, []).append(name)
    return tuple(
        tuple(names) for names in places.values() if len(names) > 1 and 0 not in tensors[names[0]].spec.shape
    )


def _check_bounds(
    name: str, shape: tuple[int, ...], stride: tuple[int, ...], offset: int, numel: int
) -> None:
    if len(shape) != len(stride) or len(shape) > MAX_DIMENSIONS:
        raise _odd(name, f"has {len(shape)} sizes and {len(stride)} strides")
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if offset > numel or (0 not in shape and last >= numel):
        raise _odd(name, "reaches outside its storage")


def _path(node: Node) -> str:
    return _path_of(node.callee) if isinstance(node, Call) else ""


def _path_of(node: Node) -> str:
    return node.path if isinstance(node, Global) else ""


def _is_bool(node: Node) -> bool:
    return isinstance(node, Scalar) and type(node.value) is bool


def _dtype_name(name: str, node: Node) -> str:
    if isinstance(node, Global) and node.module == "torch" and node.name in ITEM_SIZES:
        return node.name
    raise _odd(name, "has an unknown element type")


def _natural(name: str, node: Node) -> int:
    value = node.value if isinstance(node, Scalar) else None
    if type(value) is not int or not 0 <= value < 1 << 48:
        raise _odd(name, "has a size, stride or offset that is no natural number")
    return value


def _naturals(name: str, node: Node) -> tuple[int, ...]:
    if not isinstance(node, Tuple):
        raise _odd(name, "has a shape that is no tuple")
    return tuple(_natural(name, item) for item in node.items)


def _odd(name: str, reason: str) -> PickleError:
    which = f"the tensor {name[:200]!r}" if name else "a tensor beside the state dict's"
    return PickleError(0, f"{which} {reason}")
