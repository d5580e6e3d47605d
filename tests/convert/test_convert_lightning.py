"""What Lightning puts beside a model's weights: carried, left out with a word, or refused."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, load
from support.equal import same

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options, Purpose
from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.verdicts import ConvertReport, Status

torch = pytest.importorskip("torch")

CASE = CASES["mask2former_r18"]
LEFT_OUT = "optimizer_states and lr_schedulers left out: no rule says which parameters they are of"


class Opaque:
    """A class that nobody but the training knows, as a config library has them."""


def adam(count: int) -> dict[str, Any]:
    parameters = [torch.nn.Parameter(torch.full((2,), float(n))) for n in range(count)]
    optimizer = torch.optim.AdamW(parameters)
    for parameter in parameters:
        parameter.grad = torch.ones(2)
    optimizer.step()
    return optimizer.state_dict()


def lightning(**more: Any) -> dict[str, Any]:
    """As `Trainer.save_checkpoint` of Lightning 2 writes it."""
    state_dict = load(CASE.old)["state_dict"]
    return {
        "epoch": 3,
        "global_step": 40,
        "pytorch-lightning_version": "2.0.0",
        "state_dict": OrderedDict((f"model.{name}", value) for name, value in state_dict.items()),
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"current": {"ready": 3}}}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.5)}},
        "optimizer_states": [adam(3)],
        "lr_schedulers": [{"base_lrs": [0.1], "last_epoch": 3}],
        "hparams_name": "kwargs",
        "hyper_parameters": {"lr": 0.1, "classes": ["a", "b"]},
        **more,
    }


def converted(folder: Path, content: dict[str, Any], **options: Any) -> tuple[ConvertReport, Any]:
    old, new = folder / "old.ckpt", folder / "new.ckpt"
    torch.save(content, old)
    report = convert("auto", "-", old, new, Options(build=False, **options))
    return report, torch.load(new, weights_only=True)


def test_all_but_its_optimizers_is_carried(tmp_path: Path) -> None:
    content = lightning()
    report, new = converted(tmp_path, content)
    assert report.verdicts[0].status is Status.PASS
    assert "'model.' stood before every key, and is taken off" in report.notices
    assert LEFT_OUT in report.notices
    assert not {"optimizer_states", "lr_schedulers"} & set(new)
    changed = {"state_dict", "meta", "optimizer_states", "lr_schedulers"}
    for name in content.keys() - changed:
        assert same(new[name], content[name]), name


@pytest.mark.parametrize("name", ["optimizer_states", "optim", "trainer"])
def test_any_trainers_optimizers_are_left_out(name: str, tmp_path: Path) -> None:
    """By what they are: one, in a list or in a dict, under whatever name."""
    held = {"optimizer_states": [adam(2)], "optim": adam(2), "trainer": {"head": adam(2)}}[name]
    content = lightning(**{"optimizer_states": [], name: held})
    report, new = converted(tmp_path, content)
    assert report.verdicts[0].status is Status.PASS
    assert name not in new
    assert any(notice.startswith(name) and "left out" in notice for notice in report.notices)


def test_without_an_optimizer_all_is_carried(tmp_path: Path) -> None:
    content = lightning(optimizer_states=[])
    report, new = converted(tmp_path, content)
    assert same(new["lr_schedulers"], content["lr_schedulers"])
    assert not any("left out" in notice for notice in report.notices)


def test_no_training_of_mmengines_can_resume_from_it(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no optimizer"):
        converted(tmp_path, lightning(), purpose=Purpose.RESUME)


def test_opaque_hyper_parameters_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="Opaque"):
        converted(tmp_path, lightning(hyper_parameters={"cfg": Opaque()}))


@pytest.mark.parametrize("section", ["hyper_parameters", "callbacks", "loops"])
def test_for_inference_what_is_left_out_may_be_opaque(section: str, tmp_path: Path) -> None:
    content = lightning(**{section: {"cfg": Opaque()}})
    report, new = converted(tmp_path, content, purpose=Purpose.INFERENCE)
    assert report.verdicts[0].status is Status.PASS
    assert section not in new
    assert set(new) <= {"state_dict", "meta", "message_hub"}


@pytest.mark.parametrize("where", ["meta", "message_hub", "key", "state_dict"])
def test_for_inference_what_stays_may_not(where: str, tmp_path: Path) -> None:
    content = lightning(meta={}, message_hub={})
    if where == "key":
        content[Opaque] = 1
    elif where == "state_dict":
        content["state_dict"]._metadata = {"model.backbone": Opaque()}
    else:
        content[where] = {"x": Opaque()}
    with pytest.raises(CheckpointError):
        converted(tmp_path, content, purpose=Purpose.INFERENCE)
