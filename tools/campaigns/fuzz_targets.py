"""What is fuzzed: one function per parser, which takes any bytes.

It returns where the bytes are refused with one of this tool's own errors, and where what is
accepted is what an independent reader sees in them. Anything else that is raised is a finding.
"""

from __future__ import annotations
import __future__

import io
import os
import pickletools
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

import yaml
from fuzz_reference import Names, load, made_of, same

from mm_ckpt_migrate.configs.read.config import read_config_text
from mm_ckpt_migrate.configs.read.data import load_json, load_yaml
from mm_ckpt_migrate.configs.static.budget import Budget, UnreadableError
from mm_ckpt_migrate.errors import CheckpointError, ConfigError, RuleError
from mm_ckpt_migrate.files.archive.dtypes import ITEM_SIZES
from mm_ckpt_migrate.files.archive.legacy import LegacyFile
from mm_ckpt_migrate.files.archive.safetensors import SafetensorsFile
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.storages import storage_refs
from mm_ckpt_migrate.files.archive.torchzip import TorchZip
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.errors import PickleError
from mm_ckpt_migrate.files.pickles.nodes import walk
from mm_ckpt_migrate.files.pickles.parse import parse_whole
from mm_ckpt_migrate.mapping.rules.load import load_ruleset
from mm_ckpt_migrate.mapping.rules.yamltext import YamlText

sys.path.append(str(Path(__file__).parents[2] / "tests"))
from support.zips import torch_zip

STORAGES: Final = {"0": bytes(range(8)), "1": b"abc", "2": bytes(4)}


class DisagreementError(AssertionError):
    """A file was accepted, and an independent reader sees something else in it."""


def agree(what: str, mine: object, other: object) -> None:
    if mine != other:
        raise DisagreementError(f"{what}: {mine!r:.300} here, {other!r:.300} there")


@contextmanager
def in_memory(data: bytes) -> Iterator[int]:
    fd = os.memfd_create("fuzzed")
    try:
        os.write(fd, data)
        yield fd
    finally:
        os.close(fd)


def opened(data: bytes) -> Checkpoint | None:
    """None where it is refused."""
    before = set(sys.modules)
    try:
        with in_memory(data) as fd, Source(Path("fuzzed.pth"), fd) as source:
            return open_checkpoint(source)
    except CheckpointError as error:
        agree("a reason that can be printed", str(error).replace("\n", "").isprintable(), True)
        return None
    finally:
        new = {name for name in set(sys.modules) - before if not name.startswith(_OURS)}
        agree("modules imported", new, set())


_OURS: Final = ("mm_ckpt_migrate.", "isal", "zlib", "json", "encodings.")


def zip_file(data: bytes) -> None:
    """The standard library's `zipfile` finds the same members, with right checksums."""
    found = opened(data)
    if found is None or not isinstance(found.container, TorchZip):
        return
    file = found.container
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        agree("members", len(archive.namelist()), len(set(archive.namelist())))
        # What lies in no file is checked when it is copied.
        agree("the pickle", file.pickle, archive.read(f"{file.top}/data.pkl"))
        for name, content in file.before + file.after:
            agree(name, content, archive.read(f"{file.top}/{name}"))
        for extent in file.extents:
            info = archive.getinfo(f"{file.top}/data/{extent.key}")
            agree("a storage's size", extent.size, info.file_size)
            agree("a storage's sum", extent.crc, info.CRC)
            agree("compression", info.compress_type, zipfile.ZIP_STORED)
            raw = data[extent.offset : extent.offset + extent.size]
            with archive.open(info) as member:
                member._expected_crc = None  # type: ignore[attr-defined]
                agree("a storage", raw, member.read())
    _check_tensors(found)


def pickle_stream(data: bytes) -> None:
    """CPython's own unpickler makes the same object, and so does what is written again."""
    try:
        root = parse_whole(data)
        again = emit(root)
    except PickleError:
        return
    agree("the stream written again", emit(parse_whole(again)), again)
    for raw in (data, again):
        for _ in islice(pickletools.genops(raw), 5_000_001):
            pass
        _check_object(root, raw)
    found = opened(torch_zip(data, STORAGES))
    if found is not None:
        _check_tensors(found)


def _check_object(root: Any, raw: bytes) -> None:
    names = Names()
    try:
        mine = made_of(root, names)
    except TypeError:  # a list as a key of a dict, which no one can load
        agree("an object that cannot be made", _fails(raw, names), True)
        return
    if not same(mine, load(io.BytesIO(raw), names)):
        raise DisagreementError("CPython's unpickler makes another object of it")


def _fails(raw: bytes, names: Names) -> bool:
    try:
        load(io.BytesIO(raw), names)
    except TypeError:
        return True
    return False


def legacy_file(data: bytes) -> None:
    """Five streams that CPython reads too, then the storages, end to end."""
    found = opened(data)
    if found is None or not isinstance(found.container, LegacyFile):
        return
    file, names = io.BytesIO(data), Names()
    magic, protocol, _, root, keys = (load(file, names) for _ in range(5))
    agree("the magic number", (magic, protocol), (0x1950A86A20F9469CFC6C, 1001))
    if not same(made_of(found.container.parsed.root, names), root):
        raise DisagreementError("CPython's unpickler makes another object of it")
    agree("the storages", [e.key for e in found.container.extents], keys)
    refs = storage_refs(walk(found.container.parsed.root))
    for extent in found.container.extents:
        numel = int.from_bytes(file.read(8), "little", signed=True)
        agree("elements", numel, refs[extent.key].numel)
        agree("a storage's place", extent.offset, file.tell())
        file.seek(extent.size, os.SEEK_CUR)
    agree("the end", file.tell(), len(data))
    _check_tensors(found)


def _check_tensors(found: Checkpoint) -> None:
    for tensor in (*found.tensors.values(), *found.averaged.values()):
        size = ITEM_SIZES[tensor.spec.dtype]
        steps = sum((n - 1) * s for n, s in zip(tensor.spec.shape, tensor.stride, strict=True))
        end = (tensor.offset + steps + 1) * size if 0 not in tensor.spec.shape else 0
        agree("a tensor in its storage", end <= found.extents[tensor.storage].size, True)
    for name in (*found.schema.names, *found.versions, *found.versions.values()):
        agree("a name that can be printed", name.isprintable(), True)


def safetensors_file(data: bytes) -> None:
    """The safetensors library reads the same tensors."""
    from safetensors import deserialize

    found = opened(data)
    if found is None or not isinstance(found.container, SafetensorsFile):
        return
    mine = {
        spec.name: (list(spec.shape), data[extent.offset : extent.offset + extent.size])
        for spec, extent in found.container.entries
    }
    read: Callable[[bytes], Any] = deserialize
    theirs = {name: (t["shape"], bytes(t["data"])) for name, t in read(data)}
    agree("the tensors", mine, theirs)


def rules_file(data: bytes) -> None:
    """PyYAML reads the same data, where the text is the plain YAML that rules may be."""
    try:
        text = YamlText(Path("fuzzed.yaml"), data)
    except RuleError:
        return
    agree("the data", text.data, yaml.load(data, yaml.CSafeLoader))
    with suppress(yaml.YAMLError):  # which knows less of YAML where it does not use libyaml
        agree("the data", text.data, yaml.safe_load(data.decode()))
    with in_memory(data) as fd, suppress(RuleError):
        load_ruleset(Path(f"/proc/self/fd/{fd}"))


def config_text(data: bytes) -> None:
    """Python itself, run on what was accepted, gives the same values."""
    try:
        text = data.decode()
        found = read_config_text(text, "fuzzed")
    except (UnicodeDecodeError, ConfigError):
        return
    names: dict[str, Any] = {"__builtins__": _BUILTINS}
    try:
        # Annotations are neither read here nor evaluated there.
        flags = __future__.annotations.compiler_flag
        exec(compile(text, "fuzzed", "exec", flags), names)
    except (TypeError, SyntaxError, UnboundLocalError):
        return  # nobody could have trained with it: `dict(a=1, **{"a": 2})`
    real = {name: value for name, value in names.items() if name[:2] != "__" and name != "_base_"}
    agree("the values", repr(found), repr(_settled(real)))


def _each(function: Callable[..., Any]) -> Callable[..., list[Any]]:
    return lambda *args: list(function(*args))


# The reader makes lists of what Python makes iterators of.
_BUILTINS: Final[Mapping[str, Any]] = {
    "range": _each(range),
    "enumerate": _each(enumerate),
    "zip": _each(zip),
    **{f.__name__: f for f in (dict, list, tuple, len, sum, min, max, int, float, str, abs)},
}


def _settled(value: Any) -> Any:
    """The same without the views and generators of Python, which a config may end with."""
    if isinstance(value, dict):
        return {key: _settled(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(map(_settled, value))
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    return [_settled(item) for item in value]


def config_data(data: bytes) -> None:
    """A config in JSON or YAML."""
    for read in (load_json, load_yaml):
        try:
            read(data.decode(), Budget())
        except (UnicodeDecodeError, UnreadableError):
            continue


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "zip": zip_file,
    "pickle": pickle_stream,
    "legacy": legacy_file,
    "safetensors": safetensors_file,
    "rules": rules_file,
    "config": config_text,
    "config_data": config_data,
}
