"""Raw outputs of a detector on one image, in a release on mmcv 1.x and in the current one.

The product's own names: `mm_ckpt_migrate.releases.probe.detectors`.
"""

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import shapes_dataset
import torch
from detector_cases import SIDE, Case

sys.path.append(str(Path(__file__).resolve().parents[2]))

from mm_ckpt_migrate.releases.probe import detectors

Outputs = dict[str, Any]
PACKAGES = ("torch", "numpy", "mmengine", "mmcv", "mmdet")


def image_of(case: Case) -> Any:
    """A normalised image of shapes; every pixel twice, since the strides are large."""
    drawn = shapes_dataset.normalised_image(seed=100 + case.seed, size=SIDE // 2)
    return drawn.repeat(2, axis=2).repeat(2, axis=3)


def outputs_of_old(config: Path, weights: Mapping[str, Any], image: Any) -> Outputs:
    """Build with a release on mmcv 1.x, load with torch's own strict check, run."""
    import mmcv
    from mmdet.models import build_detector

    model = build_detector(mmcv.Config.fromfile(str(config)).model).eval()
    torch.nn.Module.load_state_dict(model, weights, strict=True)
    with torch.no_grad():
        return arrays(raw_outputs_of_old(model, torch.from_numpy(image)))


def raw_outputs_of_old(model: Any, image: Any) -> Outputs:
    """As the product measures; there, an image's shape has three numbers."""
    if not hasattr(getattr(model, "bbox_head", None), "transformer"):
        return detectors.raw_outputs(model, image)
    size = tuple(image.shape[-2:])
    inside = tuple(length - length // 4 for length in size)
    about = {"batch_input_shape": size, "img_shape": (*inside, 3)}
    classes, boxes = model.bbox_head(model.extract_feat(image), [about])
    return {"cls_logits": classes[0], "bbox_preds": boxes[0]}


def outputs_of_new(config: Path, weights: Mapping[str, Any], image: Any) -> Outputs:
    """Build with the current release, load with torch's own strict check, measure."""
    import_module("mmdet.models")
    from mmdet.registry import MODELS
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    from mm_ckpt_migrate.releases.probe import raw_outputs

    init_default_scope("mmdet")
    model = MODELS.build(Config.fromfile(str(config)).model).eval()
    torch.nn.Module.load_state_dict(model, weights, strict=True)
    return dict(raw_outputs.measured(model, image))


def arrays(found: Outputs) -> Outputs:
    """Tensors as contiguous arrays."""
    return {name: np.ascontiguousarray(value.numpy()) for name, value in found.items()}


def exchanged(weights: Any, control: tuple[str, str]) -> Any:
    """The same weights with two modules exchanged, wherever a key has both twins."""
    first, second = control
    result = weights.copy()
    for key in weights:
        other = key.replace(first, second)
        if other != key and other in weights:
            result[key], result[other] = weights[other], weights[key]
    return result


def max_abs_diff(first: Outputs, second: Outputs) -> dict[str, float]:
    """The largest absolute difference of each output."""
    return {key: float(np.abs(value - second[key]).max()) for key, value in first.items()}


def spread(outputs: Outputs) -> dict[str, float]:
    """How far the values of an output differ: of queries, from query to query."""
    axis = {"cls_logits": -2, "bbox_preds": -2}
    return {
        key: float((value[-1] if key in axis else value).std(axis=axis.get(key)).mean())
        for key, value in outputs.items()
    }


def versions() -> dict[str, str]:
    """The stack that this Python has installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = str(import_module(name).__version__)
        except ModuleNotFoundError:
            continue
    return found
