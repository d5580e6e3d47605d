"""Rungs that cannot tell are skipped with the reason; a little more makes some able to tell.

The same release stands on both sides, with real models: what is told apart are trainings.
"""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES

from mm_ckpt_migrate.configs.read.config import read_config, read_config_text
from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import EMBEDDED, Options
from mm_ckpt_migrate.errors import MissingSoftwareError
from mm_ckpt_migrate.releases.process import ReleaseProcess
from mm_ckpt_migrate.verdicts import Status
from mm_ckpt_migrate.verify.raw_outputs import Image, Side, model_request
from mm_ckpt_migrate.verify.rungs.both_sides import images_for
from mm_ckpt_migrate.verify.rungs.forward import check_forward
from mm_ckpt_migrate.verify.rungs.resume import ResumeResult, check_resume

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.mm

CASE = CASES["mask2former_r18"]
CROP_BOUND = Path(__file__).with_name("crop_bound.py")
SGD = dict.fromkeys(("foreach", "fused")) | dict.fromkeys(("momentum", "dampening"), 0)
SGD |= dict.fromkeys(("nesterov", "maximize", "differentiable"), False)
Processes = tuple[ReleaseProcess, ReleaseProcess]


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    with ReleaseProcess() as first, ReleaseProcess() as second:
        yield first, second


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cannot_tell") / "new.pth"
    convert("auto", EMBEDDED, CASE.old, path, Options())
    return path


class Training:
    """A genuine training's file and config, to be changed."""

    def __init__(self, path: Path) -> None:
        self.content: Any = torch.load(path)
        self.config: Any = copy.deepcopy(read_config_text(self.content["meta"]["cfg"], "the config inside"))

    def saved(self, path: Path) -> Path:
        torch.save(self.content, path)
        return path


@pytest.fixture
def training(migrated: Path) -> Training:
    return Training(migrated)


@pytest.fixture
def resumed(processes: Processes, training: Training, migrated: Path, tmp_path: Path) -> Callable[..., Any]:
    """The verdict on two files of the training as it then is, one of them changed once more."""

    def run(change: Callable[[Training], None] = lambda _: None) -> Any:
        old = training.saved(tmp_path / "old.pth")
        request, config = model_request(training.config, "config"), copy.deepcopy(training.config)
        first = Side(processes[0], request, old)
        change(training)
        new = training.saved(tmp_path / "new.pth")
        second = Side(processes[1], model_request(training.config, "config"), new)
        return check_resume(first, second, config, training.config)

    return run


def groups(training: Training) -> list[Any]:
    found: list[Any] = training.content["optimizer"]["param_groups"]
    return found


def faster(training: Training) -> None:
    """A fault in the training state that the losses show."""
    for group in groups(training):
        group["lr"] = group["lr"] * 10 + 1e-2
    for scheduler in training.content["param_schedulers"]:
        scheduler["base_values"] = [value * 10 + 1e-2 for value in scheduler["base_values"]]
        scheduler["_last_value"] = [value * 10 + 1e-2 for value in scheduler["_last_value"]]


def without_momentum(training: Training, state: Any) -> None:
    training.config["optim_wrapper"]["optimizer"] = {"type": "SGD", "lr": 1e-3, "weight_decay": 0.1}
    training.config["param_scheduler"] = []
    training.content["param_schedulers"] = []
    kept = ("params", "lr", "weight_decay")
    training.content["optimizer"] = {
        "state": {group["params"][0]: state for group in groups(training) if state is not None},
        "param_groups": [SGD | {name: group[name] for name in kept} for group in groups(training)],
    }


@pytest.mark.parametrize("state", [None, {}, {"momentum_buffer": None}])
def test_without_momentum_there_is_nothing_to_exchange(
    state: Any, training: Training, resumed: Callable[..., Any]
) -> None:
    without_momentum(training, state)
    verdict, result = resumed()
    assert verdict.status is Status.SKIPPED, verdict
    assert "there is nothing to exchange" in verdict.summary
    assert (result.largest, result.exchanged) == (0.0, 0)
    verdict, _ = resumed(faster)
    assert verdict.status is Status.FAIL, verdict


def accumulated(training: Training) -> None:
    training.config["optim_wrapper"]["accumulative_counts"] = 4


def half_precision(training: Training) -> None:
    training.config["optim_wrapper"] |= {"type": "AmpOptimWrapper", "loss_scale": "dynamic"}
    training.content["optimizer"]["loss_scaler"] = {"scale": 65536.0, "growth_factor": 2.0}


def apex(training: Training) -> None:
    training.config["optim_wrapper"] |= {"type": "ApexOptimWrapper", "opt_level": "O1"}
    training.content["optimizer"]["apex_amp"] = {"loss_scaler0": {"loss_scale": 65536.0}}


def by_epoch(training: Training) -> None:
    entry = {
        "type": "PolyLR",
        "by_epoch": True,
        "convert_to_iter_based": True,
        "power": 0.9,
        "begin": 0,
        "end": 8,
        "eta_min": 1e-5,
    }
    training.config["param_scheduler"] = [entry]
    training.content["meta"] |= {"epoch": 2, "iter": 6}
    training.content["param_schedulers"] = []


def on_a_plateau(training: Training) -> None:
    entry = {"type": "ReduceOnPlateauLR", "monitor": "loss", "by_epoch": True}
    training.config["param_scheduler"] = [entry]
    training.content["param_schedulers"] = []


@pytest.mark.parametrize("change", [accumulated, half_precision, apex, by_epoch, on_a_plateau])
def test_trainings_of_other_kinds_are_resumed(
    change: Callable[[Training], None], training: Training, resumed: Callable[..., Any]
) -> None:
    change(training)
    verdict, _ = resumed()
    assert verdict.status is Status.PASS, verdict


def test_at_the_end_of_a_schedule_float64_tells(training: Training, resumed: Callable[..., Any]) -> None:
    for group in groups(training):
        group["lr"] = 1e-9
    training.config["param_scheduler"] = []
    training.content["param_schedulers"] = []
    verdict, result = resumed()
    assert verdict.status is Status.PASS, verdict
    assert "in float64" in verdict.summary
    assert result.control64 < 1e-4


def test_where_nothing_moves_nothing_is_told(training: Training, resumed: Callable[..., Any]) -> None:
    for group in groups(training):
        group["lr"] = 0.0
    training.config["param_scheduler"] = []
    training.content["param_schedulers"] = []
    verdict, result = resumed()
    assert verdict.status is Status.SKIPPED, verdict
    assert result.exchanged > 0
    assert "exchanged state gives the same losses" in verdict.summary


def test_a_training_that_diverged(training: Training, resumed: Callable[..., Any]) -> None:
    for tensor in training.content["state_dict"].values():
        if tensor.is_floating_point():
            tensor.fill_(float("nan"))
    verdict, _ = resumed()
    assert verdict.status is Status.SKIPPED, verdict


def test_several_optimizers(training: Training, resumed: Callable[..., Any]) -> None:
    state = training.content["optimizer"]
    training.content["optimizer"] = {"backbone": state, "decode_head": state}
    verdict, _ = resumed()
    assert verdict.status is Status.SKIPPED, verdict
    assert "holds 2 optimizers" in verdict.summary


def test_what_the_current_code_cannot_run(training: Training, resumed: Callable[..., Any]) -> None:
    def change(training: Training) -> None:
        training.config["optim_wrapper"]["optimizer"] = {**optimizer, "no_such_setting": 1}

    optimizer = training.config["optim_wrapper"]["optimizer"]
    verdict, _ = resumed(change)
    assert verdict.status is Status.FAIL, verdict
    assert "the old release can run it, the current one cannot" in verdict.summary


def test_a_config_without_the_training_or_its_schedules(
    training: Training, resumed: Callable[..., Any]
) -> None:
    def no_schedules(training: Training) -> None:
        del training.config["param_scheduler"]

    def no_optimizer(training: Training) -> None:
        del training.config["optim_wrapper"]

    verdict, _ = resumed(no_schedules)
    assert verdict.status is Status.FAIL, verdict
    assert "the file holds 1 schedules, the config 0" in verdict.summary
    verdict, _ = resumed(no_optimizer)
    assert verdict.status is Status.SKIPPED, verdict
    assert "it has no `optim_wrapper`" in verdict.summary


def test_what_the_old_code_cannot_run(training: Training, resumed: Callable[..., Any]) -> None:
    optimizer = training.config["optim_wrapper"]["optimizer"]
    training.config["optim_wrapper"]["optimizer"] = {**optimizer, "no_such_setting": 1}

    def change(training: Training) -> None:
        training.config["optim_wrapper"]["optimizer"] = optimizer

    verdict, _ = resumed(change)
    assert verdict.status is Status.SKIPPED, verdict
    assert "the old release gives no result" in verdict.summary


def test_an_optimizer_that_must_not_be_built(training: Training, resumed: Callable[..., Any]) -> None:
    """What this program refuses is no fault of the file."""
    optimizer = training.config["optim_wrapper"]["optimizer"]
    training.config["optim_wrapper"]["optimizer"] = {**optimizer, "type": "NoSuchOptimizer"}
    verdict, _ = resumed()
    assert verdict.status is Status.SKIPPED, verdict
    assert "NoSuchOptimizer" in verdict.summary


def test_an_old_release_that_dies_and_a_current_one(
    processes: Processes, training: Training, tmp_path: Path
) -> None:
    request = model_request(training.config, "config")
    file = training.saved(tmp_path / "file.pth")
    alive = Side(processes[0], request, file)
    with ReleaseProcess(Path("/bin/false")) as process:
        dead = Side(process, request, file)
        for _ in range(2):
            verdict, result = check_forward(dead, alive, {})
            assert (verdict.status, result) == (Status.SKIPPED, None)
            assert "gave no answer: the child ended with status 1" in verdict.summary
        verdict, _ = check_resume(dead, alive, training.config, training.config)
        assert verdict.status is Status.SKIPPED
        for check in (
            lambda: check_forward(alive, dead, {}),
            lambda: check_resume(alive, dead, training.config, training.config),
        ):
            with pytest.raises(MissingSoftwareError):
                check()
    assert alive.demand("forward", seed=0, size=[64, 64])["shapes"]


@pytest.mark.parametrize(
    ("largest64", "control64", "largest", "status"),
    [
        (1e-12, 1e-3, 5e-4, Status.PASS),  # rounding, says float64
        (1e-6, 1e-3, 5e-4, Status.FAIL),
        (float("nan"), 1e-3, 5e-4, Status.FAIL),
        (1e-12, 1e-3, 5e-2, Status.SKIPPED),  # more than rounding, and no error
        (None, None, 5e-4, Status.SKIPPED),
        (None, None, 5e-2, Status.FAIL),
        (1e-12, 1e-9, 5e-4, Status.SKIPPED),
    ],
)
def test_float64_decides(
    largest64: float | None, control64: float | None, largest: float, status: Status
) -> None:
    from mm_ckpt_migrate.verify.rungs.resume import _judge

    result = ResumeResult(
        old=(1.0,),
        new=(1 + largest,),
        control=(2.0,),
        largest=largest,
        exchanged=3,
        largest64=largest64,
        control64=control64,
    )
    assert _judge(result).status is status


# --- images that a backbone is bound to -----------------------------------------------------------


@pytest.fixture(scope="module")
def crop_bound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model whose backbone takes 64 x 64 pixels and nothing else, and its config."""
    folder = tmp_path_factory.mktemp("crop_bound")
    weights, config = folder / "new.pth", folder / "config.py"
    done = subprocess.run(
        [sys.executable, str(CROP_BOUND), CASE.new_config, str(config), str(weights)],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return weights, config


def test_a_backbone_that_is_bound_to_its_crop(crop_bound: tuple[Path, Path], processes: Processes) -> None:
    weights, path = crop_bound
    config: Any = read_config(path)
    sides = [Side(process, model_request(config, path), weights) for process in processes]
    layers = "decode_head.transformer_decoder.layers"
    names = [n for n in torch.load(weights) if n.startswith(layers) and "_attn." in n]
    control = {n: n.replace("self", "@").replace("cross", "self").replace("@", "cross") for n in names}
    usual = Image()
    verdict, result = check_forward(*sides, control, images=(usual,))
    assert (verdict.status, result) == (Status.SKIPPED, None)
    assert "must match the size of tensor" in verdict.summary
    verdict, result = check_forward(*sides, control, images=images_for(usual, config))
    assert verdict.status is Status.PASS, verdict
    assert result is not None
    assert result.tensors > 100
