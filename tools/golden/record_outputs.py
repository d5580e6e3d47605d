"""Raw outputs of one model on one image, in whichever release this Python has installed.

    python record_outputs.py --config C --checkpoint P --image reference.npz --out outputs.npz

`--state-dict` instead of `--checkpoint` takes a file that holds a bare state dict. The image is the
array `image` of an .npz file. With `--reference` the largest difference is printed as well.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import mmcv_ext_stub
import numpy as np
import numpy.typing as npt
import torch

Arrays: TypeAlias = dict[str, npt.NDArray[np.float32]]
ROOT = Path(__file__).resolve().parents[2]
STRIDE = 8
PACKAGES = ("torch", "numpy", "mmengine", "mmcv", "mmdet", "mmseg")


def build_model(config: Path) -> Any:
    """The model of a config, in eval mode, not initialised."""
    mmcv_ext_stub.install()
    # mmseg swallows a failed import of mmdet, and fails later with an unrelated message.
    import_module("mmdet.models.dense_heads")
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    cfg = Config.fromfile(str(config))
    import_module(f"{cfg.default_scope}.models")
    init_default_scope(cfg.default_scope)
    return import_module(f"{cfg.default_scope}.registry").MODELS.build(cfg.model).eval()


def load_state_dict(path: Path, *, bare: bool = False) -> Any:
    """The state dict of a trusted checkpoint; `_metadata` stays with it."""
    content = torch.load(path, map_location="cpu", weights_only=False)
    return content if bare else content["state_dict"]


def raw_outputs(model: Any, image: torch.Tensor) -> Arrays:
    """Class and mask logits of every decoder layer, and the segmentation on a coarse grid.

    The head's own `forward` gives the logits. `encode_decode` is the whole path of inference. Of
    any other model, what the product itself compares.
    """
    if not hasattr(getattr(model, "decode_head", None), "query_embed"):
        sys.path.append(str(ROOT))
        found: Arrays = import_module("mm_ckpt_migrate.releases.probe.raw_outputs").measured(
            model, image.numpy()
        )
        return found
    from mmseg.structures import SegDataSample

    size = tuple(image.shape[-2:])
    meta = dict.fromkeys(("img_shape", "ori_shape", "pad_shape", "batch_input_shape"), size)
    with torch.no_grad():
        features = model.extract_feat(image)
        classes, masks = model.decode_head(features, [SegDataSample(metainfo=dict(meta))])
        segmentation = model.encode_decode(image, [dict(meta)])
    return {
        "cls_logits": torch.stack(list(classes)).numpy(),
        "mask_logits": torch.stack(list(masks)).numpy(),
        "seg_logits": segmentation[..., ::STRIDE, ::STRIDE].numpy(),
    }


def outputs_of(config: Path, state_dict: Mapping[str, Any], image: torch.Tensor) -> Arrays:
    """Build, load with torch's own strict check, run. One thread: sums keep their order."""
    torch.set_num_threads(1)
    model = build_model(config)
    torch.nn.Module.load_state_dict(model, state_dict, strict=True)
    return raw_outputs(model, image)


def max_abs_diff(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, float]:
    """The largest absolute difference of each output."""
    names = [name for name in {**first, **second} if name != "image"]
    return {name: float(np.abs(first[name] - second[name]).max()) for name in names}


def versions() -> dict[str, str]:
    """The stack that this Python has installed."""
    return {name: str(import_module(name).__version__) for name in PACKAGES}


def read_arrays(path: Path) -> Arrays:
    """Every array of an .npz file."""
    with np.load(path) as arrays:
        return dict(arrays)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--config", type=Path, required=True)
    weights = parser.add_mutually_exclusive_group(required=True)
    weights.add_argument("--checkpoint", type=Path)
    weights.add_argument("--state-dict", type=Path)
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--reference", type=Path)
    args = parser.parse_args()

    image = read_arrays(args.image)["image"]
    state_dict = load_state_dict(args.checkpoint or args.state_dict, bare=not args.checkpoint)
    outputs = outputs_of(args.config, state_dict, torch.from_numpy(image))
    np.savez_compressed(args.out, image=image, **outputs)
    if args.reference:
        print(json.dumps(max_abs_diff(outputs, read_arrays(args.reference))))


if __name__ == "__main__":
    main()
