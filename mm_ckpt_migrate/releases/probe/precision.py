"""Child only: compute in float64 whatever a release computes in float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class _AllDouble(TorchFunctionMode):  # type: ignore[misc, unused-ignore]
    """Let what asks for float32 get float64.

    The releases compute a few constants, such as reference points, in float32 whatever the model
    computes in; the one here, the other there. Left so, float64 would agree to 1e-8 alone.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.float:
            func = torch.Tensor.double
        named = {key: _double(value) for key, value in (kwargs or {}).items()}
        return func(*map(_double, args), **named)


def _double(value: Any) -> Any:
    return torch.float64 if value is torch.float32 else value


@contextmanager
def computing_in(dtype: Any) -> Iterator[None]:
    """In float64, everything; the default dtype as well."""
    if dtype != torch.float64:
        yield
        return
    torch.set_default_dtype(torch.float64)
    try:
        with _AllDouble():
            yield
    finally:
        torch.set_default_dtype(torch.float32)
