"""What stands for an object of mmengine, numpy or the standard library when it must be plain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Final

from mm_ckpt_migrate.files.checkpoint.plain_numpy import (
    called,
    empty_bytes,
    plain_array,
    plain_scalar,
    state_of,
)
from mm_ckpt_migrate.files.pickles import opcodes as op
from mm_ckpt_migrate.files.pickles.build import elements, is_mapping, mapping_of, pairs, text_of
from mm_ckpt_migrate.files.pickles.nodes import Call, Change, Dict, Global, Node, Scalar, Text, Tuple


class Kind(Enum):
    """What can be made plain: its name, and what one and what several of them become.

    Without a name it is not worth a word.
    """

    BUFFER = ("log buffer", "a plain dict of numbers", "plain dicts of numbers")
    NUMBER = ("numpy scalar", "a plain number", "plain numbers")
    STRING = ("numpy string", "a plain string", "plain strings")
    ARRAY = ("numpy array", "a plain list", "plain lists")
    LARGE_ARRAY = ("large numpy array", "a dict of dtype, shape and bytes", "dicts of dtype, shape and bytes")
    HUB = ("message hub", "a plain dict", "plain dicts")
    CONFIG = ("config", "a plain dict", "plain dicts")
    DEFAULTDICT = ("defaultdict", "a plain dict", "plain dicts")
    PATH = ("path", "a plain string", "plain strings")
    BYTES = ("", "", "")


def plain_form(node: Node) -> tuple[Kind, Node] | None:
    """What shall stand in a node's place; None where the node stays.

    Objects inside are those of the node itself: they are to be made plain in their turn.
    """
    form = _FORMS.get(called(node))
    plain = form[1](node) if form and isinstance(node, Call) else None
    if form is None or plain is None:
        return None
    kind = form[0]
    if kind is Kind.NUMBER and isinstance(plain, Text):
        kind = Kind.STRING
    if kind is Kind.ARRAY and isinstance(plain, Dict):
        kind = Kind.LARGE_ARRAY
    return kind, plain


def plain_of(node: Node) -> Node:
    """What shall stand in a node's place, or the node itself where it stays."""
    form = plain_form(node)
    return node if form is None else form[1]


def _buffer(node: Call) -> Node | None:
    """A HistoryBuffer without its statistics, which are methods of mmengine's own class."""
    state = _attributes(node)
    names = {name.removeprefix("_"): value for name, value in state.items()}
    if names.keys() - {"statistics_methods"} != {"max_length", "log_history", "count_history"}:
        return None
    length, logs, counts = (names[n] for n in ("max_length", "log_history", "count_history"))
    is_length = isinstance(length, Scalar) and type(length.value) is int
    if len(names) != len(state) or not is_length or not _is_array(logs) or not _is_array(counts):
        return None
    return mapping_of({"max_length": length, "log_history": logs, "count_history": counts})


def _is_array(node: Node) -> bool:
    form = plain_form(node)
    return form is not None and form[0] in (Kind.ARRAY, Kind.LARGE_ARRAY)


def _hub(node: Call) -> Node | None:
    """A MessageHub as its `state_dict()`, which is what later releases save."""
    state = _attributes(node)
    names = ("log_scalars", "runtime_info", "resumed_keys")
    inside = {name: state[f"_{name}"] for name in names if f"_{name}" in state}
    if len(inside) < len(names) or not all(map(is_mapping, inside.values())):
        return None
    return mapping_of(inside)


def _config(node: Call) -> Node | None:
    """The dict that a Config holds, beside its text and the name of its file."""
    state = state_of(node)
    if not isinstance(state, Tuple) or len(state.items) < 3 or elements(node.args):
        return None
    held = state.items[0]
    form = _FORMS.get(called(held))
    is_config_dict = form is not None and form[1] is _config_dict and plain_form(held) is not None
    return held if is_config_dict or isinstance(held, Dict) else None


def _config_dict(node: Call) -> Node | None:
    """A dict whose keys are attributes too, as mmengine or else as addict itself pickles it."""
    if node.opcode == op.REDUCE:
        items = elements(node.args)
        is_wrapper = len(items) == 1 and isinstance(items[0], Dict) and not node.changes
        return items[0] if is_wrapper else None
    changes = node.changes
    if changes and changes[-1].opcode == op.BUILD:
        if changes[-1].operands != [node]:
            return None
        # addict hands the object over as its own state, and its entries once more as arguments.
        changes = changes[:-1]
    return _filled(changes)


def _defaultdict(node: Call) -> Node | None:
    factory = elements(node.args)
    is_name = all(isinstance(item, (Global, Scalar)) for item in factory)
    return _filled(node.changes) if len(factory) <= 1 and is_name else None


def _filled(changes: list[Change]) -> Node | None:
    """A dict with the entries that were set in another mapping."""
    if any(change.opcode not in (op.SETITEM, op.SETITEMS) for change in changes):
        return None
    made = Dict()
    made.changes = list(changes)
    made.memoized = True
    return made


def _path(flavour: type[PurePath]) -> Callable[[Call], Node | None]:
    def text(node: Call) -> Node | None:
        parts = [part.value for part in elements(node.args) if isinstance(part, Text)]
        is_plain = len(parts) == len(elements(node.args)) and not node.changes
        return text_of(str(flavour(*parts))) if is_plain else None

    return text


def _attributes(node: Call) -> Mapping[str, Node]:
    """The attributes of an object that is made without arguments; none where they are odd."""
    state = state_of(node)
    if not isinstance(state, Dict) or not isinstance(node.args, Tuple) or node.args.items:
        return {}
    entries = {key.value: value for key, value in pairs(state) if isinstance(key, Text)}
    return entries if len(entries) == len(pairs(state)) else {}


_FORMS: Final[Mapping[str, tuple[Kind, Callable[[Call], Node | None]]]] = {
    **{
        f"numpy.{core}.multiarray.{name}": form
        for core in ("core", "_core")
        for name, form in (
            ("scalar", (Kind.NUMBER, plain_scalar)),
            ("_reconstruct", (Kind.ARRAY, plain_array)),
        )
    },
    "mmengine.logging.history_buffer.HistoryBuffer": (Kind.BUFFER, _buffer),
    "mmengine.logging.message_hub.MessageHub": (Kind.HUB, _hub),
    "mmengine.config.config.Config": (Kind.CONFIG, _config),
    "mmcv.utils.config.Config": (Kind.CONFIG, _config),
    "mmengine.config.config.ConfigDict": (Kind.CONFIG, _config_dict),
    "mmcv.utils.config.ConfigDict": (Kind.CONFIG, _config_dict),
    "addict.addict.Dict": (Kind.CONFIG, _config_dict),
    "collections.defaultdict": (Kind.DEFAULTDICT, _defaultdict),
    **{
        f"{module}.{pure}{flavour}": (Kind.PATH, _path(kind))
        # Python 3.13 alone gives them another home.
        for module in ("pathlib", "pathlib._local")
        for pure in ("", "Pure")
        for flavour, kind in (("PosixPath", PurePosixPath), ("WindowsPath", PureWindowsPath))
    },
    "__builtin__.bytes": (Kind.BYTES, empty_bytes),
    "builtins.bytes": (Kind.BYTES, empty_bytes),
}
