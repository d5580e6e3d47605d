"""Child only: an image to run a model on, and whether its outputs are alive."""

from __future__ import annotations

from typing import Any

import numpy as np


def made_image(seed: int, size: list[int]) -> Any:
    """Values like those of a normalised photograph, coarse and fine: 1 x 3 x height x width."""
    draw = np.random.RandomState(seed)  # its numbers are the same in every release of numpy
    height, width = size
    coarse = draw.standard_normal((3, -(-height // 16), -(-width // 16)))
    smooth = np.kron(coarse, np.ones((1, 16, 16)))[:, :height, :width]
    return (smooth + 0.5 * draw.standard_normal((3, height, width)))[None].astype(np.float32)


def spread(outputs: dict[str, Any]) -> float | None:
    """How far the class logits of the queries differ, relative to their size.

    Zero where all queries have collapsed to one; None where there are none.
    """
    if "cls_logits" not in outputs:
        return None
    last = outputs["cls_logits"][-1].astype(np.float64)
    scale = float(np.abs(last).max())
    return float(np.ptp(last, axis=-2).max()) / scale if scale else 0.0
