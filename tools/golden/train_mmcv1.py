"""Train one detector with a release on mmcv 1.x, and record what it computes.

    python train_mmcv1.py CASE OUT_DIR         (in the environment of the case's release)

What happens in `train` is the release's own tools/train.py, without its command line, and without
the description of the machine that it keeps.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

# The old mmcv predates torch's `weights_only`.
os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"

import mmcv1_stubs
import numpy as np
import torch

mmcv1_stubs.install()

import detr_g1_shipped  # noqa: E402
import mmcv  # noqa: E402
import mmdet  # noqa: E402
import shapes_coco  # noqa: E402
from detector_cases import CASES, Case, set_schedule, shrink_model, shrink_scales  # noqa: E402
from detector_outputs import exchanged, image_of, max_abs_diff, outputs_of_old, spread, versions  # noqa: E402
from old_half import QUERY_GAIN, SCRATCH, Maker, wait_for  # noqa: E402


def build_config(case: Case) -> Any:
    """The shipped config, made small."""
    shipped = Path(mmdet.__file__).parent / ".mim" / "configs" / case.shipped
    if not shipped.exists():
        shipped = Path(detr_g1_shipped.__file__)
    cfg = mmcv.Config.fromfile(str(shipped))
    shrink_model(cfg.model)
    shrink_scales(cfg._cfg_dict)
    set_schedule(cfg, case)
    return cfg


def train(case: Case) -> Path:
    """Train from a config file; the last checkpoint."""
    if case.release == "2.10.0":
        mmcv1_stubs.train_on_cpu()
    from mmdet.apis import set_random_seed, train_detector
    from mmdet.datasets import build_dataset
    from mmdet.models import build_detector

    shutil.rmtree(Path("work_dirs") / case.config_name, ignore_errors=True)
    shutil.rmtree("data/coco", ignore_errors=True)
    shapes_coco.write(Path("data/coco"), seed=0)
    config_file = Path(f"{case.config_name}.py")
    build_config(case).dump(str(config_file))
    cfg = mmcv.Config.fromfile(str(config_file))
    mmcv.mkdir_or_exist(cfg.work_dir)
    meta = {"config": cfg.pretty_text, "seed": case.seed, "exp_name": config_file.name}
    cfg.gpu_ids, cfg.device, cfg.seed = [0], "cpu", case.seed
    set_random_seed(case.seed, deterministic=True)
    model = build_detector(cfg.model)
    if hasattr(model, "init_cfg"):  # else it has been done
        model.init_weights()
    amplify_queries(model)
    dataset = build_dataset(cfg.data.train)
    cfg.checkpoint_config.meta = {"mmdet_version": mmdet.__version__, "CLASSES": dataset.CLASSES}
    model.CLASSES = dataset.CLASSES
    stamp = time.strftime("%Y%m%d_%H%M%S")
    train_detector(model, [dataset], cfg, validate=False, timestamp=stamp, meta=meta)
    return Path(cfg.work_dir) / f"epoch_{case.epochs}.pth"


def amplify_queries(model: Any) -> None:
    """Start with queries that differ."""
    queries = getattr(getattr(model, "bbox_head", None), "query_embedding", None)
    if queries is not None:
        with torch.no_grad():
            queries.weight.mul_(QUERY_GAIN)


def publish(case: Case, trained: Path) -> Path:
    """Run the release's own publish_model.py, which adds the hash to the name."""
    tool = Path(mmdet.__file__).parent / ".mim/tools/model_converters/publish_model.py"
    stem = trained.with_name(f"{case.config_name}_{time.strftime('%Y%m%d_%H%M%S')}")
    subprocess.run([sys.executable, tool, trained, f"{stem}.pth"], check=True)
    return wait_for(stem)


def facts(case: Case, checkpoint: Path, measured: dict[str, Any]) -> dict[str, Any]:
    """What case.json says; check_detector.py adds the rest."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=False)
    return {
        "case": case.name,
        "family": case.family,
        "container": case.container,
        "checkpoint": checkpoint.name,
        "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        "entries": sorted(content),
        "tensors": len(content["state_dict"]),
        "elements": sum(t.numel() for t in content["state_dict"].values()),
        "derived_from": f"mmdet/configs/{case.shipped}",
        "seed": case.seed,
        "iterations": content["meta"]["iter"],
        "old_stack": versions(),
        **measured,
    }


def record(case: Case, checkpoint: Path, folder: Path) -> dict[str, Any]:
    """Write reference.npz; say whether the model is alive and would notice a wrong mapping."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=False)
    weights, image = content["state_dict"], image_of(case)
    config = Path(f"{case.config_name}.py")
    outputs = outputs_of_old(config, weights, image)
    control = outputs_of_old(config, exchanged(weights, case.control), image)
    np.savez_compressed(folder / "reference.npz", image=image, **outputs)
    return {
        "spread": spread(outputs),
        "control": list(case.control),
        "control_max_abs_diff": max_abs_diff(outputs, control),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    Maker(SCRATCH, train, publish, record, facts).main(__doc__, CASES)
