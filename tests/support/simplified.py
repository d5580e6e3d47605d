"""Simplify pickled objects, and hand the outcome to torch's own loader at its defaults."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

from mm_ckpt_migrate.files.checkpoint.simplify import simplify
from mm_ckpt_migrate.files.checkpoint.weights_only import refused_globals
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.nodes import walk
from mm_ckpt_migrate.files.pickles.parse import parse, parse_whole
from support.zips import Member, build_zip, torch_zip


def load(data: bytes) -> Any:
    """What `torch.load(path)` makes of a file."""
    import torch

    return torch.load(io.BytesIO(data))


def simplified_stream(stream: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The new stream, which this package must be able to read again, and the report."""
    root = parse_whole(stream)
    said = simplify(root)
    made = emit(root)
    assert emit(parse_whole(made)) == made
    return made, said


def simplified(value: object, *, older_numpy: bool = False) -> Any:
    """A value after it was pickled under "v", simplified, and loaded at torch's defaults."""
    stream = pickle.dumps({"v": value}, protocol=2)
    if older_numpy:
        stream = stream.replace(b"cnumpy._core.", b"cnumpy.core.")
    made, _ = simplified_stream(stream)
    assert refused_globals(walk(parse_whole(made))) == ()
    return load(torch_zip(made, {}))["v"]


def said(value: object) -> tuple[str, ...]:
    """The report on a value that is the root."""
    return simplified_stream(pickle.dumps(value, protocol=2))[1]


def stays(stream: bytes) -> bool:
    """Whether a stream comes out as it went in, without a word."""
    return simplified_stream(stream) == (emit(parse_whole(stream)), ())


def simplified_file(path: Path) -> tuple[bytes, tuple[str, ...]]:
    """A file of torch's with nothing but the pickle of its object simplified."""
    if not zipfile.is_zipfile(path):
        return _simplified_legacy(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        members = [Member(name, archive.read(name)) for name in archive.namelist()]
    pickled = next(member for member in members if member.name.endswith("/data.pkl"))
    pickled.data, report = simplified_stream(pickled.data)
    return build_zip(members), report


def _simplified_legacy(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The object is the fourth of five pickles, which the storages follow."""
    start = 0
    for _ in range(3):
        start = parse(data, start).end
    end = parse(data, start).end
    made, report = simplified_stream(data[start:end])
    return data[:start] + made + data[end:], report
