"""Load by `migrate://` in every way that mmengine and mmseg have; prints JSON.

    python loader_run.py OLD NEW OLD_2 NEW_2 CONFIG_2 WORK_DIR

NEW is what `convert` made of OLD. The first pair is trained on, the second one segments an image.
A training's config names the module in `custom_imports`, as users do: nothing here imports it.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[2] / "tools" / "golden"))

import numpy as np
import resume_run  # installs what mmcv-lite has not
import torch
from mmengine.config import Config
from mmengine.model.weight_init import PretrainedInit
from mmengine.runner import Runner, load_checkpoint
from mmseg.apis import MMSegInferencer, inference_model, init_model
from mmseg.registry import MODELS
from mmseg.utils import register_all_modules

IMPORTS = {"imports": ["mm_ckpt_migrate.mmengine_loader"], "allow_failed_imports": False}


def digest(weights: Any) -> str:
    """Of names and bytes."""
    sha = hashlib.sha256()
    for name, tensor in weights.items():
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        sha.update(tensor.detach().contiguous().numpy().tobytes())
    return sha.hexdigest()


def training(checkpoint: str, new: str, work_dir: str, name: str, *, resume: bool) -> Any:
    """A Runner's config: the one inside the new file, with `load_from` and the custom import."""
    text = torch.load(new)["meta"]["cfg"] + f"\ncustom_imports = {IMPORTS!r}\n"
    cfg = Config.fromstring(text, ".py")
    cfg.load_from, cfg.resume = checkpoint, resume
    cfg.work_dir, cfg.experiment_name = work_dir, f"loader_{name}"
    return cfg


def loaded_by_runner(checkpoint: str, new: str, work_dir: str, name: str) -> str:
    runner = Runner.from_cfg(training(checkpoint, new, work_dir, name, resume=False))
    runner.load_or_resume()
    return digest(runner.model.state_dict())


def resumed_by_runner(checkpoint: str, new: str, work_dir: str, name: str) -> Any:
    return resume_run.watched(training(checkpoint, new, work_dir, name, resume=True))


def segmented(checkpoint: str, config: str, image: Any) -> dict[str, Any]:
    model = init_model(config, checkpoint, device="cpu")
    result = inference_model(model, image).pred_sem_seg.data.numpy()
    alone = MMSegInferencer(model=None, weights=checkpoint, device="cpu")(image)["predictions"]
    return {
        "weights": digest(model.state_dict()),
        "classes": list(model.dataset_meta["classes"]),
        "result": hashlib.sha256(result.astype("int64").tobytes()).hexdigest(),
        "alone": hashlib.sha256(np.asarray(alone).astype("int64").tobytes()).hexdigest(),
    }


def strictly(checkpoint: str, config: str) -> str:
    """Into the right model, and into one of another size, which non-strict loading lets pass."""
    cfg = Config.fromfile(config)
    load_checkpoint(MODELS.build(cfg.model), checkpoint, strict=True)
    cfg.model.decode_head.transformer_decoder.num_layers += 1
    load_checkpoint(MODELS.build(cfg.model), checkpoint)
    try:
        load_checkpoint(MODELS.build(cfg.model), checkpoint, strict=True)
    except RuntimeError as error:
        return str(error)
    return ""


def backbone(checkpoint: str, config: str) -> str:
    """`init_cfg=dict(type="Pretrained", checkpoint=..., prefix="backbone.")`."""
    module = MODELS.build(Config.fromfile(config).model.backbone)
    PretrainedInit(checkpoint, prefix="backbone.")(module)
    return digest(module.state_dict())


def trained(file: str, new: str, work_dir: str, name: str) -> dict[str, Any]:
    return {
        "load_from": loaded_by_runner(file, new, work_dir, f"load_{name}"),
        "resume": resumed_by_runner(file, new, work_dir, f"resume_{name}"),
    }


def used(file: str, config: str) -> dict[str, Any]:
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    return {
        "segment": segmented(file, config, image),
        "backbone": backbone(file, config),
        "strict": strictly(file, config),
    }


def main(old: str, new: str, old_2: str, new_2: str, config: str, work_dir: str) -> None:
    torch.set_num_threads(1)
    register_all_modules(init_default_scope=True)
    results = {
        name: trained(first, new, work_dir, name) | used(second, config)
        for name, first, second in (
            ("migrate", f"migrate://{old}", f"migrate://{old_2}"),
            ("converted", new, new_2),
        )
    }
    print("\n" + json.dumps(results))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
