"""A given config that contradicts the one inside is told setting by setting."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from golden_cases import CASES, NAMES, Case, few_by_default

from mm_ckpt_migrate.convert.api import convert, plan
from mm_ckpt_migrate.convert.options import EMBEDDED, Options

pytestmark = pytest.mark.mm

M2F = CASES["mask2former_r18"]
# Of the attentions whose shapes do not show it.
HEADS = (r"num_heads=4(?=,\s*(attn_drop|dropout))", "num_heads=2")


def said(notices: tuple[str, ...]) -> list[str]:
    return [notice for notice in notices if "says otherwise than the config inside" in notice]


def told(case: Case, cfg: Path) -> str:
    """The one notice, of `plan`."""
    _, report = plan("auto", str(cfg), case.old, Options())
    (notice,) = said(report.notices)
    return notice


def changed(cfg: str, folder: Path, pattern: str, text: str) -> Path:
    before = Path(cfg).read_text()
    after = re.sub(pattern, text, before)
    assert after != before
    (folder / "cfg.py").write_text(after)
    return folder / "cfg.py"


@pytest.mark.parametrize(
    ("pattern", "text", "path", "value", "inside"),
    [
        (*HEADS, "num_heads", "2", "4"),
        (
            r"mode=['\"]whole['\"]",
            "mode='slide', crop_size=(64, 64), stride=(32, 32)",
            "test_cfg.mode",
            "'slide'",
            "'whole'",
        ),
        (r"123\.675", "0.0", "data_preprocessor.mean.0", "0.0", "123.675"),
        (r"strides=\[4, 8, 16, 32\]", "strides=[4, 8, 16, 64]", "strides.3", "64", "32"),
    ],
)
def test_each_setting_is_named(
    pattern: str, text: str, path: str, value: str, inside: str, tmp_path: Path
) -> None:
    """None of them shows in a shape. In the old form of the config, and in the current one."""
    old, new = (Path(cfg).read_text() for cfg in (M2F.old_config, M2F.new_config))
    for cfg in (M2F.old_config, M2F.new_config) if re.search(pattern, new) else (M2F.old_config,):
        assert re.search(pattern, old)
        notice = told(M2F, changed(cfg, tmp_path, pattern, text))
        assert re.search(rf"model\.[\w.]*{path} is {value}, inside {inside}", notice), notice


def test_where_it_is_written_without_a_model(tmp_path: Path) -> None:
    cfg = changed(M2F.old_config, tmp_path, *HEADS)
    options = Options(build=False, config_out=tmp_path / "out.py")
    report = convert("auto", str(cfg), M2F.old, tmp_path / "new.pth", options)
    (notice,) = said(report.notices)
    assert "num_heads is 2, inside 4" in notice


def test_of_many_the_first_are_told(tmp_path: Path) -> None:
    text = ", ".join(f"a{number}={number}" for number in range(30))
    cfg = changed(M2F.new_config, tmp_path, r"mode=['\"]whole['\"]", f"mode='whole', {text}")
    notice = told(M2F, cfg)
    assert notice.count(" is ") == 8
    assert notice.endswith("; and 22 more")


@pytest.mark.parametrize("name", few_by_default(NAMES, few=("mask2former_r18", "vit_upernet")))
def test_what_agrees_is_not_told(name: str) -> None:
    """The configs with which each was trained, and those of the current release for it.

    mmdet 3.3.0 gives MaskFormer's decoder a dropout that it had not, and RPN another border of
    its anchors: the two are told rightly.
    """
    case = CASES[name]
    really = {"maskformer": "ffn_drop is 0.1, inside 0.0", "rpn": "allowed_border is -1, inside 0"}
    for cfg in (case.old_config, case.new_config, EMBEDDED):
        if cfg == EMBEDDED and case.family == "rpn":
            continue
        _, report = plan("auto", cfg, case.old, Options())
        found = said(report.notices)
        if cfg == case.new_config and case.family in really:
            assert [notice.count(" is ") for notice in found] == [1]
            assert really[case.family] in found[0]
        else:
            assert found == []
