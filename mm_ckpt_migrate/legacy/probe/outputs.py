"""Child only: an image, and a model's raw outputs for it; never their argmax."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

STRIDE = 8
"""The segmentation is kept on every so manyth pixel: the mask logits hold all that is in it."""


def made_image(seed: int, size: list[int]) -> Any:
    """Values like those of a normalised photograph, coarse and fine: 1 x 3 x height x width."""
    draw = np.random.RandomState(seed)  # its numbers are the same in every release of numpy
    height, width = size
    coarse = draw.standard_normal((3, -(-height // 16), -(-width // 16)))
    smooth = np.kron(coarse, np.ones((1, 16, 16)))[:, :height, :width]
    return (smooth + 0.5 * draw.standard_normal((3, height, width)))[None].astype(np.float32)


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


def raw_outputs(model: Any, image: Any, stride: int = STRIDE) -> dict[str, torch.Tensor]:
    """Class and mask logits of every decoder layer, and the segmentation on a coarse grid.

    A head without queries gives its segmentation alone, a detector its logits alone.

    Raises:
        TypeError: the model is of another kind.
    """
    with computing_in(image.dtype):
        return _raw_outputs(model, image, stride)


def _raw_outputs(model: Any, image: Any, stride: int) -> dict[str, torch.Tensor]:
    from mmengine.structures import BaseDataElement

    size = tuple(image.shape[-2:])
    meta: dict[str, Any] = dict.fromkeys(
        ("img_shape", "ori_shape", "pad_shape", "batch_input_shape"), size
    )
    head = getattr(model, "panoptic_head", None) or getattr(model, "decode_head", None)
    if head is None:
        raise TypeError(f"{type(model).__name__} has neither a decode_head nor a panoptic_head")
    outputs: dict[str, torch.Tensor] = {}
    segmentation = None
    if "batch_data_samples" in inspect.signature(head.forward).parameters:
        features = model.extract_feat(image)
        classes, masks = head(features, [BaseDataElement(metainfo=dict(meta))])
        outputs["cls_logits"] = torch.stack(list(classes))
        outputs["mask_logits"] = torch.stack(list(masks))
        if hasattr(model, "encode_decode"):  # which does the same, with features of its own
            segmentation = head.predict(features, [dict(meta)], model.test_cfg)
    elif hasattr(model, "encode_decode"):
        segmentation = model.encode_decode(image, [dict(meta)])
    if segmentation is not None:
        outputs["seg_logits"] = segmentation[..., ::stride, ::stride]
    return outputs


def measured(model: Any, image: Any, stride: int = STRIDE) -> dict[str, Any]:
    """The outputs as arrays; the image is converted to what the model computes in."""
    dtype = next(model.parameters()).dtype
    with torch.no_grad():
        found = raw_outputs(model, torch.from_numpy(image).to(dtype), stride)
    return {name: np.ascontiguousarray(value.numpy()) for name, value in found.items()}


def spread(outputs: dict[str, Any]) -> float | None:
    """How far the class logits of the queries differ, relative to their size.

    Zero where all queries have collapsed to one; None where there are none.
    """
    if "cls_logits" not in outputs:
        return None
    last = outputs["cls_logits"][-1].astype(np.float64)
    scale = float(np.abs(last).max())
    return float(np.ptp(last, axis=-2).max()) / scale if scale else 0.0
