"""Child only: run a model on a recorded image, and compare its raw outputs with recorded ones.

The record is an `.npz` file with `image` (1 x 3 x H x W), `cls_logits` and `mask_logits` of every
decoder layer, and `seg_logits`, the segmentation before argmax on a coarse grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


def compare(model: Any, path: str) -> dict[str, float]:
    """The largest absolute difference of each output from the record; NaN where one is NaN."""
    with np.load(path, allow_pickle=False) as record:
        arrays = dict(record)
    outputs = raw_outputs(model, torch.from_numpy(arrays["image"]), arrays["seg_logits"].shape)
    return {name: _difference(output, arrays[name]) for name, output in outputs.items()}


def raw_outputs(model: Any, image: torch.Tensor, grid: tuple[int, ...]) -> dict[str, Any]:
    """Class and mask logits of every decoder layer, and the segmentation on the record's grid."""
    from mmseg.structures import SegDataSample

    torch.set_num_threads(1)  # with more, sums change their order
    model.eval()
    size = tuple(image.shape[-2:])
    meta = dict.fromkeys(("img_shape", "ori_shape", "pad_shape", "batch_input_shape"), size)
    with torch.no_grad():
        samples = [SegDataSample(metainfo=dict(meta))]
        classes, masks = model.decode_head(model.extract_feat(image), samples)
        segmentation = model.encode_decode(image, [dict(meta)])
    step = image.shape[-1] // grid[-1]
    return {
        "cls_logits": torch.stack(list(classes)).numpy(),
        "mask_logits": torch.stack(list(masks)).numpy(),
        "seg_logits": segmentation[..., ::step, ::step].numpy(),
    }


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
    if output.shape != recorded.shape:
        return float("inf")
    return float(np.abs(output.astype(np.float64) - recorded.astype(np.float64)).max())
