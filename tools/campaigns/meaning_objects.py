"""Change the objects of a pickle rather than its bytes, so that it stays one that can be read."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Final, TypeAlias

from mm_ckpt_migrate.files.pickles import opcodes as op
from mm_ckpt_migrate.files.pickles.build import Plain, from_plain, list_of, mapping_of
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.nodes import (
    SHAREABLE,
    Call,
    Change,
    Global,
    Mutable,
    Node,
    Persistent,
    Scalar,
    Text,
    Tuple,
    walk,
)
from mm_ckpt_migrate.files.pickles.parse import parse_whole

# A list of nodes, and a place in it.
Slot: TypeAlias = tuple[list[Node], int]

_NUMBERS: Final[tuple[Plain, ...]] = (
    0,
    1,
    2,
    3,
    6,
    255,
    1 << 31,
    1 << 48,
    1 << 62,
    -1,
    -2,
    0.0,
    -0.0,
    1.0,
    float("nan"),
    float("inf"),
    True,
    False,
    None,
)
_TEXTS: Final = (
    "",
    "0",
    "1",
    "00",
    "+1",
    "cpu",
    "cuda:0",
    "meta",
    "storage",
    "module",
    "state_dict",
    "model",
    "ema_state_dict",
    "_metadata",
    "version",
    "cfg",
    "config",
    "mmseg_version",
    "optimizer",
    "\ud800",
    "e\u0301",
    "\u00e9",
    "a\nb",
    "steps",
    "module.0.weight",
)
_NAMES: Final = (
    "collections.OrderedDict",
    "collections.defaultdict",
    "collections.Counter",
    "builtins.dict",
    "builtins.list",
    "builtins.str",
    "builtins.set",
    "builtins.bytearray",
    "builtins.int",
    "numpy.str_",
    "numpy.dtype",
    "numpy.ndarray",
    "_codecs.encode",
    "torch.Size",
    "torch.device",
    "torch.Tensor",
    "torch.FloatStorage",
    "torch.HalfStorage",
    "torch.LongStorage",
    "torch.float16",
    "torch.BFloat16Storage",
    "torch.storage.UntypedStorage",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v3",
    "torch.uint16",
    "torch._utils._rebuild_parameter",
    "torch.nn.parameter.Parameter",
    "argparse.Namespace",
    "torch._utils._rebuild_parameter_with_state",
    "torch._tensor._rebuild_from_type_v2",
    "datetime.timedelta",
    "pathlib.PosixPath",
    "mmengine.config.config.ConfigDict",
    "os.system",
)


def change_objects(stream: bytes, luck: random.Random) -> bytes:
    """The stream of the same object with a few things changed in it.

    Raises:
        PickleError: what came about cannot be written.
    """
    root = parse_whole(stream)
    for _ in range(luck.choice((1, 1, 1, 2, 3))):
        with contextlib.suppress(IndexError):  # nothing of the kind is left
            luck.choice(_CHANGES)(root, luck)
    return emit(root)


def _slots(root: Node) -> list[Slot]:
    found: list[Slot] = []
    for node in walk(root):
        lists = [change.operands for change in node.changes] if isinstance(node, Mutable) else []
        if isinstance(node, Tuple):
            lists.append(node.items)
        found += ((items, place) for items in lists for place in range(len(items)))
    return found


def _replace(root: Node, luck: random.Random) -> None:
    items, place = luck.choice(_slots(root))
    items[place] = _fresh(items[place], luck)


def _fresh(node: Node, luck: random.Random) -> Node:
    """Something else, of the same kind more often than not."""
    if luck.random() < 0.2:
        return luck.choice((list_of([]), mapping_of({}), Tuple([]), _name(luck), _number(luck)))
    if isinstance(node, Text):
        return _text(node.value, luck)
    if isinstance(node, Global):
        return _name(luck)
    if isinstance(node, Scalar):
        return _number(luck)
    return _wrapped(node, luck)


def _text(value: str, luck: random.Random) -> Node:
    at = luck.randrange(len(value) + 1)
    changed = luck.choice((value[:at] + "x" + value[at:], value[:at], value.upper(), f"{value} "))
    made = Text(luck.choice((changed, luck.choice(_TEXTS))))
    made.memoized = luck.random() < 0.8
    return made


def _number(luck: random.Random) -> Node:
    return from_plain(luck.choice(_NUMBERS))


def _name(luck: random.Random) -> Node:
    module, _, name = luck.choice(_NAMES).rpartition(".")
    return Global(module, name)


def _wrapped(node: Node, luck: random.Random) -> Node:
    opcode = luck.choice((op.REDUCE, op.REDUCE, op.NEWOBJ))
    return luck.choice(
        (Tuple([node]), list_of([node]), Call(_name(luck), Tuple([node]), opcode), Persistent(node))
    )


def _wrap(root: Node, luck: random.Random) -> None:
    items, place = luck.choice(_slots(root))
    items[place] = _wrapped(items[place], luck)


def _share(root: Node, luck: random.Random) -> None:
    """The same object in two places; it may come to hold itself."""
    (items, place), (others, other) = luck.choice(_slots(root)), luck.choice(_slots(root))
    if isinstance(node := others[other], SHAREABLE):
        node.memoized = True
    items[place] = node


def _exchange(root: Node, luck: random.Random) -> None:
    (items, place), (others, other) = luck.choice(_slots(root)), luck.choice(_slots(root))
    items[place], others[other] = others[other], items[place]


def _mutable(root: Node, luck: random.Random) -> Mutable:
    return luck.choice([node for node in walk(root) if isinstance(node, Mutable)])


def _entry_again(root: Node, luck: random.Random) -> None:
    """A key twice, as it is or in another guise."""
    node = _mutable(root, luck)
    full = [c for c in node.changes if c.opcode in (op.SETITEM, op.SETITEMS) and c.operands]
    if not full:
        return
    operands = luck.choice(full).operands
    at = 2 * luck.randrange(len(operands) // 2)
    key, value = operands[at], luck.choice(operands[1::2])
    if luck.random() < 0.5 and isinstance(key, Text):
        guise = Global(*luck.choice((("builtins", "str"), ("numpy", "str_"))))
        key = luck.choice((Text(key.value), Call(guise, Tuple([key]), op.REDUCE)))
    node.changes.append(Change(op.SETITEM, [key, value]))


def _entry_gone(root: Node, luck: random.Random) -> None:
    node = _mutable(root, luck)
    if node.changes:
        operands = luck.choice(node.changes).operands
        at = 2 * luck.randrange(len(operands) // 2 + 1)
        del operands[at : at + 2]


def _change(root: Node, luck: random.Random) -> None:
    """One more change to an object, or one less, or another opcode for it."""
    node = _mutable(root, luck)
    some = [items[place] for items, place in luck.choices(_slots(root), k=2)]
    opcode = luck.choice((op.BUILD, op.SETITEM, op.APPEND, op.SETITEMS, op.APPENDS))
    more = Change(opcode, some if opcode in (op.SETITEM, op.SETITEMS) else some[:1])
    node.changes.insert(luck.randint(0, len(node.changes)), more)
    if luck.random() < 0.3:
        del node.changes[luck.randrange(len(node.changes))]


def _call(root: Node, luck: random.Random) -> None:
    """Another callee, another way to call it, or other arguments."""
    node = luck.choice([node for node in walk(root) if isinstance(node, Call)])
    kind = luck.randrange(3)
    if kind == 0:
        node.callee = _name(luck)
    elif kind == 1:
        node.opcode = op.NEWOBJ if node.opcode == op.REDUCE else op.REDUCE
    elif isinstance(node.args, Tuple):
        items = node.args.items
        at = luck.randint(0, len(items))
        items[at : at + luck.randint(0, 1)] = [_number(luck)] * luck.randint(0, 1)


_CHANGES: Final[tuple[Callable[[Node, random.Random], None], ...]] = (
    _replace,
    _replace,
    _replace,
    _wrap,
    _share,
    _share,
    _exchange,
    _entry_again,
    _entry_gone,
    _change,
    _call,
)
