"""Child only: read the state dict of a file, in whichever release this Python has installed.

It needs nothing of this package, so that the old release's Python can run it, too.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import pickle
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch


def read_state_dict(path: str, kind: str) -> Any:
    """The state dict of a file, which torch loads under `weights_only`."""
    return state_dict_of(_read_safetensors(path) if kind == "safetensors" else read_content(path))


def read_content(path: str) -> Any:
    """All that a file of torch holds, under `weights_only`."""
    mapped = zipfile.is_zipfile(path)  # the legacy format cannot be mapped
    with _safe_globals():
        return torch.load(path, map_location="cpu", mmap=mapped, weights_only=True)


def state_dict_of(root: Any) -> Any:
    """The mapping of tensors in a file's content."""
    inner = root.get("state_dict") if isinstance(root, Mapping) else None
    state = inner if isinstance(inner, Mapping) else root
    if not isinstance(state, Mapping):
        raise TypeError(f"expected a state dict, found {type(state).__name__}")
    return state


# --- what genuine mmengine training checkpoints hold besides tensors ----------------------------


@contextlib.contextmanager
def _safe_globals() -> Iterator[None]:
    """Admit the names that mmengine's message hub needs under `weights_only`."""
    admit = getattr(torch.serialization, "safe_globals", None)
    with contextlib.nullcontext() if admit is None else admit(_allowed()):
        yield


def _allowed() -> list[Any]:
    core: Any = getattr(np, "_core", None)
    if not hasattr(core, "multiarray"):  # numpy 1, where 1.26 has an empty `_core`
        core = np.core
    functions = (core.multiarray.scalar, core.multiarray._reconstruct)
    aliases = [
        _renamed(function, f"numpy.{name}.multiarray", function.__name__)
        for function in functions
        for name in ("core", "_core")  # numpy 1 and numpy 2
    ]
    dtypes = {type(np.dtype(code)) for code in np.typecodes["All"]}
    return [*_methods(), np.ndarray, np.dtype, *dtypes, *aliases, _method_getattr()]


def _method_getattr() -> Callable[..., Any]:
    """`getattr` for the few methods that mmengine pickles by their names alone.

    The real one would hand a hostile pickle any attribute of any object.
    """
    known = _methods()

    def attribute(owner: object, name: str) -> Any:
        if not isinstance(owner, type) or name not in known.get(owner, ()):
            raise pickle.UnpicklingError(f"builtins.getattr({owner!r}, {name!r})")
        return getattr(owner, name)

    return _renamed(attribute, "builtins", "getattr")


def _methods() -> dict[type, tuple[str, ...]]:
    from mmengine.logging import HistoryBuffer
    from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler

    return {
        HistoryBuffer: ("min", "max", "current", "mean"),
        OneCycleParamScheduler: ("_annealing_cos", "_annealing_linear"),
    }


def _renamed(function: Callable[..., Any], module: str, name: str) -> Callable[..., Any]:
    """A function that torch's allow list knows by another name."""

    def call(*args: object) -> Any:
        return function(*args)

    call.__module__, call.__name__, call.__qualname__ = module, name, name
    return call


# --- safetensors, which needs no package to be read -----------------------------------------------

_SAFETENSORS_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def _read_safetensors(path: str) -> dict[str, Any]:
    """Tensors over a private mapping of the file."""
    with open(path, "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    end = 8 + int.from_bytes(mapped[:8], "little")
    header = json.loads(mapped[8:end])
    data = torch.frombuffer(mapped, dtype=torch.uint8)[end:]
    return {name: _tensor(data, **entry) for name, entry in header.items() if name != "__metadata__"}


def _tensor(data: Any, dtype: str, shape: list[int], data_offsets: list[int]) -> Any:
    kind = _SAFETENSORS_DTYPES[dtype]
    begin, end = data_offsets
    if end == begin:
        return torch.empty(shape, dtype=kind)
    chunk = data[begin:end]
    if chunk.storage_offset() % kind.itemsize:
        chunk = chunk.clone()  # the format pads its header, but does not have to
    return chunk.view(kind).view(shape)
