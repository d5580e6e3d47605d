"""Where fuzzing begins: small files of every format, and the way to damage one on purpose."""

from __future__ import annotations

import json
import pickle
import random
import struct
import sys
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

sys.path.append(str(Path(__file__).parents[2] / "tests"))
from support.files import old_config
from support.legacy import build_legacy
from support.streams import ORDERED_DICT, Storage, call, mapping, plain, stream, tensor, text
from support.zips import build_zip, members_of, torch_zip

_ROOT: Final = Path(__file__).parents[2]
_CORPUS: Final = _ROOT / "tests" / "tools" / "campaigns" / "corpus"
_FLOATS: Final = struct.pack("<2f", 1.5, -2.0)
_STORAGES: Final = {"0": _FLOATS, "1": b"abc", "2": bytes(4)}
_METADATA: Final = mapping({"": mapping({"version": plain(1)}), "a": mapping({"version": b"N"})})
_WEIGHTS: Final = mapping(
    {
        "a.weight": tensor(),
        "a.bias": call("torch._utils._rebuild_parameter", tensor(shape=(1,)), b"\x88", b"}"),
        "b": tensor(Storage("1", 3, "torch.ByteStorage"), shape=(3,)),
        "c": tensor(
            Storage("2", 4, "torch.storage.UntypedStorage"),
            shape=(),
            stride=(),
            offset=0,
            rebuild="torch._utils._rebuild_tensor_v3",
            more=b"ctorch\nuint16\n",
        ),
    },
    ORDERED_DICT,
)
CHECKPOINT: Final = stream(
    mapping(
        {
            "meta": mapping({"cfg": text("x = 1"), "mmseg_version": text("1")}),
            "state_dict": _WEIGHTS + mapping({"_metadata": _METADATA}) + b"b",
            "ema_state_dict": mapping({"steps": tensor(shape=(), stride=()), "module.b": tensor()}),
        }
    )
)
_SHARED: Final = [1, 2.5, None, True, "text", ("a", "b", "c", "d"), 2**70, -(2**40)]
_VALUES: Final[tuple[object, ...]] = (
    {"a": _SHARED, "b": [_SHARED, OrderedDict(d=_SHARED)]},
    list(range(1200)),
    {},
)


def seeds(name: str) -> list[bytes]:
    """Files that the parser accepts, or nearly, and what has found something before."""
    kept = sorted((_CORPUS / name).glob("*")) if (_CORPUS / name).is_dir() else []
    return [*_SEEDS[name](), *(path.read_bytes() for path in kept)]


def _zips() -> list[bytes]:
    empty = members_of(storages={})
    return [torch_zip(), torch_zip(CHECKPOINT, _STORAGES), build_zip(empty, alignment=16)]


def _pickles() -> list[bytes]:
    return [CHECKPOINT, *(pickle.dumps(value, 2) for value in _VALUES)]


def _legacy() -> list[bytes]:
    numbered = {"0": (2, _FLOATS), "1": (3, b"abc"), "2": (4, bytes(4))}
    return [build_legacy(), build_legacy(CHECKPOINT, storages=numbered)]


def _safetensors() -> list[bytes]:
    full = {
        "__metadata__": {"format": "pt", "tied": '{"c": "a"}'},
        "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        "b": {"dtype": "U8", "shape": [2, 0], "data_offsets": [8, 8]},
    }
    made = [(json.dumps(full), _FLOATS), (json.dumps({}), b""), ('{"a":{"dtype":"BOOL"}}', b"")]
    return [struct.pack("<Q", len(h)) + h.encode() + data for h, data in made]


def _rules() -> list[bytes]:
    files = sorted((_ROOT / "rules").glob("*.yaml"), key=lambda path: path.stat().st_size)
    small = b'schema: 1\nfamily: toy\nnames: {head: [a, "b"]}\nrules:\n  - from: "{head}.{i}.**"\n'
    return [small, *(path.read_bytes() for path in files[:4])]


_EXPRESSIONS: Final = (
    "dict(a=1, b=dict(c=[2, (3,)]))",
    "{'a': 1, **{'b': 2}}",
    "[1, *(2, 3)]",
    "1e-4 + -2.5",
    "tuple(i * 2 for i in range(3))",
    "7 // 2 + 7 % 4 - 2 ** 3",
    "'%s_%03d' % ('a', 7)",
    "[(i, j) for i in [1, 2] for j in range(i)]",
    "f'{1:03d}-{\"a\"!r}-{0.5:.1%}-{2:{3}}'",
    "dict(zip(['a', 'b'], (1, 2)))",
    "[10, 20, 30][-1:]",
    "list(dict(a=1).items())",
    "{f's{i}': n for i, n in enumerate([1, 2])}",
    "min([3, 4]) + abs(-1) + len('abc')",
)


def _configs() -> list[bytes]:
    lines = [f"x{number} = {value}" for number, value in enumerate(_EXPRESSIONS)]
    changes = [
        "a = [1]",
        "b = a",
        "a += [2]",
        "d = dict(k=a)",
        "d.update(k=3)",
        "d['n'] = b",
        "del d['k']",
        "a.append(4)",
        "c, e = 1, 'x'",
        "d.pop('n')",
    ]
    genuine = old_config("maskformer_r18")
    return [*(line.encode() for line in lines), "\n".join(changes).encode(), genuine.read_bytes()]


def _data() -> list[bytes]:
    return [
        b'{"a": {"b": [1, 2.5, null, true, "x"]}}',
        b"a:\n  b: [1, 2.5, ~, yes, 'x']\n",
        b"a: 2001-01-01\nb: 0x1F\nc: |\n  text\n? d\n: !!str 1\n",
    ]


_SEEDS: Final[Mapping[str, Callable[[], list[bytes]]]] = {
    "zip": _zips,
    "pickle": _pickles,
    "legacy": _legacy,
    "safetensors": _safetensors,
    "rules": _rules,
    "config": _configs,
    "config_data": _data,
}


def damaged(data: bytes, random_: random.Random, others: list[bytes]) -> bytes:
    """A few random edits: bits, bytes, pieces taken out, doubled, or taken from another file."""
    out = bytearray(data)
    for _ in range(random_.choice((1, 1, 2, 3, 8))):
        at, size = random_.randrange(len(out) + 1), random_.choice((1, 1, 2, 4, 8, 40))
        other = random_.choice(others)
        start = random_.randrange(len(other) + 1)
        edit = random_.randrange(5)
        if edit == 0 and at < len(out):
            out[at] ^= 1 << random_.randrange(8)
        elif edit == 1:
            out[at : at + size] = random_.randbytes(size)
        elif edit == 2:
            del out[at : at + size]
        elif edit == 3:
            out[at:at] = out[at : at + size] * random_.choice((1, 2, 30))
        else:
            out[at : at + random_.choice((0, size))] = other[start : start + size]
    return bytes(out)


def with_right_sums(data: bytes) -> bytes:
    """A damaged zip file whose checksums are made right, so that what lies behind them is tried."""
    out = bytearray(data)
    at = data.rfind(b"PK\1\2")
    while at >= 0 and at + 46 <= len(out):
        size, name, offset = (_number(out, at + i, n) for i, n in ((24, 4), (28, 2), (42, 4)))
        start = offset + 30 + name + _number(out, offset + 28, 2)
        crc = zlib.crc32(out[start : start + size]).to_bytes(4, "little")
        if start + size <= len(out):
            out[at + 16 : at + 20] = crc
        if out[start + size : start + size + 4] == b"PK\7\x08":
            out[start + size + 4 : start + size + 8] = crc
        at = data.rfind(b"PK\1\2", 0, at)
    return bytes(out)


def _number(data: bytearray, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
