"""Wrong mappings of a right file: names that got another tensor than theirs, or none."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, TypeAlias

from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.tensors import Tensor
from mm_ckpt_migrate.files.pickles.build import pairs, set_pairs, text_of
from mm_ckpt_migrate.files.pickles.nodes import Call, Mutable, Node, Text, Tuple

_LAYER: Final = re.compile(r"(.*?)\.(\d+)\.(.*)")
# What becomes of an entry: another one's value; none where it goes.
Table: TypeAlias = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Wrong:
    """A wrong mapping.

    Attributes:
        table: names to the names whose tensors they get; all others keep theirs.
        turned: a square tensor to be transposed.
        moved: whether its bytes are, rather than its strides.
        averaged: whether it is done to the averaged weights rather than to the trained ones.
    """

    kind: str
    table: Mapping[str, str | None]
    turned: str = ""
    moved: bool = False
    averaged: bool = False

    def __str__(self) -> str:
        shown = ", ".join(f"{name} <- {value}" for name, value in list(self.table.items())[:4])
        return f"{self.kind} {shown}{self.turned}"


def wrong_mappings(checkpoint: Checkpoint, luck: random.Random, count: int) -> Iterator[Wrong]:
    """`count` of them, of all kinds."""
    makers: dict[str, Callable[[Mapping[str, Tensor], random.Random], Wrong | None]] = {
        "exchange": _exchange,
        "drop": _drop,
        "duplicate": _duplicate,
        "add": _add,
        "turn": _turn,
        "shift": _shift,
        "rename": _rename,
    }
    weights = [name for name in makers for _ in range(8 if name == "exchange" else 2)]
    made = 0
    while made < count:
        averaged = bool(checkpoint.averaged) and luck.random() < 0.2
        tensors = checkpoint.averaged if averaged else checkpoint.tensors
        wrong = makers[luck.choice(weights)](tensors, luck)
        if wrong is not None:
            made += 1
            yield Wrong(wrong.kind, wrong.table, wrong.turned, wrong.moved, averaged)


def apply(mapping: Mutable, wrong: Wrong) -> Callable[[], None]:
    """Make a mapping of tensors wrong; what is returned makes it right again."""
    whole = pairs(mapping)
    values = {key.value: value for key, value in whole if isinstance(key, Text)}
    entries: list[tuple[Node, Node]] = []
    for key, value in whole:
        assert isinstance(key, Text)
        source = wrong.table.get(key.value, key.value)
        if source is not None:
            # Copied, so that a name that got another's tensor does not share its node.
            entries.append((key, value if source == key.value else copy.deepcopy(values[source])))
    for name, source in wrong.table.items():
        if name not in values and source is not None:
            entries.append((text_of(name), copy.deepcopy(values[source])))
    if wrong.turned and not wrong.moved:
        entries = [(k, _turned(v) if k.value == wrong.turned else v) for k, v in _texts(entries)]
    set_pairs(mapping, entries)
    return lambda: set_pairs(mapping, whole)


def transposed(data: bytes, tensor: Tensor) -> bytes:
    """The bytes of a square tensor in one storage, with rows and columns exchanged."""
    side = tensor.spec.shape[0]
    size = len(data) // side**2
    items = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(items[row * side + column] for column in range(side) for row in range(side))


def _texts(entries: Sequence[tuple[Node, Node]]) -> Iterator[tuple[Text, Node]]:
    for key, value in entries:
        assert isinstance(key, Text)
        yield key, value


def _turned(node: Node) -> Node:
    made = copy.deepcopy(node)
    assert isinstance(made, Call)
    assert isinstance(made.args, Tuple)
    stride = made.args.items[3]
    assert isinstance(stride, Tuple)
    stride.items.reverse()
    return made


def _alike(tensors: Mapping[str, Tensor]) -> list[list[str]]:
    """Names by shape and type, where there are several."""
    groups: dict[object, list[str]] = {}
    for name, tensor in tensors.items():
        groups.setdefault((tensor.spec.shape, tensor.spec.dtype), []).append(name)
    return [names for names in groups.values() if len(names) > 1]


def _two(tensors: Mapping[str, Tensor], luck: random.Random) -> tuple[str, str]:
    groups = _alike(tensors)
    weights = [len(names) * (len(names) - 1) for names in groups]
    first, second = luck.sample(luck.choices(groups, weights)[0], 2)
    return first, second


def _exchange(tensors: Mapping[str, Tensor], luck: random.Random) -> Wrong:
    first, second = _two(tensors, luck)
    return Wrong("exchange", {first: second, second: first})


def _duplicate(tensors: Mapping[str, Tensor], luck: random.Random) -> Wrong:
    first, second = _two(tensors, luck)
    return Wrong("duplicate", {first: second})


def _drop(tensors: Mapping[str, Tensor], luck: random.Random) -> Wrong:
    return Wrong("drop", {luck.choice(list(tensors)): None})


def _add(tensors: Mapping[str, Tensor], luck: random.Random) -> Wrong:
    name = luck.choice(list(tensors))
    return Wrong("add", {f"{name}_too": name})


def _rename(tensors: Mapping[str, Tensor], luck: random.Random) -> Wrong:
    name = luck.choice(list(tensors))
    return Wrong("rename", {name: None, name.replace("weight", "weights") + "x": name})


def _turn(tensors: Mapping[str, Tensor], luck: random.Random) -> Wrong | None:
    square = [
        name
        for name, tensor in tensors.items()
        if len(s := tensor.spec.shape) == 2 and s[0] == s[1] > 1 and tensor.contiguous
    ]
    if not square:
        return None
    return Wrong("transpose", {}, luck.choice(square), luck.random() < 0.5)


def _shift(tensors: Mapping[str, Tensor], luck: random.Random) -> Wrong | None:
    """Each layer of a list gets the next one's tensors, or two layers are exchanged."""
    layers: dict[str, set[int]] = {}
    for name in tensors:
        if found := _LAYER.fullmatch(name):
            layers.setdefault(found[1], set()).add(int(found[2]))
    several = sorted(prefix for prefix, numbers in layers.items() if len(numbers) > 1)
    if not several:
        return None
    prefix = luck.choice(several)
    numbers = sorted(layers[prefix])
    after = dict(zip(numbers, numbers[1:] + numbers[:1], strict=True))
    if luck.random() < 0.5:
        one, other = luck.choice(list(combinations(numbers, 2)))
        after = {one: other, other: one}
    table: Table = {}
    for name, tensor in tensors.items():
        found = _LAYER.fullmatch(name)
        if found and found[1] == prefix and int(found[2]) in after:
            source = f"{prefix}.{after[int(found[2])]}.{found[3]}"
            if source in tensors and tensors[source].spec.shape == tensor.spec.shape:
                table[name] = source
    return Wrong("shift", table) if table else None
