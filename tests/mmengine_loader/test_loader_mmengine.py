"""`load_from`, `resume`, `init_cfg`, `init_model` and the inferencer take an old file as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options

pytestmark = [pytest.mark.thorough, pytest.mark.mm]

HERE = Path(__file__).parent
# With frozen parameters, whose groups mmengine makes no more: only a model tells where state goes.
TRAINED = HERE.parent / "resume" / "mask2former_r18_frozen.pth"
USED = HERE.parent / "golden" / "mask2former_r18" / "old.pth"


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every way in, of the old file and of the converted one, in one child."""
    folder = tmp_path_factory.mktemp("ways")
    trained, used, config = folder / "trained.pth", folder / "used.pth", folder / "used.py"
    convert("auto", "embedded", TRAINED, trained, Options())
    convert("auto", "embedded", USED, used, Options(config_out=config))
    files = map(str, (TRAINED, trained, USED, used, config, folder))
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TORCH_")}
    done = subprocess.run(
        [sys.executable, str(HERE / "loader_run.py"), *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
        cwd=folder,
        env=kept | {"CUDA_VISIBLE_DEVICES": "", "TMPDIR": str(folder)},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert not list(folder.glob("mm-ckpt-migrate-*/*"))
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("way", ["load_from", "resume", "segment", "backbone"])
def test_it_is_as_if_the_file_had_been_converted(way: str, ways: dict[str, Any]) -> None:
    assert ways["migrate"][way] == ways["converted"][way]


def test_the_training_was_resumed_with_its_momentum(ways: dict[str, Any]) -> None:
    """What the old release went on with, to the tolerance of another build of torch."""
    facts = json.loads(TRAINED.with_suffix(".json").read_text(encoding="utf-8"))
    resumed = ways["migrate"]["resume"]
    for key in ("iter", "adam_steps"):
        assert [step[key] for step in resumed] == [step[key] for step in facts["iterations"]]
    for was, now in zip(facts["iterations"], resumed, strict=True):
        assert now["lr"] == pytest.approx(was["lr"], rel=1e-9)


def test_the_new_file_segments_alone(ways: dict[str, Any]) -> None:
    segmented = ways["migrate"]["segment"]
    assert segmented["alone"] == segmented["result"]
    assert len(segmented["classes"]) == 150


def test_another_model_is_for_strict_loading_to_refuse(ways: dict[str, Any]) -> None:
    for said in (ways["migrate"]["strict"], ways["converted"]["strict"]):
        assert "missing keys in source state_dict: decode_head.transformer_decoder.layers" in said
