"""Train one detector with the old release's own Runner, publish it, and record what it computes.

    python train_mmdet3.py CASE OUT_DIR         (in the old environment)

As `train_old.py`, with mmdet alone. The raw outputs are those that the product itself compares.
"""

import shutil
from pathlib import Path
from typing import Any

import mmcv_ext_stub
import numpy as np
import panopticapi_stub
import torch

mmcv_ext_stub.install()
panopticapi_stub.install()
if not hasattr(np, "bool"):
    np.bool = bool  # the old mmdet predates NumPy 1.24
import mmdet3_shapes  # noqa: E402
import shapes_dataset  # noqa: E402
from mmdet3_cases import CASES, DetectorCase, build_config, shipped_config  # noqa: E402
from old_half import QUERY_GAIN, SCRATCH, Maker  # noqa: E402
from record_outputs import load_state_dict, max_abs_diff, outputs_of  # noqa: E402
from train_old import ROLES, facts, publish  # noqa: E402

FOLDER = SCRATCH / "mmdet3"
DATA_ROOT = Path("data/coco")
IMAGE = (64, 96)
# Deformable DETR's attentions are of different kinds: what goes in and what comes out is alike.
PROJECTIONS = ("attentions.1.value_proj.", "attentions.1.output_proj.")


def train(case: DetectorCase) -> Path:
    """Run the real Runner from a config file, as tools/train.py does; the last checkpoint."""
    from mmdet.datasets import CocoPanopticDataset
    from mmdet.utils import register_all_modules
    from mmengine.config import Config
    from mmengine.runner import Runner

    register_all_modules(init_default_scope=True)
    work_dir = Path("work_dirs") / case.config_name
    shutil.rmtree(work_dir, ignore_errors=True)
    mmdet3_shapes.write_dataset(DATA_ROOT, class_names(CocoPanopticDataset.METAINFO), seed=0)
    config_file = Path(f"{case.config_name}.py")
    build_config(case).dump(config_file)
    runner = Runner.from_cfg(Config.fromfile(str(config_file)))
    with torch.no_grad():
        for name, parameter in runner.model.named_parameters():
            if "query_embed" in name:
                parameter.mul_(QUERY_GAIN)
    runner.train()
    (trained,) = work_dir.glob("*.pth")
    return trained


def class_names(meta: Any) -> list[str]:
    """COCO's things and stuff, as the installed release spells its keys."""
    return list(meta.get("CLASSES") or meta["classes"])


def exchange(case: DetectorCase, state_dict: Any) -> Any:
    """The same weights under the names that the family's deliberate error gives them."""
    first, second = PROJECTIONS if case.family == "deformable_detr" else ROLES
    exchanged = state_dict.copy()
    for key in state_dict:
        if "decoder.layers" in key and "pixel_decoder" not in key and first in key:
            other = key.replace(first, second)
            exchanged[key], exchanged[other] = state_dict[other], state_dict[key]
    return exchanged


def record(case: DetectorCase, checkpoint: Path, folder: Path) -> dict[str, Any]:
    """Write reference.npz; say whether the model is alive and would notice a wrong mapping."""
    image = shapes_dataset.normalised_image(seed=100 + case.seed, size=max(IMAGE))
    image = np.ascontiguousarray(image[:, :, : IMAGE[0], : IMAGE[1]])
    state_dict, config = load_state_dict(checkpoint), Path(f"{case.config_name}.py")
    tensor = torch.from_numpy(image)
    outputs = outputs_of(config, state_dict, tensor)
    control = outputs_of(config, exchange(case, state_dict), tensor)
    np.savez_compressed(folder / "reference.npz", image=image, **outputs)
    last = {name: value[-1, 0] for name, value in outputs.items() if not name.startswith("enc")}
    return {
        "query_std": {name: float(value.std(axis=0).mean()) for name, value in last.items()},
        "control_max_abs_diff": max_abs_diff(outputs, control),
    }


def described(case: DetectorCase, checkpoint: Path, measured: dict[str, Any]) -> dict[str, Any]:
    """What case.json says; check_mmdet3.py adds the rest."""
    shipped = shipped_config(case.shipped)
    return {
        **facts(case, checkpoint, measured),
        "derived_from": f"mmdet/.mim/configs/{shipped.parent.name}/{shipped.name}",
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    Maker(FOLDER, train, publish, record, described).main(__doc__, CASES)
