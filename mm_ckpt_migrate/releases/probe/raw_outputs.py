"""Child only: a model's raw outputs for an image, in whichever release is installed.

Never what is chosen from them: an argmax or a threshold would hide a difference.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch

from mm_ckpt_migrate.releases.probe import detectors
from mm_ckpt_migrate.releases.probe.precision import computing_in

STRIDE = 8
"""The segmentation is kept on every so manyth pixel: the mask logits hold all that is in it."""


def measured(model: Any, image: Any, stride: int = STRIDE) -> dict[str, Any]:
    """The outputs as arrays; the image is converted to what the model computes in."""
    dtype = next(model.parameters()).dtype
    with torch.no_grad():
        found = raw_outputs(model, torch.from_numpy(image).to(dtype), stride)
    return {name: np.ascontiguousarray(value.numpy()) for name, value in found.items()}


def raw_outputs(model: Any, image: Any, stride: int = STRIDE) -> dict[str, torch.Tensor]:
    """Run a model's heads; the outputs have equal names in every release.

    Of a segmentor with queries the class and mask logits of every decoder layer, and of any
    segmentor the segmentation on a coarse grid. Of a detector see `detectors.raw_outputs`.

    Raises:
        TypeError: the model is of another kind.
    """
    with computing_in(image.dtype):
        if hasattr(model, "encode_decode"):
            return _segmented(model, image, stride)
        return detectors.raw_outputs(model, image)


def stride_of(record: Any) -> int:
    """The distance of the pixels that a record keeps its segmentation on."""
    grid = record.get("seg_logits")
    if grid is None or not grid.shape[-1]:
        return STRIDE
    return max(1, int(record["image"].shape[-1]) // int(grid.shape[-1]))


def _segmented(model: Any, image: Any, stride: int) -> dict[str, torch.Tensor]:
    head, size = model.decode_head, tuple(image.shape[-2:])
    meta = detectors.meta(size, size)
    if "batch_data_samples" not in inspect.signature(head.forward).parameters:
        return {"seg_logits": model.encode_decode(image, [meta])[..., ::stride, ::stride]}
    features = model.extract_feat(image)
    found = detectors.with_queries(head, features, meta)
    # What `encode_decode` does, with the features that are there.
    segmentation = head.predict(features, [dict(meta)], model.test_cfg)  # (1, classes, height, width)
    return {**found, "seg_logits": segmentation[..., ::stride, ::stride]}
