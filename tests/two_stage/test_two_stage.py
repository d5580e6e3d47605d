"""Two-stage Deformable DETR: the migrated file computes, and trains on, as in the old release.

The weights are drawn (`made_checkpoint.py`); what the old release made of them was recorded
(`tools/golden/record_two_stage.py`). Measured here: outputs 0.0, losses 1.3e-7; with state
exchanged, losses 5.7e-3.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate.configs.read.config import read_config_text
from mm_ckpt_migrate.configs.values import Config
from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import EMBEDDED, Options
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.mapping.plan import make_plan
from mm_ckpt_migrate.mapping.rules.library import family_named, load_rules
from mm_ckpt_migrate.releases.process import ReleaseProcess
from mm_ckpt_migrate.verdicts import Rung, Status
from mm_ckpt_migrate.verify.raw_outputs import model_request
from mm_ckpt_migrate.verify.rungs.forward import Recorded, Side, check_forward, control_names

pytestmark = [pytest.mark.thorough, pytest.mark.mm]
HERE = Path(__file__).parent
FACTS: dict[str, Any] = json.loads((HERE / "recorded.json").read_text())
TOLERANCE = 1e-5
PROVEN = (Rung.INTEGRITY, Rung.KEYS, Rung.ROLES)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from made_checkpoint import save

    path = tmp_path_factory.mktemp("two_stage") / "old.pth"
    save(FACTS["tensors"], FACTS["config"], path)
    return path


@pytest.fixture(scope="module")
def new(old: Path) -> Path:
    path = old.with_name("new.pth")
    report = convert("auto", EMBEDDED, old, path, Options(cache=False))
    assert [v.rung for v in report.verdicts if v.status is Status.PASS] == [*PROVEN]
    assert report.family == "deformable_detr"
    return path


@pytest.fixture(scope="module")
def config(new: Path) -> Config:
    """The migrated one, inside the new file."""
    import torch

    return read_config_text(torch.load(new)["meta"]["cfg"], str(new))


@pytest.fixture(scope="module")
def side(new: Path, config: Config) -> Iterator[Side]:
    with ReleaseProcess() as process:
        yield Side(process, model_request(config, new.name), new)


def test_the_outputs(side: Side, old: Path) -> None:
    rules = family_named(load_rules().families, "deformable_detr")
    with Source(old) as source:
        schema = open_checkpoint(source).schema
    control, record = control_names(schema, rules), Recorded(HERE / "reference.npz")
    verdict, result = check_forward(record, side, control, plan=make_plan(schema, rules), budget=0)
    assert verdict.status is Status.PASS, verdict
    assert [difference.name for difference in result.differences] == [
        "cls_logits",
        "bbox_preds",
        "enc_cls_logits",
        "enc_bbox_preds",
    ]
    assert result.control > 0.1


def losses_of(side: Side, config: Config, **options: Any) -> list[float]:
    training = repr({"optim_wrapper": config["optim_wrapper"]})
    answer = side.demand("resume", training=training, **FACTS["steps"], **options)
    if answer["draws"] != FACTS["draws"]:
        pytest.skip("this build of torch draws other random numbers than the recording one")
    return [float(loss) for loss in answer["losses"]]


def largest(losses: list[float]) -> float:
    """The largest relative difference from the old release's."""
    pairs = zip(losses, FACTS["losses"], strict=True)
    return max(abs(new - old) / abs(old) for new, old in pairs)


def test_the_next_losses(side: Side, config: Config) -> None:
    assert largest(losses_of(side, config)) < TOLERANCE


def test_with_state_exchanged_they_are_others(side: Side, config: Config) -> None:
    assert largest(losses_of(side, config, exchange=True)) > 20 * TOLERANCE
