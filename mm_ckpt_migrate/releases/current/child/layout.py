"""Child only: a built model's state dict, described."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mm_ckpt_migrate.releases.current.wire import Payload


def describe(model: Any, stack: Mapping[str, str]) -> Payload:
    """Names, shapes, dtypes, versions, ties and parameter order of a `torch.nn.Module`."""
    state = model.state_dict(keep_vars=True)  # the very tensors, so that sharing shows
    return {
        "tensors": [(name, list(t.shape), dtype_name(t)) for name, t in state.items()],
        "modules": {path: entry.get("version") for path, entry in state._metadata.items()},
        "ties": _ties(state),
        "parameters": [name for name, _ in model.named_parameters()],
        "frozen": [name for name, p in model.named_parameters() if not p.requires_grad],
        "stack": dict(stack),
        "device": next((str(t.device) for t in state.values()), "cpu"),
    }


def dtype_name(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _ties(state: Mapping[str, Any]) -> list[list[str]]:
    groups: dict[int, list[str]] = {}
    for name, tensor in state.items():
        groups.setdefault(id(tensor), []).append(name)
    return [group for group in groups.values() if len(group) > 1]
