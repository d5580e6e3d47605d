"""Deep equality of whatever mmengine and torch pickle, bit by bit."""

from __future__ import annotations

from typing import Any


def same(first: Any, second: Any) -> bool:
    """Equal types, order of entries, and bits: -0.0 is not 0.0 in a tensor, and NaN is itself."""
    import numpy as np
    import torch

    if type(first) is not type(second):
        return False
    if isinstance(first, torch.Tensor):
        return _same_tensor(first, second)
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and first.tobytes() == second.tobytes()
    if type(first).__name__ == "HistoryBuffer":
        return same(vars(first), vars(second))
    if isinstance(first, dict):
        return list(first) == list(second) and all(same(first[k], second[k]) for k in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return bool(first == second)


def _same_tensor(first: Any, second: Any) -> bool:
    import torch

    if (first.dtype, first.shape, first.stride()) != (second.dtype, second.shape, second.stride()):
        return False
    bits = [tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in (first, second)]
    return torch.equal(*bits)
