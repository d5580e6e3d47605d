"""What an argument of one of numpy's calls is, and what numpy puts into what it made."""

from __future__ import annotations

import re
from math import prod
from typing import Final

from mm_ckpt_migrate.files.checkpoint.call_args import (
    attributes,
    called,
    integers_of,
    items,
    length_of,
    mapping,
    natural,
    path,
    raw,
    sizes,
    text,
    value_of,
)
from mm_ckpt_migrate.files.pickles.build import elements
from mm_ckpt_migrate.files.pickles.nodes import Call, List, Node, Text, Tuple

_DTYPE: Final = re.compile(r"(?P<kind>[?a-zA-Z])(?P<size>[0-9]{0,9})")


def ndarray(node: Node) -> bool:
    return path(node) == "numpy.ndarray"


def array(node: Node) -> bool:
    return called(node) in ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")


def dtype(node: Node) -> bool:
    return called(node) == "numpy.dtype"


def dtype_name(node: Node) -> bool:
    return isinstance(node, Text) and _DTYPE.fullmatch(node.value) is not None


def dtype_state(node: Node) -> bool:
    """Version, order, subtype, names, fields, size, alignment, flags; of dates also the unit."""
    parts = items(node)
    if len(parts) not in (8, 9):
        return False
    version, order, subtype, names, fields, *numbers = parts[:8]
    of_subtype = items(subtype)
    return (
        natural(version)
        and value_of(order) in ("<", ">", "|", "=")
        and (
            value_of(subtype) is None
            or [*map(dtype, of_subtype), *map(sizes, of_subtype)] == [True, False, False, True]
        )
        and (value_of(names) is None or all(map(text, items(names))))
        and (value_of(fields) is None or mapping(fields))
        and len(integers_of(numbers)) == len(numbers)
        and all(-1 <= number < 1 << 31 for number in integers_of(numbers))
    )


def _itemsize(node: Node) -> int | None:
    """Bytes of an element; None for elements that are objects."""
    state = next((c.operands[0] for c in node.changes), node) if isinstance(node, Call) else node
    arguments = items(node.args) if isinstance(node, Call) else []
    named = _DTYPE.fullmatch(str(value_of(arguments[0]))) if arguments else None
    if named is None or named["kind"] == "O":
        return None
    size = value_of(items(state)[5]) if len(items(state)) > 5 else -1
    return size if isinstance(size, int) and size >= 0 else int(named["size"] or 1)


def scalar_fits(call: Call) -> bool:
    kind, data = items(call.args)
    return length_of(data) == _itemsize(kind)


def array_state(node: Node) -> bool:
    """Version, shape, type, order and elements, which are as many as the shape says."""
    parts = items(node)
    if len(parts) != 5 or not sizes(parts[1]) or not dtype(parts[2]):
        return False
    _, shape, kind, _, held = parts
    count = prod(integers_of(items(shape)))
    size = _itemsize(kind)
    if isinstance(held, List):
        return size is None and len(elements(held)) == count
    # Of elements without bytes there could be as many as one likes.
    return raw(held) and size is not None and length_of(held) == count * size and count <= length_of(held)


def built(call: Call) -> bool:
    return bool(call.changes)


def bit_generator_ctor(node: Node) -> bool:
    return path(node) == "numpy.random._pickle.__bit_generator_ctor"


def bit_generator(node: Node) -> bool:
    return called(node) == "numpy.random._pickle.__bit_generator_ctor"


def bit_generator_class(node: Node) -> bool:
    return path(node).startswith("numpy.random._")


def random_state(node: Node) -> bool:
    """The state of a generator, alone or with what it was seeded with."""
    held = items(node)[:1] if isinstance(node, Tuple) else [node]
    return bool(held) and all(map(attributes, held)) and not any(map(path, items(node)))
