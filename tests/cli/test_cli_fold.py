"""`--fold` on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate.errors import ExitCode

Cli = Callable[..., Any]
BIAS, POSITIONS = "backbone.patch_embed.projection.bias", "backbone.pos_embed"
FOLD = ("--no-build", "--for", "inference", "--fold")


@pytest.fixture
def old(golden: dict[str, Any]) -> Path:
    path: Path = golden["vit_upernet"].old
    return path


def test_the_plan(cli: Cli, old: Path) -> None:
    done = cli("plan", "auto", "-", old, "--no-build", "--fold")
    assert (done.code, done.err) == (ExitCode.OK, "")
    assert f"folded: add_to_tokens\n  {BIAS} -> into {POSITIONS}\n" in done.out
    assert "(vit: 0 names change, 149 stay, 1 folded)" in done.out
    found = cli("plan", "auto", "-", old, "--no-build", "--fold", "--json").json
    assert (found["folded"], found["plan"]["fold"]["into"]) == (1, POSITIONS)


def test_the_conversion_and_no_way_back(cli: Cli, old: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.pth"
    done = cli("convert", "auto", "-", old, new, *FOLD)
    assert (done.code, done.err) == (ExitCode.OK, "")
    assert "(vit: 0 names change, 149 stay, 1 folded)" in done.out
    assert f"Note: {BIAS} is folded into {POSITIONS}: outputs are equal up to rounding" in done.out
    back = cli("convert", "auto", "-", new, tmp_path / "back.pth", "--reverse")
    assert (back.code, back.out) == (ExitCode.BAD_RULES, "")
    assert back.err.endswith("\n  Use the original file: it still has both.\n")


def test_what_cannot_be_folded(cli: Cli, golden: dict[str, Any], tmp_path: Path) -> None:
    done = cli("convert", "auto", "-", golden["rpn_r18"].old, tmp_path / "new.pth", *FOLD)
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert done.err.endswith("the rules of rpn name nothing that can be folded\n  Leave --fold out.\n")
    assert list(tmp_path.iterdir()) == []
