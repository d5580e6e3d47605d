"""What an argument of a call in a checkpoint is; each function looks at one node, or at a call."""

from __future__ import annotations

import re
from math import prod
from typing import Final

from mm_ckpt_migrate.files.archive.storages import storage_ref
from mm_ckpt_migrate.files.pickles.build import pairs
from mm_ckpt_migrate.files.pickles.errors import PickleError
from mm_ckpt_migrate.files.pickles.nodes import (
    Call,
    Dict,
    Global,
    List,
    Node,
    Persistent,
    Scalar,
    Text,
    Tuple,
)

# Of torch, and of numpy.
MAX_DIMENSIONS: Final = 64
PATHS: Final = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
DATES: Final = ("datetime", "date", "time", "timedelta", "timezone")
# As many as a training has steps; who loads the file may make a list of them.
_MAX_RANGE: Final = 10_000_000
_FACTORIES: Final = re.compile(
    r"(__builtin__|builtins)\.(list|dict|set|int|float|str|tuple|bool|frozenset)"
    r"|collections\.(OrderedDict|deque|Counter|defaultdict)"
)
_TORCH_NAME: Final = re.compile(r"torch\.(b?float|u?int|bool|complex|double|half|long|short)\w*")
_REBUILD: Final = re.compile(
    r"torch\._utils\._rebuild_(tensor(_v[23])?|parameter|qtensor|sparse_tensor"
    r"|meta_tensor_no_storage|device_tensor_from_numpy)"
)
_TENSORS: Final = re.compile(rf"{_REBUILD.pattern}|torch\._tensor\._rebuild_from_type_v2")
_TENSOR_CLASS: Final = re.compile(r"torch\.(Tensor|nn\.parameter\.(Parameter|Buffer))")


def anything(node: Node) -> bool:
    return True


def path(node: Node) -> str:
    """The name that a node is; empty where it is none."""
    return node.path if isinstance(node, Global) else ""


def called(node: Node) -> str:
    """The name that a node calls; empty where it calls none."""
    return path(node.callee) if isinstance(node, Call) else ""


def items(node: Node) -> list[Node]:
    return node.items if isinstance(node, Tuple) else []


def integers_of(nodes: list[Node]) -> list[int]:
    """The integers among the nodes, and no bool."""
    return [n.value for n in nodes if isinstance(n, Scalar) and type(n.value) is int]


def value_of(node: Node) -> object:
    return node.value if isinstance(node, (Scalar, Text)) else node


def text(node: Node) -> bool:
    return isinstance(node, Text)


def number(node: Node) -> bool:
    return isinstance(node, Scalar)


def integer(node: Node) -> bool:
    return isinstance(node, Scalar) and type(node.value) is int


def natural(node: Node) -> bool:
    value = value_of(node)
    return type(value) is int and 0 <= value < 1 << 48


def boolean(node: Node) -> bool:
    return type(value_of(node)) is bool


def zero(node: Node) -> bool:
    """`(0,)`: numpy fills an array after it is made, so that it is made empty."""
    return isinstance(node, Tuple) and [value_of(item) for item in node.items] == [0]


def false(node: Node) -> bool:
    """Older releases of numpy spell these two flags 0 and 1."""
    return isinstance(node, Scalar) and node.value == 0


def true(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value == 1


def latin1(node: Node) -> bool:
    return isinstance(node, Text) and node.value in ("latin1", "latin-1")


def list_(node: Node) -> bool:
    return isinstance(node, List)


def mapping(node: Node) -> bool:
    return isinstance(node, Dict)


def tuple_(node: Node) -> bool:
    return isinstance(node, Tuple)


def empty_tuple(node: Node) -> bool:
    return isinstance(node, Tuple) and not node.items


def sizes(node: Node) -> bool:
    """Of a tensor or an array; to multiply more of them than there can be takes for ever."""
    few = isinstance(node, Tuple) and len(node.items) <= MAX_DIMENSIONS
    return few and all(map(natural, items(node)))


def attributes(node: Node) -> bool:
    """Attributes of an object by name, none of which is a class or a function."""
    if not isinstance(node, Dict):
        return False
    return all(isinstance(k, Text) and not isinstance(v, Global) for k, v in pairs(node))


def history(node: Node) -> bool:
    """The attributes of a HistoryBuffer, one of which is a dict of statistics, which it calls."""
    if not attributes(node):
        return False
    inside = [value for _, held in pairs(node) if isinstance(held, Dict) for _, value in pairs(held)]
    return not any(isinstance(value, Global) for value in inside)


def factory(node: Node) -> bool:
    return value_of(node) is None or _FACTORIES.fullmatch(path(node)) is not None


def short_range(call: Call) -> bool:
    start, stop, step = integers_of(items(call.args))
    return step != 0 and (stop - start) // step <= _MAX_RANGE


def made_bytes(node: Node) -> bool:
    """A bytes object, as Python 3 pickles it under protocol 2."""
    return called(node) in ("_codecs.encode", "__builtin__.bytes", "builtins.bytes")


def raw(node: Node) -> bool:
    return isinstance(node, Text) or made_bytes(node)


def length_of(node: Node) -> int:
    """Bytes of a raw node."""
    if isinstance(node, Text):
        return len(node.value)
    first = items(node.args)[:1] if isinstance(node, Call) else []
    return sum(len(item.value) for item in first if isinstance(item, Text))


def of_date(node: Node) -> bool:
    return isinstance(node, Scalar) or raw(node) or called(node).startswith("datetime.")


def storage(node: Node) -> bool:
    return isinstance(node, Persistent)


def no_hooks(node: Node) -> bool:
    """The dict of a tensor's hooks, which are functions: it is always empty."""
    return (
        isinstance(node, Call)
        and called(node) == "collections.OrderedDict"
        and not items(node.args)
        and not node.changes
    )


def torch_name(node: Node) -> bool:
    return _TORCH_NAME.fullmatch(path(node)) is not None


def rebuild(node: Node) -> bool:
    return _REBUILD.fullmatch(path(node)) is not None


def tensor(node: Node) -> bool:
    return _TENSORS.fullmatch(called(node)) is not None


def tensor_class(node: Node) -> bool:
    return _TENSOR_CLASS.fullmatch(path(node)) is not None


def layout(node: Node) -> bool:
    return called(node) == "torch.serialization._get_layout"


def sparse_parts(node: Node) -> bool:
    """Indices, values, size, and perhaps whether they are coalesced."""
    parts = items(node)
    return len(parts) >= 3 and all(
        tensor(part) or sizes(part) or boolean(part) or called(part) == "torch.Size" for part in parts
    )


def quantizer(node: Node) -> bool:
    """Its scheme by name, then numbers or tensors."""
    parts = items(node)
    return (
        bool(parts)
        and re.fullmatch(r"torch\.per_\w+", path(parts[0])) is not None
        and all(isinstance(part, Scalar) or tensor(part) for part in parts[1:])
    )


def no_larger_than_storage(call: Call) -> bool:
    """torch makes room for such a tensor before it looks at the storage."""
    held, _, shape = items(call.args)[:3]
    assert isinstance(held, Persistent)
    try:
        return prod(integers_of(items(shape))) <= storage_ref(held).numel
    except PickleError:  # it is no storage
        return False
