"""Child only: really load a file into a model, by torch's own strict rules.

mmengine's `load_state_dict` drops `_metadata`, with which torch finds a missing
`num_batches_tracked`; so torch's is called by its own name. The file is mapped, and its tensors
take the place of the model's (`assign`): nothing is copied, and every check is made.
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

from mm_ckpt_migrate.target.layout import dtype_name


def load(model: Any, dtypes: Mapping[str, str], path: str, kind: str) -> dict[str, Any]:
    """Load a file into a model, which is used up by it.

    Args:
        dtypes: the model's state dict, name to dtype, from before anything was loaded.
        kind: `torch` or `safetensors`.

    Returns:
        `ok`, `missing`, `unexpected`, `errors`, and `refused`: what `weights_only` would not load.
    """
    answer: dict[str, Any] = {"missing": [], "unexpected": [], "errors": [], "refused": None}
    try:
        state = read_state_dict(path, kind)
    except pickle.UnpicklingError as error:
        answer["refused"] = f"cannot be loaded under weights_only: {_reason(error)}"
    except Exception as error:
        answer["errors"] = [f"torch cannot read the file: {_reason(error)}"]
    else:
        answer["missing"] = [name for name in dtypes if name not in state]
        answer["unexpected"] = [str(name) for name in state if name not in dtypes]
        answer["errors"] = _strict_errors(model, state) + _dtype_errors(dtypes, state)
    answer["ok"] = not any(answer.values())
    return answer


def read_state_dict(path: str, kind: str) -> Any:
    """The state dict of a file, which torch loads under `weights_only`."""
    return _state_dict(_read_safetensors(path) if kind == "safetensors" else _read(path))


def _read(path: str) -> Any:
    mapped = zipfile.is_zipfile(path)  # the legacy format cannot be mapped
    with _safe_globals():
        return torch.load(path, map_location="cpu", mmap=mapped, weights_only=True)


def _state_dict(root: Any) -> Any:
    inner = root.get("state_dict") if isinstance(root, Mapping) else None
    state = inner if isinstance(inner, Mapping) else root
    if not isinstance(state, Mapping):
        raise TypeError(f"expected a state dict, found {type(state).__name__}")
    return state


def _strict_errors(model: Any, state: Any) -> list[str]:
    try:
        torch.nn.Module.load_state_dict(model, state, strict=True, assign=True)
    except Exception as error:  # RuntimeError, or whatever a model's own load hook raises
        return [line.strip() for line in str(error).split("\n\t") if line.strip()]
    return []


def _dtype_errors(dtypes: Mapping[str, str], state: Mapping[str, Any]) -> list[str]:
    """Torch converts other dtypes, or with `assign` takes them over, without a word."""
    found = ((name, dtype_name(state[name])) for name in dtypes if _is_tensor(state.get(name)))
    return [
        f"dtype mismatch for {name}: {have} in the file, {dtypes[name]} in the model"
        for name, have in found
        if have != dtypes[name]
    ]


def _is_tensor(value: object) -> bool:
    return isinstance(value, torch.Tensor)


def _reason(error: Exception) -> str:
    """The telling part of an error: torch buries the offending name in paragraphs of advice."""
    text = str(error)
    for marker in ("Unsupported global: GLOBAL ", "unsupported GLOBAL "):
        if marker in text:
            return text.split(marker, 1)[1].split(" ", 1)[0]
    if "WeightsUnpickler error: " in text:
        text = text.split("WeightsUnpickler error: ", 1)[1]
    return text.strip().split("\n", 1)[0] or type(error).__name__


# --- what genuine mmengine training checkpoints hold besides tensors ----------------------------


@contextlib.contextmanager
def _safe_globals() -> Iterator[None]:
    """Admit the names that mmengine's message hub needs under `weights_only`."""
    admit = getattr(torch.serialization, "safe_globals", None)
    with contextlib.nullcontext() if admit is None else admit(_allowed()):
        yield


def _allowed() -> list[Any]:
    from mmengine.logging import HistoryBuffer

    core = getattr(np, "_core", None) or np.core
    functions = (core.multiarray.scalar, core.multiarray._reconstruct)
    aliases = [
        _renamed(function, f"numpy.{name}.multiarray", function.__name__)
        for function in functions
        for name in ("core", "_core")  # numpy 1 and numpy 2
    ]
    dtypes = {type(np.dtype(code)) for code in np.typecodes["All"]}
    return [HistoryBuffer, np.ndarray, np.dtype, *dtypes, *aliases, _history_getattr()]


def _history_getattr() -> Callable[..., Any]:
    """`getattr` for `HistoryBuffer.mean` and its like alone.

    The real one would hand a hostile pickle any attribute of any object.
    """
    from mmengine.logging import HistoryBuffer

    def attribute(owner: object, name: str) -> Any:
        if owner is not HistoryBuffer or name not in ("min", "max", "current", "mean"):
            raise pickle.UnpicklingError(f"builtins.getattr({owner!r}, {name!r})")
        return getattr(owner, name)

    return _renamed(attribute, "builtins", "getattr")


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
    return {
        name: _tensor(data, **entry) for name, entry in header.items() if name != "__metadata__"
    }


def _tensor(data: Any, dtype: str, shape: list[int], data_offsets: list[int]) -> Any:
    kind = _SAFETENSORS_DTYPES[dtype]
    begin, end = data_offsets
    if end == begin:
        return torch.empty(shape, dtype=kind)
    chunk = data[begin:end]
    if chunk.storage_offset() % kind.itemsize:
        chunk = chunk.clone()  # the format pads its header, but does not have to
    return chunk.view(kind).view(shape)
