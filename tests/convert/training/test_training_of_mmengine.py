"""What mmengine's own schedulers, optimizer wrappers and averages leave in a checkpoint.

All of them, as the installed release makes them: each is carried, loads at torch's defaults, and
goes on as it would have.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from support.equal import same
from toy_trainings import Model, assert_followed, content_of, make_model, migrated, one_group, step

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.verdicts import Status

pytestmark = [pytest.mark.mm, pytest.mark.filterwarnings("ignore")]

torch = pytest.importorskip("torch")
pytest.importorskip("mmengine")

SETTINGS: dict[str, dict[str, Any]] = {
    "Step": {"step_size": 2},
    "MultiStep": {"milestones": [1, 3, 3]},
    "Exponential": {"gamma": 0.9},
    "CosineAnnealing": {"T_max": 7},
    "OneCycle": {"eta_max": 0.5, "total_steps": 20},
    "CosineRestart": {"periods": [3, 30], "restart_weights": [1, 0.5], "eta_min": 0.0},
    "ReduceOnPlateau": {"monitor": "loss", "patience": 0},
    "Constant": {},
    "Linear": {},
    "Poly": {},
}


def schedulers() -> list[type]:
    """mmengine's, of learning rates and of momenta, but for the bases that steer any setting."""
    from mmengine.optim import scheduler

    return [one for name, one in vars(scheduler).items() if name.endswith(("LR", "Momentum"))]


def base_of(kind: type) -> str:
    return kind.__name__.removesuffix("LR").removesuffix("Momentum")


def sgd(model: Model) -> Any:
    return torch.optim.SGD(one_group(model.parameters), lr=0.1, momentum=0.9)


def go_on(scheduler: Any, optimizer: Any, steps: int) -> list[tuple[float, float]]:
    """What the next steps make of the learning rate and the momentum."""
    plateau = "metrics" in inspect.signature(scheduler.step).parameters
    found = []
    for _ in range(steps):
        # As an evaluator gives it.
        scheduler.step(*([{"loss": torch.tensor(1.0).double().numpy()[()]}] if plateau else []))
        group = optimizer.param_groups[0]
        found.append((group["lr"], group["momentum"]))
    return found


def test_all_schedulers_are_known() -> None:
    assert {base_of(kind) for kind in schedulers()} == SETTINGS.keys()
    assert len(schedulers()) >= 19


@pytest.mark.parametrize("more", [{}, {"anneal_strategy": "linear"}, {"three_phase": True}])
@pytest.mark.parametrize("kind", schedulers(), ids=lambda kind: kind.__name__)
def test_a_schedule_goes_on(kind: type, more: dict[str, Any], tmp_path: Path) -> None:
    if more and base_of(kind) != "OneCycle":
        return
    model = make_model()
    optimizer = sgd(model)
    scheduler = kind(optimizer, **SETTINGS[base_of(kind)], **more)
    step(optimizer, model.parameters)
    go_on(scheduler, optimizer, 3)
    content = content_of(model, optimizer, param_schedulers=[scheduler.state_dict()])
    report, new = migrated(tmp_path, content)
    assert report.verdicts[0].status is Status.PASS, report.verdicts[0].details
    resumed = sgd(model)
    follower = kind(resumed, **SETTINGS[base_of(kind)], **more)
    follower.load_state_dict(new["param_schedulers"][0])
    resumed.param_groups[0].update({k: v for k, v in optimizer.param_groups[0].items() if k != "params"})
    assert go_on(follower, resumed, 6) == go_on(scheduler, optimizer, 6)


@pytest.mark.parametrize("how", ["list", "by name"])
def test_what_is_left_out_of_one_cycle_is_said(how: str, tmp_path: Path) -> None:
    from mmengine.optim import OneCycleLR

    model = make_model()
    optimizer = sgd(model)
    scheduler = OneCycleLR(optimizer, **SETTINGS["OneCycle"]).state_dict()
    if how == "list":
        content = content_of(model, optimizer, param_schedulers=[{"begin": 5}, scheduler])
    else:
        state = {"decode_head": trained(model, "decode_head"), "backbone": trained(model, "backbone")}
        steering = {"decode_head": [scheduler], "backbone": []}
        content = content_of(model, state, param_schedulers=steering)
    report, new = migrated(tmp_path, content)
    assert report.verdicts[0].status is Status.PASS
    assert [n for n in report.notices if "anneal_func" in n] == [
        "anneal_func left out of param_schedulers: mmengine makes it of the config's anneal_strategy"
    ]
    (found,) = [s for s in schedules(new["param_schedulers"]) if "eta_max" in s]
    assert found == {name: value for name, value in scheduler.items() if name != "anneal_func"}


def trained(model: Model, part: str) -> Any:
    parameters = {n: v for n, v in model.parameters.items() if n.startswith(f"{part}.")}
    optimizer = torch.optim.SGD(one_group(parameters), lr=0.1, momentum=0.9)
    step(optimizer, parameters)
    return optimizer.state_dict()


def schedules(section: Any) -> list[dict[str, Any]]:
    return section if isinstance(section, list) else [s for part in section.values() for s in part]


def test_kept_as_it_is_the_function_stays(tmp_path: Path) -> None:
    from mmengine.optim import OneCycleLR

    model = make_model()
    optimizer = sgd(model)
    scheduler = OneCycleLR(optimizer, **SETTINGS["OneCycle"])
    old, new = tmp_path / "old.pth", tmp_path / "new.pth"
    torch.save(content_of(model, optimizer, param_schedulers=[scheduler.state_dict()]), old)
    report = convert("auto", "-", old, new, Options(build=False, keep_as_is=True))
    assert report.verdicts[0].status is Status.PASS
    (found,) = torch.load(new, weights_only=False)["param_schedulers"]
    assert found["anneal_func"] is OneCycleLR._annealing_cos


def test_settings_that_are_numpys(tmp_path: Path) -> None:
    """A plateau's best value is what the evaluator gave; a rate may come of numpy, too."""
    import numpy as np

    model = make_model()
    optimizer = sgd(model)
    step(optimizer, model.parameters)
    optimizer.param_groups[0]["lr"] = np.float64(0.25)
    steering = {"best": np.float32(0.5), "base_values": [np.float64(0.1)], "_last_value": [0.25]}
    report, new = migrated(tmp_path, content_of(model, optimizer, param_schedulers=[steering]))
    assert report.verdicts[0].status is Status.PASS
    assert new["param_schedulers"] == [{"best": 0.5, "base_values": [0.1], "_last_value": [0.25]}]
    assert type(new["optimizer"]["param_groups"][0]["lr"]) is float


OPTIMIZERS = (
    "SGD",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "RAdam",
    "RMSprop",
    "Rprop",
    "Adagrad",
    "Adadelta",
    "ASGD",
    "Adafactor",
)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_follows(name: str, tmp_path: Path) -> None:
    from mmengine.optim import OptimWrapper

    model = make_model()
    optimizer = getattr(torch.optim, name)(one_group(model.parameters), lr=0.1)
    wrapper = OptimWrapper(optimizer, accumulative_counts=2)
    step(optimizer, model.parameters)
    before = wrapper.state_dict()
    report, new = migrated(tmp_path, content_of(model, before))
    assert report.verdicts[0].status is Status.PASS
    after = new["optimizer"]
    assert_followed(model, before, after, model.names, model.after(model.names))


@pytest.mark.parametrize(
    "more",
    [
        # What AmpOptimWrapper adds, what ApexOptimWrapper adds, and what 0.10 does for several groups.
        {"loss_scaler": torch.amp.GradScaler("cpu").state_dict()},
        {"apex_amp": {"loss_scaler0": {"loss_scale": 65536.0, "unskipped": 3}}},
        {"base_param_settings": {"params": torch.tensor([0.0]), "lr": 0.1, "initial_lr": 0.1}},
    ],
    ids=lambda more: next(iter(more)),
)
def test_what_a_wrapper_adds_is_carried(more: dict[str, Any], tmp_path: Path) -> None:
    model = make_model()
    optimizer = sgd(model)
    step(optimizer, model.parameters)
    before = {**optimizer.state_dict(), **more}
    report, new = migrated(tmp_path, content_of(model, before))
    assert report.verdicts[0].status is Status.PASS
    (name,) = more
    assert same(new["optimizer"][name], more[name])


def module_of(state_dict: dict[str, Any]) -> Any:
    """A module that has these tensors by these names."""
    root = torch.nn.Module()
    for name, tensor in state_dict.items():
        *path, last = name.split(".")
        module = root
        for part in path:
            if not hasattr(module, part):
                module.add_module(part, torch.nn.Module())
            module = getattr(module, part)
        if tensor.ndim:
            module.register_parameter(last, torch.nn.Parameter(tensor.clone()))
        else:
            module.register_buffer(last, tensor.clone())
    return root


@pytest.mark.parametrize("buffers", [False, True])
@pytest.mark.parametrize(
    "name", ["ExponentialMovingAverage", "MomentumAnnealingEMA", "StochasticWeightAverage"]
)
def test_an_average_follows(name: str, buffers: bool, tmp_path: Path) -> None:
    import mmengine.model

    model = make_model()
    inner = module_of(model.state_dict)
    average = getattr(mmengine.model, name)(inner, update_buffers=buffers)
    for _ in range(2):
        with torch.no_grad():
            for tensor in inner.parameters():
                tensor.add_(0.5)
        average.update_parameters(inner)
    before = average.state_dict()
    content = {"meta": {}, "state_dict": model.state_dict, "ema_state_dict": before}
    report, new = migrated(tmp_path, content)
    assert report.verdicts[0].status is Status.PASS
    after = dict(new["ema_state_dict"])
    assert same(after.pop("steps"), before["steps"])
    for key, value in before.items():
        if key != "steps":
            assert same(after.pop(f"module.{model.new(key.removeprefix('module.'))}"), value)
    assert not after


def test_what_hooks_put_into_the_hub(tmp_path: Path) -> None:
    """RuntimeInfoHook, CheckpointHook, LoggerHook and evaluators, through mmengine's own hub."""
    import numpy as np
    from mmengine.logging import MessageHub

    hub = MessageHub("test_what_hooks_put_into_the_hub")
    hub.update_scalars({"train/loss": {"value": torch.tensor(0.5), "count": 2}, "val/mIoU": 44.5})
    hub.update_scalar("train/lr", np.float32(0.125))
    infos = {
        "epoch": 3,
        "max_iters": 10,
        "seed": np.int64(7),
        "cfg": "a = 1\n",
        "loop_stage": "train",
        "best_score": np.float64(44.5),
        "best_ckpt": "best.pth",
        "keep_ckpt_ids": [8, 9],
        "last_ckpt": None,
        "eta": np.float64(1.5),
        "dataset_meta": {"classes": ("a", "b"), "palette": np.eye(2, 3, dtype=np.uint8)},
        "val/confusion": np.arange(4.0).reshape(2, 2),
        "val/names": np.array(["a", "bc"]),
        "val/per_class": {"a": np.float32(0.5), "b": [np.bool_(True), torch.tensor([1, 2])]},
    }
    hub.update_info_dict(infos)
    content = {**content_of(make_model(), {}), "message_hub": hub.state_dict()}
    del content["optimizer"]
    report, new = migrated(tmp_path, content)
    assert report.verdicts[0].status is Status.PASS
    found = new["message_hub"]
    info = dict(found["runtime_info"])
    assert torch.equal(info["val/per_class"]["b"].pop(), torch.tensor([1, 2]))
    assert info == {
        **infos,
        "dataset_meta": {"classes": ("a", "b"), "palette": [[1, 0, 0], [0, 1, 0]]},
        "val/confusion": [[0.0, 1.0], [2.0, 3.0]],
        "val/names": ["a", "bc"],
        "val/per_class": {"a": 0.5, "b": [True]},
    }
    assert sorted(found["log_history"]) == ["train/loss", "train/lr", "val/mIoU"]
    MessageHub("test_what_the_hub_takes_back").load_state_dict(found)
