"""Child only: run a model on a recorded image, and compare its raw outputs with recorded ones.

The record is an `.npz` file with `image` (1 x 3 x H x W) and the outputs that `outputs` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from mm_ckpt_migrate.releases.probe.raw_outputs import measured, stride_of


def compare(model: Any, path: str) -> dict[str, float]:
    """The largest difference of each output from the record; NaN where one is NaN.

    It is relative to the record's largest value, where that exceeds 1: other processors sum in
    other orders, and what that adds up to grows with the numbers.
    """
    torch.set_num_threads(1)  # with more, sums change their order
    with np.load(path, allow_pickle=False) as file:
        record = dict(file)
    found = measured(model.eval(), record["image"], stride_of(record))
    names = [name for name in {**record, **found} if name != "image"]
    return {name: _difference(found.get(name), record.get(name)) for name in names}


def load(model: Any, state: Any) -> None:
    """torch's own strict load; raises RuntimeError where the names or shapes are others."""
    torch.nn.Module.load_state_dict(model, state, strict=True)


def renamed(state: Any, names: Mapping[str, str]) -> Any:
    """The same tensors under other names: the deliberate error of a family's control."""
    changed = [name for name in state if names.get(name, name) != name]
    moved = {names[name]: state.pop(name) for name in changed}
    if len(moved) < len(changed) or not moved.keys().isdisjoint(state):
        raise ValueError("two tensors would get one name")
    state.update(moved)
    return state


def _difference(output: Any, recorded: Any) -> float:
    if output is None or recorded is None or output.shape != recorded.shape:
        return float("inf")
    right = recorded.astype(np.float64)
    largest = float(np.abs(output.astype(np.float64) - right).max())
    return largest / max(1.0, float(np.abs(right).max()))
