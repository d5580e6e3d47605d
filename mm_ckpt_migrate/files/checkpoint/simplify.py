"""Turn what `torch.load` refuses at its defaults into plain numbers, strings, lists and dicts.

Training files of mmengine hold log buffers and numpy's numbers, for which torch from 2.6 on, and
so mmengine, refuses them whole. Whatever is not exactly as its library pickles it stays as it is,
and so does everything inside a call that is not understood: its meaning may hang on the type.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from mm_ckpt_migrate.files.checkpoint.plain_forms import Kind, plain_form
from mm_ckpt_migrate.files.checkpoint.plain_methods import leave_methods_out
from mm_ckpt_migrate.files.checkpoint.plain_numpy import plain_array
from mm_ckpt_migrate.files.pickles import opcodes as op
from mm_ckpt_migrate.files.pickles.build import find, is_mapping, pairs, set_pairs, text_of, text_value
from mm_ckpt_migrate.files.pickles.nodes import (
    Call,
    Change,
    Dict,
    Global,
    List,
    Mutable,
    Node,
    Scalar,
    Text,
    Tuple,
    children,
    walk,
)
from mm_ckpt_migrate.names import safe_text

Path: TypeAlias = tuple[str, ...]
# Where a node lies: under which name, below what. Paths are made of the few that are told.
_Link: TypeAlias = "tuple[_Link, Node | int] | None"

_LEAVES: Final = (Text, Scalar, Global)
_MAX_NAMES: Final = 3
_MAX_PLACES: Final = 3
_MAX_NAME: Final = 80
# Numbers of one byte become opcodes of two, of which a pickle may hold only so many; a genuine
# training has some 80,000 (1,000 iterations of 40 losses).
_MAX_LISTED: Final = 250_000


@dataclass(frozen=True, slots=True)
class _Found:
    """A node that can be simplified, where it lies, and what shall stand in its place.

    It keeps the node alive, so that no new one is given its `id`.
    """

    kind: Kind
    path: Path
    node: Node
    plain: Node


def simplify(root: Node) -> tuple[str, ...]:
    """Edit a checkpoint's nodes in place.

    Returns:
        Sentences that say what was simplified, and where; () where nothing was.
    """
    said = leave_methods_out(root)
    search = _Search()
    if is_mapping(root):
        search.run(root)
    found = search.loose()
    if not found:
        return said
    for nodes in search.holders:
        for index, node in enumerate(nodes):
            if id(node) in found:
                nodes[index] = _replaced(node, found)
    moved = _move_logs(root, found)
    return (*said, *_sentences(list(found.values())), *moved)


def _replaced(node: Node, found: dict[int, _Found]) -> Node:
    """What stands in its place; for a Config that is what stands for the dict that it holds."""
    while id(node) in found:
        node = found[id(node)].plain
    return node


class _Search:
    """Walks the objects that may be replaced, that is, those not inside a call."""

    def __init__(self) -> None:
        self.found: dict[int, _Found] = {}
        self.holders: list[list[Node]] = []
        self.fixed: list[Node] = []
        self.listed = 0

    def run(self, root: Node) -> None:
        seen: set[int] = set()
        # One iterator for each level, so that a wide level takes no more room than a narrow one.
        stack: list[Iterator[tuple[Node, _Link]]] = [iter([(root, None)])]
        while stack:
            node, link = next(stack[-1], (None, None))
            if node is None:
                stack.pop()
            elif id(node) not in seen:
                seen.add(id(node))
                stack.append(self._below(node, link))

    def loose(self) -> dict[int, _Found]:
        """What was found, without that which something that stays as it is shares."""
        if not self.found:
            return {}
        fixed = {id(node) for node in walk(Tuple(self.fixed))}
        return {number: match for number, match in self.found.items() if number not in fixed}

    def _below(self, node: Node, link: _Link) -> Iterator[tuple[Node, _Link]]:
        if isinstance(node, Tuple):
            self.holders.append(node.items)
            yield from _numbered(node.items, link)
        elif (form := plain_form(node)) is not None:
            kind, plain = self._within_room(node, *form)
            self.found[id(node)] = _Found(kind, _path(link), node, plain)
            yield plain, link
        elif isinstance(node, Mutable) and (isinstance(node, List) or is_mapping(node)):
            for change in node.changes:
                self.holders.append(change.operands)
                yield from self._changed(change, link)
        else:
            self.fixed.append(node)

    def _within_room(self, node: Node, kind: Kind, plain: Node) -> tuple[Kind, Node]:
        """Arrays keep their bytes where too many others have become lists already."""
        if kind is Kind.ARRAY and isinstance(node, Call):
            self.listed += len(walk(plain))
            large = plain_array(node, listed=False) if self.listed > _MAX_LISTED else None
            if large is not None:
                return Kind.LARGE_ARRAY, large
        return kind, plain

    def _changed(self, change: Change, link: _Link) -> Iterator[tuple[Node, _Link]]:
        if change.opcode not in (op.SETITEM, op.SETITEMS):
            yield from _numbered(change.operands, link)
            return
        operands = iter(change.operands)
        for key, value in zip(operands, operands, strict=True):
            if _has_inside(value):
                yield value, (link, key)
            if _has_inside(key):
                yield from self._key(key, link)

    def _key(self, key: Node, link: _Link) -> Iterator[tuple[Node, _Link]]:
        """A key is replaced only by its equal, or two keys might become one."""
        form = plain_form(key)
        if form is not None and form[0] in (Kind.NUMBER, Kind.STRING):
            yield key, link
        else:
            self.fixed.append(key)


def _numbered(nodes: list[Node], link: _Link) -> Iterator[tuple[Node, _Link]]:
    return ((node, (link, index)) for index, node in enumerate(nodes) if _has_inside(node))


def _has_inside(node: Node) -> bool:
    """Whether it, or something directly in it, can be simplified: a leaf cannot."""
    if isinstance(node, (List, Dict)):
        return any(type(item) not in _LEAVES for item in children(node))
    return type(node) not in _LEAVES


def _path(link: _Link) -> Path:
    names: list[str] = []
    while link is not None:
        link, name = link
        names.append(str(name) if isinstance(name, int) else _name(name))
    return tuple(reversed(names))


def _name(key: Node) -> str:
    return str(key.value) if isinstance(key, (Text, Scalar)) else "?"


def _move_logs(root: Node, found: dict[int, _Found]) -> tuple[str, ...]:
    """Move plain logs out of the sight of mmengine, which warns of each that is no buffer."""
    hub = find(root, "message_hub")
    scalars, resumed = find(hub, "log_scalars"), find(hub, "resumed_keys")
    plain = {id(match.plain) for match in found.values() if match.kind is Kind.BUFFER}
    if not isinstance(hub, Mutable) or not isinstance(scalars, Mutable) or not is_mapping(scalars):
        return ()
    moved = [(key, value) for key, value in pairs(scalars) if id(value) in plain]
    if not moved or find(hub, "log_history") is not None:
        return ()
    history = Dict()
    history.memoized = True
    set_pairs(history, moved)
    set_pairs(hub, [*pairs(hub), (text_of("log_history"), history)])
    set_pairs(scalars, [entry for entry in pairs(scalars) if id(entry[1]) not in plain])
    names = {text_value(key) for key, _ in moved}
    if isinstance(resumed, Mutable) and is_mapping(resumed):
        set_pairs(resumed, [entry for entry in pairs(resumed) if text_value(entry[0]) not in names])
    return (
        f"{_count(len(moved), 'plain log')} moved from message_hub.log_scalars to "
        "message_hub.log_history, where mmengine looks for no buffers",
    )


def _sentences(found: list[_Found]) -> Iterator[str]:
    buffers = {match.path for match in found if match.kind is Kind.BUFFER}
    paths: dict[Kind, list[Path]] = {}
    for match in found:
        if match.path[:-1] not in buffers:
            paths.setdefault(match.kind, []).append(match.path)
    for kind in Kind:
        # A Config and the dict that it holds lie in the same place.
        places = list(dict.fromkeys(paths.get(kind, ())))
        name, one, several = kind.value
        if name and places:
            became = one if len(places) == 1 else several
            yield f"{_count(len(places), name)} became {became}: {_places(places)}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' if number > 1 else ''}"


def _places(paths: list[Path]) -> str:
    """`meta.seed, date; message_hub.log_scalars`: a few names, or the dict where they are many."""
    names: dict[Path, list[str]] = {}
    for path in paths:
        shown = tuple(safe_text(name, _MAX_NAME) for name in path)
        names.setdefault(shown[:-1], []).append(shown[-1])
    places = [
        ".".join(parent)
        if len(inside) > _MAX_NAMES and parent
        else ".".join((*parent, ", ".join(inside[:_MAX_NAMES])))
        for parent, inside in names.items()
    ]
    more = len(places) - _MAX_PLACES
    return "; ".join(places[:_MAX_PLACES]) + (f"; and {_count(more, 'place')} more" * (more > 0))
