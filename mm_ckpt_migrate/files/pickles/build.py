"""Read and edit nodes as the dicts, lists and strings that they stand for."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import TypeAlias

from mm_ckpt_migrate.files.pickles import opcodes as op
from mm_ckpt_migrate.files.pickles.errors import PickleError, PickleLimitError
from mm_ckpt_migrate.files.pickles.nodes import (
    SHAREABLE,
    SMALL_INTEGERS,
    Call,
    Change,
    Dict,
    List,
    Mutable,
    Node,
    Scalar,
    Text,
    Tuple,
    children,
)
from mm_ckpt_migrate.names import key_fault, safe_text

ORDERED_DICT = "collections.OrderedDict"

# CPython's pickler fills a dict or a list in batches of this many.
_BATCH = 1000
_MAX_PLAIN_NODES = 100_000


def is_mapping(node: Node) -> bool:
    """Whether the node is a dict or an OrderedDict that starts empty."""
    if isinstance(node, Dict):
        return True
    return (
        isinstance(node, Call)
        and getattr(node.callee, "path", "") == ORDERED_DICT
        and isinstance(node.args, Tuple)
        and not node.args.items
    )


def pairs(mapping: Node) -> list[tuple[Node, Node]]:
    """The key and value nodes of a mapping, in order."""
    assert isinstance(mapping, Mutable)
    flat: list[Node] = []
    for change in mapping.changes:
        if change.opcode in (op.SETITEM, op.SETITEMS):
            flat += change.operands
    return list(zip(flat[::2], flat[1::2], strict=True))


def named_pairs(mapping: Node) -> list[tuple[Text, Node]]:
    """The entries of a mapping whose keys must be distinct, sane strings.

    Raises:
        PickleError: a key is not a str, stands twice, or cannot be one of a genuine state dict.
    """
    seen: set[str] = set()
    entries: list[tuple[Text, Node]] = []
    for key, value in pairs(mapping):
        if not isinstance(key, Text):
            raise PickleError(0, "a key of the state dict is not a string")
        fault = key_fault(key.value)
        if fault or key.value in seen:
            shown = safe_text(key.value)
            raise PickleError(0, f"the key {shown!r} {fault or 'stands in the state dict twice'}")
        seen.add(key.value)
        entries.append((key, value))
    return entries


def set_pairs(mapping: Mutable, new: Iterable[tuple[Node, Node]]) -> None:
    """Replace a mapping's content, batched as CPython's pickler does; attributes stay."""
    flat = list(chain.from_iterable(new))
    others = [c for c in mapping.changes if c.opcode not in (op.SETITEM, op.SETITEMS)]
    mapping.changes = _batches(flat, 2, op.SETITEM, op.SETITEMS) + others


def set_values(mapping: Mutable, new: Mapping[str, Node]) -> None:
    """Put values under string keys: in the place of what is there, or at the end."""
    entries = [(key, new.get(text_value(key) or "", value)) for key, value in pairs(mapping)]
    present = {text_value(key) for key, _ in entries}
    entries += [(text_of(name), value) for name, value in new.items() if name not in present]
    set_pairs(mapping, entries)


def _batches(flat: list[Node], width: int, one: bytes, many: bytes) -> list[Change]:
    size = width * _BATCH
    batches = [flat[start : start + size] for start in range(0, len(flat), size)]
    return [Change(many if len(batch) > width else one, batch) for batch in batches]


def elements(node: Node) -> list[Node]:
    """The items of a list or a tuple node; empty for anything else."""
    if isinstance(node, Tuple):
        return node.items
    if isinstance(node, List):
        return list(chain.from_iterable(change.operands for change in node.changes))
    return []


def find(mapping: Node | None, *path: str) -> Node | None:
    """The value under nested string keys, or None where there is no such key."""
    node = mapping
    for name in path:
        if node is None or not is_mapping(node):
            return None
        node = next((v for k, v in pairs(node) if isinstance(k, Text) and k.value == name), None)
    return node


def text_at(mapping: Node | None, *path: str) -> str | None:
    """The str under nested string keys, or None."""
    node = find(mapping, *path)
    return node.value if isinstance(node, Text) else None


def text_value(node: Node) -> str | None:
    """The str that a node is, or None."""
    return node.value if isinstance(node, Text) else None


def attributes(node: Node) -> Node | None:
    """The dict of instance attributes that BUILD gives an object, if any."""
    if not isinstance(node, Mutable):
        return None
    return next((c.operands[0] for c in node.changes if c.opcode == op.BUILD), None)


def to_plain(node: Node | None, depth: int = 8) -> Plain:
    """The plain value that a node of dicts, lists and scalars stands for; other nodes give None.

    Raises:
        PickleLimitError: it holds more than any genuine file, counting what is shared each time.
    """
    return _plain(node, depth, [_MAX_PLAIN_NODES])


def _plain(node: Node | None, depth: int, budget: list[int]) -> Plain:
    if node is None or depth == 0:
        return None
    budget[0] -= 1 + len(children(node))
    if budget[0] < 0:
        raise PickleLimitError(0, f"a value has more than {_MAX_PLAIN_NODES} parts")
    if isinstance(node, (Text, Scalar)):
        return node.value
    if is_mapping(node):
        entries = [(key.value, value) for key, value in pairs(node) if isinstance(key, Text)]
        return {key: _plain(value, depth - 1, budget) for key, value in entries}
    if isinstance(node, (List, Tuple)):
        return [_plain(item, depth - 1, budget) for item in elements(node)]
    return None


Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"


def text_of(value: str) -> Text:
    """A new string object, which the stream may share."""
    node = Text(value)
    node.memoized = True
    return node


def from_plain(value: Plain) -> Node:
    """Nodes for a plain value, as CPython's pickler would write it."""
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, dict):
        return mapping_of({key: from_plain(item) for key, item in value.items()})
    if isinstance(value, list):
        return list_of([from_plain(item) for item in value])
    if type(value) is int and 0 <= value < len(SMALL_INTEGERS):
        return SMALL_INTEGERS[value]
    return Scalar(value, _scalar_bytes(value))


def list_of(items: list[Node]) -> List:
    """A list of nodes."""
    filled = List()
    filled.changes = _batches(items, 1, op.APPEND, op.APPENDS)
    memoized(filled)
    return filled


def mapping_of(items: Mapping[str, Node]) -> Dict:
    """A plain dict of nodes under string keys."""
    mapping = Dict()
    set_pairs(mapping, [(text_of(key), value) for key, value in items.items()])
    memoized(mapping)
    return mapping


def memoized(node: Node) -> Node:
    """The node, which the stream may share from now on."""
    assert isinstance(node, SHAREABLE)
    node.memoized = True
    return node


def _scalar_bytes(value: bool | int | float | None) -> bytes:
    """Between PROTO and STOP, CPython's own spelling of the value."""
    return pickle.dumps(value, protocol=2)[2:-1]
