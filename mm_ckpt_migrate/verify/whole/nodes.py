"""Where two pickled objects are not the same, by what they mean: entry by entry, with its path.

How the stream spells an object (memo, batches, the width of a number) means nothing, and neither
does the number of a storage. What torch loads by does: types, values, order, shapes, strides,
devices, which tensors share a storage, and every byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple, TypeAlias

from mm_ckpt_migrate.files.archive.storages import storage_ref
from mm_ckpt_migrate.files.pickles import opcodes as op
from mm_ckpt_migrate.files.pickles.build import is_mapping, pairs
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.nodes import Call, Global, Mutable, Node, Persistent, Scalar, Text, Tuple
from mm_ckpt_migrate.names import safe_text

# Names of entries, and numbers of elements, from the root on.
Path: TypeAlias = "tuple[str | int, ...]"
# What tells the content of a storage.
Content: TypeAlias = Callable[[Persistent], object]

_APPENDED: Final = (op.APPEND, op.APPENDS)
_BUILT: Final = (op.BUILD,)
_FILLED: Final = (op.SETITEM, op.SETITEMS, op.BUILD)


@dataclass(frozen=True, slots=True)
class Difference:
    """An entry that is not as it should be.

    Attributes:
        what: what is wrong with it: `changed`, `lost`, `from nowhere`, `in another order`.
        wanted, found: what it should be and what it is, where it is there.
    """

    what: str
    path: Path
    wanted: Node | None = None
    found: Node | None = None

    def __str__(self) -> str:
        return f"{self.what}: {shown(self.path)}"


def shown(path: Path) -> str:
    """A path as text: `meta.dataset_meta.classes[3]`."""
    text = "".join(f"[{p}]" if isinstance(p, int) else f".{safe_text(p)}" for p in path)
    return text.removeprefix(".") or "all of it"


def differences(wanted: Node, found: Node, of_wanted: Content, of_found: Content) -> Iterator[Difference]:
    """Every difference between two objects, each as near to the leaves as can be told.

    Args:
        of_wanted, of_found: tell the contents of their storages.
    """
    comparer = _Comparer(of_wanted, of_found)
    todo = [_Pair(wanted, found, ())]
    seen: set[tuple[int, int]] = set()
    while todo:
        pair = todo.pop()
        both = id(pair.wanted), id(pair.found)
        if both not in seen:
            below, here = comparer.compare(pair)
            yield from here
            todo.extend(reversed(below))
            # What differs is named in each place that it stands in.
            if below or not here:
                seen.add(both)


class _Pair(NamedTuple):
    """Two nodes that should be the same; `inside` a call, they have no path of their own."""

    wanted: Node
    found: Node
    path: Path
    inside: bool = False

    @property
    def changed(self) -> list[Difference]:
        return [Difference("changed", self.path, self.wanted, self.found)]

    def below(self, wanted: Node, found: Node, *step: str | int, inside: bool = False) -> _Pair:
        path = self.path if self.inside else (*self.path, *step)
        return _Pair(wanted, found, path, self.inside or inside)


# The pairs below that are still to be compared, and what differs here.
_Compared: TypeAlias = "tuple[list[_Pair], list[Difference]]"


class _Comparer:
    """Compares two nodes without what is below them.

    Of the pairs of storages and of objects that can be changed it keeps account: one to one, or one
    shares what it should not, and whoever changes it changes another.
    """

    def __init__(self, of_wanted: Content, of_found: Content) -> None:
        self._of_wanted = of_wanted
        self._of_found = of_found
        self._there: dict[str, str] = {}
        self._back: dict[str, str] = {}
        self._found_for: dict[int, Node] = {}
        self._wanted_for: dict[int, Node] = {}

    def compare(self, pair: _Pair) -> _Compared:
        wanted, found = pair.wanted, pair.found
        if type(wanted) is not type(found):
            return [], pair.changed
        if isinstance(wanted, Mutable) and isinstance(found, Mutable):
            if _kind(wanted) != _kind(found) or not self._same_object(wanted, found):
                return [], pair.changed
            compare = _mapping if is_mapping(wanted) else _made
            return compare(pair, wanted, found)
        if isinstance(wanted, Tuple) and isinstance(found, Tuple):
            return _numbered(pair, wanted.items, found.items)
        if isinstance(wanted, Persistent) and isinstance(found, Persistent):
            return [], [] if self._same_storage(wanted, found) else pair.changed
        return [], [] if _leaf(wanted) == _leaf(found) else pair.changed

    def _same_object(self, wanted: Mutable, found: Mutable) -> bool:
        # What has no memo number is written anew in each place.
        if wanted.memoized and self._found_for.setdefault(id(wanted), found) is not found:
            return False
        return self._wanted_for.setdefault(id(found), wanted) is wanted

    def _same_storage(self, wanted: Persistent, found: Persistent) -> bool:
        first, second = storage_ref(wanted), storage_ref(found)
        if first[1:] != second[1:]:  # all but the key
            return False
        if _storage_class(wanted) != _storage_class(found):
            return False
        if not first.numel:
            return True
        if self._there.setdefault(first.key, second.key) != second.key:
            return False
        if self._back.setdefault(second.key, first.key) != first.key:
            return False
        return self._of_wanted(wanted) == self._of_found(found)


def _storage_class(node: Persistent) -> object:
    assert isinstance(node.pid, Tuple)
    return _leaf(node.pid.items[1])


def _leaf(node: Node) -> object:
    """What two equal leaves have in common; -0.0 is not 0.0, True is not 1, and NaN is itself."""
    if isinstance(node, Scalar):
        return type(node.value), repr(node.value)
    if isinstance(node, Global):
        # Where the dot is tells what a loader looks up: `torch` has no `_utils._rebuild_tensor_v2`.
        return node.module, node.name
    return node.value if isinstance(node, Text) else node


def _kind(node: Mutable) -> object:
    callee = node.callee.path if isinstance(node, Call) and isinstance(node.callee, Global) else ""
    return is_mapping(node), callee, node.opcode if isinstance(node, Call) else b""


def _operands(node: Mutable, opcodes: tuple[bytes, ...]) -> list[Node]:
    return list(chain.from_iterable(c.operands for c in node.changes if c.opcode in opcodes))


def _numbered(pair: _Pair, wanted: list[Node], found: list[Node]) -> _Compared:
    if len(wanted) != len(found):
        return [], pair.changed
    both = enumerate(zip(wanted, found, strict=True))
    return [pair.below(*nodes, number) for number, nodes in both], []


def _made(pair: _Pair, wanted: Mutable, found: Mutable) -> _Compared:
    """A list, or what a call makes: its callee, its arguments, and what is done to it then."""
    below, here = _numbered(pair, _operands(wanted, _APPENDED), _operands(found, _APPENDED))
    firsts, seconds = (_operands(node, _FILLED) for node in (wanted, found))
    if here or len(firsts) != len(seconds):
        return [], pair.changed
    if isinstance(wanted, Call) and isinstance(found, Call):
        firsts += wanted.callee, wanted.args
        seconds += found.callee, found.args
    within = [pair.below(*both, inside=True) for both in zip(firsts, seconds, strict=True)]
    return [*below, *within], []


def _mapping(pair: _Pair, wanted: Mutable, found: Mutable) -> _Compared:
    """A dict, with its attributes where it is an object of a class."""
    firsts, seconds = _entries(wanted), _entries(found)
    here = [
        Difference("lost", pair.below(key, key, _name(key)).path, value)
        for name, (key, value) in firsts.items()
        if name not in seconds
    ]
    here += [
        Difference("from nowhere", pair.below(key, key, _name(key)).path, None, value)
        for name, (key, value) in seconds.items()
        if name not in firsts
    ]
    if not here and list(firsts) != list(seconds):
        here = [Difference("in another order", pair.path)]
    below = [
        pair.below(value, seconds[name][1], _name(key))
        for name, (key, value) in firsts.items()
        if name in seconds
    ]
    return below, here


def _entries(mapping: Mutable) -> dict[object, tuple[Node, Node]]:
    """Keys and values by what the keys are found by; then what BUILD hands over, likewise."""
    found: dict[object, tuple[Node, Node]] = {}
    found |= {_key(key): (key, value) for key, value in pairs(mapping)}
    for number, state in enumerate(_operands(mapping, _BUILT)):
        if is_mapping(state):
            found |= {(number, _key(key)): (key, value) for key, value in pairs(state)}
        else:
            found[number] = (Text("its state"), state)
    return found


def _key(node: Node) -> object:
    leaf = _leaf(node)
    return emit(node, label=lambda _: b"") if leaf is node else (type(node), leaf)


def _name(key: Node) -> str:
    return str(key.value) if isinstance(key, (Text, Scalar)) else "?"
