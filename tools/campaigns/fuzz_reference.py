"""What the standard library makes of a pickle, with a stand-in for all that it would call."""

from __future__ import annotations

import io
import math
import pickle
import struct
from collections.abc import Callable, Iterable
from typing import Any

from mm_ckpt_migrate.files.pickles import opcodes as op
from mm_ckpt_migrate.files.pickles.nodes import (
    Call,
    Dict,
    Global,
    List,
    Mutable,
    Node,
    Persistent,
    Scalar,
    Text,
    Tuple,
)


class StandIn:
    """Remembers how it was made and what was done to it."""

    args: tuple[Any, ...]
    done: list[tuple[str, Any]]

    def __new__(cls, *args: Any) -> Any:
        self = super().__new__(cls)
        self.args, self.done = args, []
        return self

    def append(self, item: Any) -> None:
        self.done.append(("item", item))

    def extend(self, items: Iterable[Any]) -> None:
        self.done += [("item", item) for item in items]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.done.append(("entry", (key, value)))

    def __setstate__(self, state: Any) -> None:
        self.done.append(("state", state))


class Names:
    """A class for each name, and never the one that bears it."""

    def __init__(self) -> None:
        self._classes: dict[tuple[str, str], type[StandIn]] = {}

    def find(self, module: str, name: str) -> type[StandIn]:
        key = module, name
        if key not in self._classes:
            self._classes[key] = type(f"{module}:{name}", (StandIn,), {})
        return self._classes[key]

    def persistent(self, pid: Any) -> Any:
        return self.find("persistent", "id")(pid)


class Unpickler(pickle.Unpickler):
    """CPython's own machine, which finds no class but stand-ins."""

    def __init__(self, file: io.BytesIO, names: Names) -> None:
        super().__init__(file)
        self._names = names

    def find_class(self, module: str, name: str) -> Any:
        return self._names.find(module, name)

    def persistent_load(self, pid: Any) -> Any:
        return self._names.persistent(pid)


def made_of(root: Node, names: Names) -> Any:
    """The object that the nodes stand for, made of the same stand-ins.

    Raises:
        TypeError: a key of a dict cannot be one.
    """
    return _Maker(names).make(root)


class _Maker:
    def __init__(self, names: Names) -> None:
        self._names = names
        self._made: dict[int, Any] = {}

    def make(self, node: Node) -> Any:
        if id(node) not in self._made:
            self._made[id(node)] = self._new(node)
            if isinstance(node, Mutable):
                self._fill(node, self._made[id(node)])
        return self._made[id(node)]

    def _new(self, node: Node) -> Any:
        if isinstance(node, (Text, Scalar)):
            return node.value
        if isinstance(node, Global):
            return self._names.find(node.module, node.name)
        if isinstance(node, Tuple):
            return tuple(map(self.make, node.items))
        if isinstance(node, Persistent):
            return self._names.persistent(self.make(node.pid))
        if isinstance(node, Call):
            callee = self.make(node.callee)
            return callee(*self.make(node.args))
        assert isinstance(node, (List, Dict))
        return [] if isinstance(node, List) else {}

    def _fill(self, node: Mutable, made: Any) -> None:
        for change in node.changes:
            operands = [self.make(operand) for operand in change.operands]
            if change.opcode in (op.APPEND, op.APPENDS):
                made.extend(operands)
            elif change.opcode == op.BUILD:
                made.__setstate__(operands[0])
            else:
                for key, value in zip(operands[::2], operands[1::2], strict=True):
                    made[key] = value


def same(first: Any, second: Any) -> bool:
    """Equal to the bit, and alike in what is shared; neither recurses without bound."""
    pairs, partner = [(first, second)], dict[int, int]()
    while pairs:
        a, b = pairs.pop()
        if type(a) is not type(b):
            return False
        if isinstance(a, (list, dict, StandIn)):
            if id(a) in partner or id(b) in partner.values():
                if partner.get(id(a)) != id(b):
                    return False
                continue
            partner[id(a)] = id(b)
        parts = _parts(a), _parts(b)
        if len(parts[0]) != len(parts[1]) or (not parts[0] and not _equal_leaves(a, b)):
            return False
        pairs += zip(*parts, strict=True)
    return True


def _parts(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, dict):
        return [part for entry in value.items() for part in entry]
    if isinstance(value, StandIn):
        return [value.args, *value.done]
    return []


def _equal_leaves(a: Any, b: Any) -> bool:
    if isinstance(a, float) and math.isnan(a):
        return struct.pack("d", a) == struct.pack("d", b)
    if isinstance(a, float):
        return bool(a == b and math.copysign(1, a) == math.copysign(1, b))
    return isinstance(a, (list, dict, StandIn)) or bool(a == b)


def load(file: io.BytesIO, names: Names) -> Any:
    """One object from the file's current place."""
    return Unpickler(file, names).load()


def refusal(act: Callable[[], Any]) -> Exception | None:
    """Why it fails, or None."""
    try:
        act()
    except Exception as error:
        return error
    return None
