"""Which dotted names a config may use."""

from __future__ import annotations

from collections.abc import Sequence


def permitted(name: str, packages: Sequence[str]) -> bool:
    """Whether a dotted name lies in one of the packages, or in `torch.nn`."""
    return any(name == p or name.startswith(f"{p}.") for p in (*packages, "torch.nn"))
