"""Train on from a checkpoint, in whichever release this Python has installed.

    python resume_run.py JOBS.json RESULTS.json

Both files hold one entry for each name. A job is `{"kind": "steps", "checkpoint": FILE}`, where
`"optimizer"` may name a second checkpoint whose optimizer is used instead; or `{"kind": "runner",
"checkpoint": FILE, "work_dir": DIR}`. The config is the one inside the checkpoint. Python floats
go through JSON without loss.
"""

import copy
import json
import sys
from pathlib import Path
from typing import Any

import mmcv_ext_stub

mmcv_ext_stub.install()

import mmdet.models.dense_heads  # noqa: E402  (mmseg would swallow a failure of this)
import mmdet.registry  # noqa: E402
import mmdet.utils  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from mmdet.structures import DetDataSample  # noqa: E402
from mmdet.structures.mask import BitmapMasks  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.hooks import EMAHook, Hook  # noqa: E402
from mmengine.logging import MessageHub  # noqa: E402
from mmengine.optim import build_optim_wrapper  # noqa: E402
from mmengine.registry import MODELS, PARAM_SCHEDULERS, init_default_scope  # noqa: E402
from mmengine.runner import Runner  # noqa: E402
from mmengine.structures import InstanceData, PixelData  # noqa: E402
from mmseg.registry import DATASETS  # noqa: E402
from mmseg.structures import SegDataSample  # noqa: E402
from mmseg.utils import register_all_modules  # noqa: E402

SHAPES = Path(__file__).parents[2] / "tests" / "resume" / "shapes.npz"
STEPS, SEED = 5, 4000
Result = dict[str, Any]


@DATASETS.register_module()
class FixedShapes(torch.utils.data.Dataset):
    """The stored pictures: no decoder and no augmentation that a release may change."""

    def __init__(self) -> None:
        with np.load(SHAPES) as arrays:
            self.images, self.labels = arrays["images"], arrays["labels"]
        names = [f"shape {number}" for number in range(10)]
        self.metainfo = {"classes": names, "palette": [[25 * n] * 3 for n in range(10)]}

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        size = self.labels[index].shape
        sample = SegDataSample(metainfo=dict.fromkeys(("img_shape", "ori_shape"), size))
        sample.gt_sem_seg = PixelData(data=torch.from_numpy(self.labels[index]).long()[None])
        return {"inputs": torch.from_numpy(self.images[index]), "data_samples": sample}


@mmdet.registry.DATASETS.register_module(name="FixedShapes")
class FixedInstances(FixedShapes):
    """The same pictures for detectors: what is of one class is one thing."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        label = self.labels[index]
        masks = [label == number for number in np.unique(label)]
        boxes = [[*np.argwhere(mask).min(0)[::-1], *np.argwhere(mask).max(0)[::-1] + 1] for mask in masks]
        sample = DetDataSample(metainfo=dict.fromkeys(("img_shape", "ori_shape"), label.shape))
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor(np.array(boxes), dtype=torch.float32),
            labels=torch.from_numpy(np.unique(label)).long(),
            masks=BitmapMasks(np.stack(masks).astype(np.uint8), *label.shape),
        )
        return {"inputs": torch.from_numpy(self.images[index]), "data_samples": sample}


class Watch(Hook):
    """Seed every iteration, so that no history can hide in the generator; note what happens."""

    priority = "LOWEST"

    def __init__(self) -> None:
        self.iterations: list[Result] = []

    def before_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
        torch.manual_seed(SEED + runner.iter)
        rates = runner.optim_wrapper.get_lr()
        hub = runner.message_hub
        self.iterations.append(
            {
                "iter": runner.iter,
                "logged_iter": hub.get_info("iter"),
                "lr": sorted(set(rates["lr"])),
                "base_lr": rates.get("base_lr", [max(rates["lr"])])[0],
                "betas": sorted(set(runner.optim_wrapper.get_momentum()["momentum"])),
            }
        )

    def after_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
        states = list(runner.optim_wrapper.optimizer.state.values())
        self.iterations[-1] |= {
            "loss": float(runner.message_hub.get_scalar("train/loss").current()),
            "grad_norm": float(runner.message_hub.get_scalar("train/grad_norm").current()),
            "adam_steps": sorted({int(state["step"]) for state in states}),
            "exp_avg": norm(state["exp_avg"] for state in states),
            "exp_avg_sq": norm(state["exp_avg_sq"] for state in states),
        }
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):
                self.iterations[-1] |= ema_state(hook, runner.model)


def norm(tensors: Any) -> float:
    """One number for many tensors, whatever their order."""
    return float(sum(float(t.double().square().sum()) for t in tensors) ** 0.5)


def ema_state(hook: Any, model: Any) -> Result:
    """How many updates the averages have seen, and how far they are from the weights."""
    averages = dict(hook.ema_model.module.named_parameters())
    apart = (value - averages[name] for name, value in model.named_parameters())
    with torch.no_grad():
        return {"ema_steps": int(hook.ema_model.steps), "ema_apart": norm(apart)}


def trained_weights(content: Result) -> Any:
    """The weights that training goes on with: with EMAHook, `state_dict` holds the averages."""
    weights = dict(content["state_dict"])
    averaged = content.get("ema_state_dict", {})
    weights |= {k.removeprefix("module."): v for k, v in averaged.items() if k != "steps"}
    return weights


def further_steps(checkpoint: Path, optimizer: Path | None = None) -> Result:
    """STEPS optimizer steps on one fixed batch, with the checkpoint's own optimizer state."""
    content = torch.load(checkpoint, map_location="cpu")
    cfg = Config.fromstring(content["meta"]["cfg"], ".py")
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    torch.nn.Module.load_state_dict(model, trained_weights(content), strict=True)
    # Before `train()`, as the Runner does it: only there does Swin freeze its stages.
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    schedulers = [
        PARAM_SCHEDULERS.build(scheduler, default_args={"optimizer": wrapper})
        for scheduler in cfg.param_scheduler
    ]
    if optimizer is not None:
        # The deliberate error: an old file's optimizer as it is. It holds objects, so it is not
        # one that torch loads by default.
        content["optimizer"] = torch.load(optimizer, weights_only=False)["optimizer"]
    wrapper.load_state_dict(content["optimizer"])
    for scheduler, state in zip(schedulers, content["param_schedulers"], strict=True):
        scheduler.load_state_dict(state)
    dataset = FixedInstances() if cfg.default_scope == "mmdet" else FixedShapes()
    items = [dataset[index] for index in range(cfg.train_dataloader.batch_size)]
    return run_steps(model, wrapper, schedulers, items)


def run_steps(model: Any, wrapper: Any, schedulers: list[Any], items: list[Result]) -> Result:
    """Losses, norms of the gradient and learning rates, step by step."""
    model.train()
    losses, norms, rates = [], [], []
    for step in range(STEPS):
        torch.manual_seed(SEED + step)
        rates.append(sorted(set(wrapper.get_lr()["lr"])))
        batch = {key: [copy.deepcopy(item[key]) for item in items] for key in items[0]}
        data = model.data_preprocessor(batch, True)
        loss, _ = model.parse_losses(model(**data, mode="loss"))
        wrapper.update_params(loss)
        for scheduler in schedulers:
            scheduler.step()
        losses.append(loss.item())
        hub = MessageHub.get_current_instance()
        norms.append(float(hub.get_scalar("train/grad_norm").current()))
    return {"losses": losses, "grad_norms": norms, "lrs": rates, "draws": draws()}


def draws() -> Result:
    """What this build of torch draws: losses can be compared only where this is the same.

    The masks of dropout come from MKL where torch was built with it.
    """
    torch.manual_seed(SEED)
    points = (torch.rand(4) * 10**6).int().tolist()
    mask = torch.nn.functional.dropout(torch.ones(64), 0.5)
    return {"rand": points, "dropout": "".join("1" if kept else "0" for kept in mask)}


def watched(cfg: Any) -> list[Result]:
    """Train with the real Runner; what every iteration did."""
    runner, watch = Runner.from_cfg(cfg), Watch()
    runner.register_hook(watch)
    runner.train()
    return watch.iterations


def resume_runner(checkpoint: Path, work_dir: str, name: str) -> list[Result]:
    """Resume as a user does: `load_from` and `resume`, with the config that the file holds."""
    text = torch.load(checkpoint, map_location="cpu")["meta"]["cfg"]
    cfg = Config.fromstring(text, ".py")
    cfg.load_from, cfg.resume, cfg.work_dir = str(checkpoint), True, work_dir
    # Two experiments of one name in one process would share their message hub.
    cfg.experiment_name = f"resume_{name}"
    return watched(cfg)


def run_job(name: str, job: Result) -> Any:
    """A job's result, or the error it ended in."""
    MessageHub.get_instance(name)
    checkpoint = Path(job["checkpoint"])
    try:
        if job["kind"] == "runner":
            return resume_runner(checkpoint, job["work_dir"], name)
        other = job.get("optimizer")
        return further_steps(checkpoint, Path(other) if other else None)
    except Exception as error:  # whatever it is, it is this job's result and no other's
        return {"error": f"{type(error).__name__}: {error}"}


def register() -> None:
    """Make all that a config of either package names known."""
    mmdet.utils.register_all_modules(init_default_scope=False)
    register_all_modules(init_default_scope=True)


def main(jobs_file: str, results_file: str) -> None:
    torch.set_num_threads(1)
    register()
    jobs = json.loads(Path(jobs_file).read_text(encoding="utf-8"))
    results = {name: run_job(name, job) for name, job in jobs.items()}
    Path(results_file).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
