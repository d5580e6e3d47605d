"""A training checkpoint whose numbers are drawn from a seed.

Two-stage Deformable DETR works with 256 channels alone, in either release: far too large to keep
a trained one here. What is kept is what the old release computed with these numbers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

SEED, STEP = 71, 10
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
Tensor = tuple[str, Sequence[int], str]
"""Name, shape, and dtype as torch prints it."""


def save(tensors: Sequence[Tensor], config: str, path: Path) -> None:
    """Write the file: weights, the momentum of each parameter, and the config."""
    draw = np.random.RandomState(SEED)  # its numbers are the same in every release of numpy
    state = OrderedDict((name, _weight(draw, name, shape, kind)) for name, shape, kind in tensors)
    parameters = [value for name, value in state.items() if not name.endswith(BUFFERS)]
    content = {
        "meta": {"cfg": config, "epoch": 0, "iter": STEP, "mmengine_version": "0.7.4"},
        "state_dict": state,
        "optimizer": {
            "state": {n: _momentum(draw, value) for n, value in enumerate(parameters)},
            "param_groups": [_group(len(parameters))],
        },
    }
    torch.save(content, path)


def _weight(draw: Any, name: str, shape: Sequence[int], kind: str) -> Any:
    if kind == "torch.int64":
        return torch.zeros(tuple(shape), dtype=torch.int64)
    values = draw.standard_normal(shape)
    if len(shape) > 1:
        values /= np.sqrt(np.prod(shape[1:]))
    elif name.endswith(("weight", "running_var")):  # of a norm
        values = 1 + 0.1 * np.tanh(values)
    else:
        values *= 0.1
    return torch.from_numpy(values).float()


def _momentum(draw: Any, weight: Any) -> dict[str, Any]:
    first = torch.from_numpy(draw.standard_normal(tuple(weight.shape))).float() * 1e-3
    second = torch.from_numpy(draw.random_sample(tuple(weight.shape))).float() * 1e-6
    return {"step": torch.tensor(float(STEP)), "exp_avg": first, "exp_avg_sq": second + 1e-7}


def _group(count: int) -> dict[str, Any]:
    """As AdamW writes it."""
    return {
        "lr": 2e-3,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 1e-4,
        "amsgrad": False,
        "foreach": None,
        "maximize": False,
        "capturable": False,
        "differentiable": False,
        "fused": None,
        "params": list(range(count)),
    }
