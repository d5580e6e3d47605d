"""The bias that a Vision Transformer loses: its config is completed, or it is refused by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, load, run, statuses

from mm_ckpt_migrate.configs.read.config import read_config, read_config_text
from mm_ckpt_migrate.errors import ConfigError, TargetMismatchError

BIAS = "backbone.patch_embed.projection.bias"
VIT = CASES["vit_upernet"]


@pytest.fixture
def silent(tmp_path: Path) -> Path:
    """Its config as shipped: without a word about the bias."""
    text = Path(VIT.new_config).read_text()
    assert text.count("patch_bias=True") == 1
    path = tmp_path / "vit.py"
    path.write_text(re.sub(r",\s*patch_bias=True", "", text))
    assert "patch_bias" not in path.read_text()
    return path


@pytest.mark.mm
def test_a_silent_config_is_completed(silent: Path, tmp_path: Path) -> None:
    new, out = tmp_path / "new.pth", tmp_path / "new.py"
    report = run(VIT, new, cfg=str(silent), config_out=out)
    assert statuses(report)["keys"] == "pass"
    assert BIAS in load(new)["state_dict"]
    said = [notice for notice in report.notices if "model.backbone.patch_bias = True" in notice]
    assert len(said) == 1
    assert str(silent) in said[0]
    written: Any = read_config(out)
    before: Any = read_config(silent)
    assert written["model"]["backbone"].pop("patch_bias") is True
    assert written == before


@pytest.mark.mm
def test_a_config_that_says_it_is_not_spoken_of(tmp_path: Path) -> None:
    report = run(VIT, tmp_path / "new.pth")
    said = [notice for notice in report.notices if "patch_bias" in notice]
    assert all(notice.startswith("meta.cfg: ") for notice in said)  # the one inside did not


@pytest.mark.parametrize("section", ["meta", "message_hub"])
def test_the_config_inside_says_it_afterwards(section: str, tmp_path: Path) -> None:
    run(VIT, tmp_path / "new.pth", build=False)
    new = load(tmp_path / "new.pth")
    text = new["meta"]["cfg"] if section == "meta" else new["message_hub"]["runtime_info"]["cfg"]
    model: Any = read_config_text(text, "inside")["model"]
    assert model["backbone"]["patch_bias"] is True


@pytest.mark.mm
def test_a_config_that_says_no_is_refused_with_the_key(silent: Path, tmp_path: Path) -> None:
    text = silent.read_text().replace("interpolate_mode=", "patch_bias=False, interpolate_mode=")
    assert text.count("patch_bias=False") == 1
    silent.write_text(text)
    with pytest.raises(TargetMismatchError, match=re.escape(f"unexpected: {BIAS}")):
        run(VIT, tmp_path / "new.pth", cfg=str(silent))
    assert not (tmp_path / "new.pth").exists()


@pytest.mark.mm
def test_the_config_of_another_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises((TargetMismatchError, ConfigError)):
        run(VIT, tmp_path / "new.pth", cfg=CASES["rpn_r18"].new_config)
