"""No file that others may read tells of a private config: NEW, its side outputs, other configs."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES

CASE = CASES["mask2former_r18"]
Cli = Callable[..., Any]


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(params=["itself", "base"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A config for the old release, of which a part is private."""
    path, base = tmp_path / "config.py", tmp_path / "base.py"
    private = path if request.param == "itself" else base
    shutil.copy(CASE.old_config, private)
    private.chmod(0o600)
    if private == base:
        path.write_text("_base_ = 'base.py'\n")
        path.chmod(0o644)
    return path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.pth"
    shutil.copy(CASE.old, path)
    path.chmod(0o644)
    return path


def modes(folder: Path, *names: str) -> list[int]:
    return [stat.S_IMODE((folder / name).stat().st_mode) for name in names]


def test_convert(config: Path, old: Path, cli: Cli, tmp_path: Path) -> None:
    names = ["c.py", "p.json", "new.pth"]
    out, plan, new = (tmp_path / name for name in names)
    options = ["--no-build", "--config-out", out, "--plan", plan]
    assert cli("convert", "auto", config, old, new, *options).code == 0
    assert modes(tmp_path, *names) == [0o600] * 3
    assert os.umask(0o022) == 0o022


def test_migrate_config(config: Path, cli: Cli, tmp_path: Path) -> None:
    assert cli("migrate-config", config, tmp_path / "new.py").code == 0
    assert modes(tmp_path, "new.py") == [0o600]


def test_a_private_checkpoint_beside_a_public_config(old: Path, cli: Cli, tmp_path: Path) -> None:
    old.chmod(0o600)
    public = tmp_path / "public.py"
    shutil.copy(CASE.old_config, public)
    public.chmod(0o644)
    done = cli("migrate-config", public, tmp_path / "new.py", "--checkpoint", old)
    assert done.code == 0
    assert modes(tmp_path, "new.py") == [0o600]


def test_what_is_public_stays_public(old: Path, cli: Cli, tmp_path: Path) -> None:
    names = ["c.py", "p.json", "new.pth"]
    out, plan, new = (tmp_path / name for name in names)
    options = ["--no-build", "--config-out", out, "--plan", plan]
    config = tmp_path / "public.py"
    shutil.copy(CASE.old_config, config)
    config.chmod(0o644)
    assert cli("convert", "auto", config, old, new, *options).code == 0
    assert modes(tmp_path, *names) == [0o644] * 3
