"""Pickles that cost much for their bytes: one opcode or one object again and again.

Each is filled up with text until it has nearly as many opcodes and objects as are allowed.
"""

from __future__ import annotations

import pickletools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

from support.streams import Storage, call, mapping, name, plain, tensor, text

from mm_ckpt_migrate.files.pickles import limits, parse

_MARKS = b"#$%&"
_BUFFER = "mmengine.logging.history_buffer.HistoryBuffer"
_REBUILD = "torch._utils._rebuild_tensor_v2"
_MODULUS = (1 << 61) - 1  # CPython's hash of each of its multiples is 0
_TABLE = 1 << 18
# For what stands around the units.
_RESERVE = 30_000


@dataclass(frozen=True, slots=True)
class Kind:
    """A costly value: `unit(number)` is repeated between `opens` and `closes`.

    Attributes:
        head: puts what the units fetch into the memo, under the numbers `#`, `$`, `%` and `&`.
        section: the root's entry that the value becomes.
    """

    unit: Callable[[int], bytes]
    opens: bytes = b"]("
    closes: bytes = b"e"
    head: bytes = b"N"
    section: str = "evil"

    def units(self, size: int) -> bytes:
        """As many as `size` bytes may hold, or as they are."""
        opcodes = [opcode for opcode, _, _ in pickletools.genops(self.unit(1) + b".")][:-1]
        objects = sum(parse._MAKES[ord(opcode.code)] for opcode in opcodes)
        spare = size - _RESERVE
        count = min(
            size // len(self.unit(1)),
            (limits.FREE_OPCODES + spare // limits.BYTES_PER_OPCODE - _RESERVE) // len(opcodes),
            (limits.FREE_OBJECTS + spare // limits.BYTES_PER_OBJECT - _RESERVE) // max(objects, 1),
        )
        return b"".join(map(self.unit, range(count)))


def grafted(pickle: bytes, kind: Kind, size: int, first: int, *, pad: bool = True) -> bytes:
    """The pickle of a dict with a costly entry of about `size` bytes at its end.

    Args:
        first: the number of the next object that it puts into its memo.
        pad: whether to keep within what is allowed.
    """
    units = kind.units(size) if pad else kind.unit(1) * (size // len(kind.unit(1)))
    filling = text("x" * max(size - len(units), 0))
    made = text("filling") + b"(" + filling + kind.head + b"t"
    made += text(kind.section) + kind.opens + units + kind.closes
    for offset, mark in enumerate(_MARKS):
        number = (first + offset).to_bytes(4, "little")
        made = made.replace(b"q%c" % mark, b"r" + number).replace(b"h%c" % mark, b"j" + number)
    assert pickle.endswith(b"u.")
    return pickle[:-2] + made + b"u."


def _same(unit: bytes) -> Callable[[int], bytes]:
    return lambda number: unit


def _keys(key: Callable[[int], bytes]) -> Kind:
    return Kind(lambda number: key(number) + b"N", b"}(", b"u")


@cache
def _orbit() -> list[int]:
    """Numbers on each other's places in a table of `_TABLE`, then others that begin there."""
    places = [0]
    while len(places) < _TABLE // 4:
        places.append((5 * places[-1] + 1) % _TABLE)
    return places + [_TABLE * (number + 1) for number in range(_TABLE)]


def _tuple(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


_NUMBERS = _tuple(b"K\3", text("|"), b"N", b"N", b"N", plain(-1), plain(-1), b"K\0")
_DTYPE = call("numpy.dtype", text("u1"), b"\x89", b"\x88") + _NUMBERS + b"b"
_EMPTY = call("_codecs.encode", text("b"), text("latin1"))
_THOUSAND = call("_codecs.encode", text("a" * 1000), text("latin1"))
_ARRAY = (
    call("numpy.core.multiarray._reconstruct", name("numpy.ndarray"), b"K\0\x85", _EMPTY)
    + _tuple(b"K\1", plain(1000) + b"\x85", _DTYPE, b"\x89", _THOUSAND)
    + b"b"
)
_STATE = mapping({"_max_length": plain(10), "_log_history": _ARRAY, "_count_history": _ARRAY})
_STORAGE = Storage("999", 1, "torch.FloatStorage")
_VIEW = tensor(_STORAGE, shape=(1,), stride=(1,))
_HOOKS = name("collections.OrderedDict") + b")R"
_LOGS = b"}(" + text("log_scalars") + b"}("

# The storage that costly tensors view, beside those of the file.
STORAGES = {"999": b"\0" * 4}

KINDS: dict[str, Kind] = {
    "lists": Kind(_same(b"]")),
    "dicts": Kind(_same(b"}")),
    "empty tuples": Kind(_same(b")")),
    "tuples of a list": Kind(_same(b"]\x85")),
    "lists of a list": Kind(_same(b"]]a")),
    "lists 190 deep": Kind(_same(b"]"), b"]" * 190 + b"](", b"e" + b"a" * 190),
    "tuples 180 deep": Kind(_same(b"N" + b"\x85" * 180)),
    "None": Kind(_same(b"N")),
    "small integers": Kind(_same(b"K\1")),
    "integers of two bytes": Kind(_same(b"M\1\2")),
    "integers of no byte": Kind(_same(b"\x8a\0")),
    "integers of 512 bytes": Kind(_same(b"\x8b\0\2\0\0" + b"\1" * 512)),
    "floats": Kind(_same(b"G" + b"\1" * 8)),
    "empty texts": Kind(_same(text(""))),
    "texts of wide letters": Kind(_same(text("\N{OLD ITALIC LETTER A}" + "x" * 100_000))),
    "names": Kind(_same(name("torch.int8"))),
    "names, all different": Kind(lambda n: name(f"torch.float{n}")),
    "foreign names, all different": Kind(lambda n: name(f"a.b{n}")),
    "a shared text": Kind(_same(b"h#"), head=text("") + b"q#"),
    "a shared list": Kind(_same(b"h#"), head=b"]q#"),
    "a shared list of hundreds": Kind(_same(b"h#"), head=b"](" + b"N" * 300 + b"eq#"),
    "calls": Kind(_same(b"h#)R"), head=name("collections.OrderedDict") + b"q#"),
    "objects with attributes": Kind(_same(b"h#)\x81}b"), head=name("argparse.Namespace") + b"q#"),
    "dicts of one": Kind(_same(b"}NNs")),
    "sets": Kind(_same(b"h#]\x85R"), head=name("builtins.set") + b"q#"),
    "bytes": Kind(_same(_EMPTY)),
    "paths": Kind(_same(call("pathlib.PosixPath", text("a")))),
    "statistics": Kind(_same(call("builtins.getattr", name(_BUFFER), text("mean")))),
    "numpy scalars": Kind(
        _same(b"h#(h$" + text("a") + b"tR"),
        head=name("numpy.core.multiarray.scalar") + b"q#" + _DTYPE + b"q$",
    ),
    "numpy arrays of a thousand": Kind(_same(_ARRAY)),
    "log buffers": Kind(
        lambda n: text(f"{n}") + call(_BUFFER, opcode=b"\x81") + _STATE + b"b",
        _LOGS,
        b"uu",
        section="message_hub",
    ),
    "logs of numbers": Kind(lambda n: text(f"{n}") + plain(0.5), _LOGS, b"uu"),
    "tensors": Kind(_same(_VIEW)),
    "tensors of shared parts": Kind(
        _same(b"h#(h$K\0K\1\x85K\1\x85\x89h%tR"),
        head=name(_REBUILD) + b"q#" + _STORAGE.bytes() + b"q$" + _HOOKS + b"q%",
    ),
    "tensors of 64 dimensions": Kind(
        _same(b"h#(h$K\0h%h%\x89h&tR"),
        head=name(_REBUILD) + b"q#" + _STORAGE.bytes() + b"q$(" + b"K\1" * 64 + b"tq%" + _HOOKS + b"q&",
    ),
    "storages": Kind(
        _same(b"(h#h$h%h&K\1tQ"),
        head=text("storage") + b"q#" + name("torch.FloatStorage") + b"q$"
        b"" + text("999") + b"q%" + text("cpu") + b"q&",
    ),
    "integers of one hash as keys": _keys(lambda n: plain(n * _MODULUS)),
    "floats of one hash as keys": _keys(lambda n: plain(2.0 ** (61 * (n % 16)) * (n // 16 + 1))),
    "small integers as keys": _keys(lambda n: plain(_orbit()[n])),
    "tuples as keys": _keys(lambda n: _tuple(plain(n), plain(n * _MODULUS))),
    "texts as keys": _keys(lambda n: text(str(n))),
    "integers of one hash in a set": Kind(
        lambda n: plain(n * _MODULUS), name("builtins.set") + b"](", b"e\x85R"
    ),
    "states of an optimizer": Kind(
        lambda n: plain(n) + b"}",
        b"}(" + text("state") + b"}(",
        b"u" + text("param_groups") + b"]u",
        section="optimizer",
    ),
    "groups of an optimizer": Kind(
        _same(b"}h#]s"),
        b"}(" + text("state") + b"}" + text("param_groups") + b"](",
        b"eu",
        text("params") + b"q#",
        "optimizer",
    ),
    "parameters of a group": Kind(
        plain,
        b"}(" + text("state") + b"}" + text("param_groups") + b"](}(" + text("params") + b"](",
        b"eueu",
        section="optimizer",
    ),
    "schedules": Kind(_same(b"}" + text("last_step") + b"K\1s"), section="param_schedulers"),
    "averaged weights": Kind(lambda n: text(f"module.{n}") + _VIEW, b"}(", b"u", section="ema_state_dict"),
}
