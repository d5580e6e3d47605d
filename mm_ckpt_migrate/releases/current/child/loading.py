"""Child only: really load a file into a model, by torch's own strict rules.

mmengine's `load_state_dict` drops `_metadata`, with which torch finds a missing
`num_batches_tracked`; so torch's is called by its own name. The file is mapped, and its tensors
take the place of the model's (`assign`): nothing is copied, and every check is made.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

import torch

from mm_ckpt_migrate.releases.current.child.layout import dtype_name
from mm_ckpt_migrate.releases.probe.reading import read_state_dict
from mm_ckpt_migrate.schema import fits


def load(model: Any, dtypes: Mapping[str, str], path: str, kind: str, *, values: bool) -> dict[str, Any]:
    """Load a file into a model, which is used up by it.

    Args:
        dtypes: the model's state dict, name to dtype, from before anything was loaded.
        kind: `torch` or `safetensors`.
        values: look at all values as well, which reads the whole file.

    Returns:
        `ok`, `missing`, `unexpected`, `errors`, and `refused`: what `weights_only` would not load;
        `odd`: values that no training should leave.
    """
    answer: dict[str, Any] = {"missing": [], "unexpected": [], "errors": [], "refused": None, "odd": []}
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
        answer["odd"] = odd_values(state) if values else []
    answer["ok"] = not any(value for name, value in answer.items() if name != "odd")
    return answer


def odd_values(state: Mapping[str, Any]) -> list[str]:
    """Tensors with values that are not finite, and variances below zero, a sentence each."""
    found = []
    for name, value in state.items():
        if not _is_tensor(value) or not value.is_floating_point() or value.is_sparse:
            continue
        numbers = value.float() if value.element_size() == 1 else value  # float8 compares nothing
        if count := int((~torch.isfinite(numbers)).sum()):
            found.append(f"{name}: {count:,} of {value.numel():,} values are NaN or infinite")
        if name.endswith("running_var") and bool((numbers < 0).any()):
            found.append(f"{name}: a variance is below zero")
    return found


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
        if not fits(have, dtypes[name])
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
