"""The hostile files that other rooms' tests make, by name; each is refused there for its reason."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from support.streams import mapping, stream, tensor
from support.zips import torch_zip

TESTS = Path(__file__).parents[1]
Make = Callable[[], bytes]


def module(path: str) -> ModuleType:
    """A test module of another folder, under a name of its own."""
    name = f"hostile_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, TESTS / path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _files() -> Iterator[tuple[str, Make]]:
    """Whole files of each container."""
    for path in ("z_structure", "z_members", "l_legacy", "s_safetensors"):
        for name, case in module(f"files/archive/test_{path}.py").CASES.items():
            yield name, case[0] if isinstance(case, tuple) else case
    for name, (data, _) in module("files/archive/test_z22_z23_other_files.py").FILES.items():
        yield name, _always(data)


def _state_dicts() -> Iterator[tuple[str, Make]]:
    """Tensors, keys and objects inside a zip file that is sound itself."""
    hostile = module("files/checkpoint/test_p_tensors_hostile.py")
    for name in sorted(set(hostile.CASES) - hostile.LISTED):
        yield name, _zipped(mapping({"state_dict": mapping({"w": hostile.CASES[name]})}))
    for name, (body, _) in module("files/checkpoint/test_layouts.py").NONE.items():
        yield f"root_{name}", _zipped(body, with_storage=b"storage" in body)
    for name, key in module("files/pickles/test_pickle_keys.py").ODD_KEYS.items():
        yield f"p12_key_{name}", _zipped(b"}" + b"(" + key + tensor() + b"u")


def _streams() -> Iterator[tuple[str, Make]]:
    """Pickles that break the rules of the stack machine, inside `meta` of a sound file."""
    structure = module("files/pickles/test_pickle_structure.py")
    opcodes = module("files/pickles/test_pickle_opcodes.py")
    groups: dict[str, dict[str, bytes]] = {
        "p08": structure.MEMO,
        "p14": structure.NESTED,
        "p07_misused": opcodes.MISUSED,
        "p07_name": opcodes.NAMES,
    }
    for group, bodies in groups.items():
        for name, body in bodies.items():
            yield f"{group}_{name}", _zipped(body)
    for opcode in opcodes.OTHERS:
        code = opcode.code.encode("latin-1")
        yield f"p07_{opcode.name}", _zipped(b"(]NNN" + code + b"\x01\0\0\0\0\0\0\0" * 4)


def _zipped(body: bytes, *, with_storage: bool = True) -> Make:
    return lambda: torch_zip(stream(body), None if with_storage else {})


def _always(data: bytes) -> Make:
    return lambda: data


def _all() -> dict[str, Make]:
    found: dict[str, Any] = {}
    for group in (_files, _state_dicts, _streams):
        for name, make in group():
            assert name not in found, name
            found[name] = make
    return found


HOSTILE = _all()
