"""O1 by `derive`: the proposal is never one of the files that it is made from."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from golden_cases import CASES

from mm_ckpt_migrate.derive import run as room
from mm_ckpt_migrate.derive.options import DeriveOptions
from mm_ckpt_migrate.derive.run import derive_rules
from mm_ckpt_migrate.errors import DestinationError

CASE = CASES["maskformer_r18"]


@pytest.mark.parametrize("name", ["old.pth", "new.py", "base.py", "trained.py", "hard", "link"])
def test_o1(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(CASE.old, tmp_path / "old.pth")
    shutil.copy(CASE.new_config, tmp_path / "base.py")
    shutil.copy(CASE.old_config, tmp_path / "trained.py")
    (tmp_path / "new.py").write_text("_base_ = 'base.py'\n")
    os.link(tmp_path / "base.py", tmp_path / "hard")
    (tmp_path / "link").symlink_to("new.py")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(room, "open_checkpoint", lambda *_, **__: pytest.fail("it worked"))
    options = DeriveOptions(out=tmp_path / name, force=True, old_config=str(tmp_path / "trained.py"))
    with pytest.raises(DestinationError, match=r"itself, which is never written"):
        derive_rules(tmp_path / "old.pth", str(tmp_path / "new.py"), options)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
