"""The wheel: what is inside, and that it works without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from mm_ckpt_migrate.demo import SHIPPED

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not (find_spec("build") and find_spec("hatchling") and find_spec("pip")),
    reason="build, hatchling and pip are not installed",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = ["build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True, timeout=120)
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel alone in a folder; what it depends on is taken from this environment."""
    folder = tmp_path_factory.mktemp("installed")
    options = ["--no-deps", "--no-index", "--target", str(folder), str(wheel)]
    command = [sys.executable, "-m", "pip", "install", "-q", *options]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder


def run(installed: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(installed / "bin" / "mm-ckpt-migrate"), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=installed,
        check=False,
        env=os.environ | {"PYTHONPATH": str(installed)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_rules_and_golden_checkpoints_are_inside(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    rules = {path.name for path in (ROOT / "rules").iterdir()}
    golden = {
        f"{name}/{path.name}" for name in SHIPPED for path in (ROOT / "tests" / "golden" / name).iterdir()
    }
    assert {f"mm_ckpt_migrate/rules/{name}" for name in rules} <= names
    assert {f"mm_ckpt_migrate/golden/{name}" for name in golden} == {n for n in names if "/golden/" in n}
    assert {
        f"mm_ckpt_migrate/{p.relative_to(ROOT / 'mm_ckpt_migrate')}"
        for p in (ROOT / "mm_ckpt_migrate").rglob("*.py")
    } <= names
    tables = ("identify/layouts/layouts.json.gz", "identify/layouts/weights.json.gz", "zoo/republished.csv")
    assert {f"mm_ckpt_migrate/{table}" for table in tables} <= names
    assert not [name for name in names if "test_" in name or "__pycache__" in name]
    assert wheel.stat().st_size < 2_000_000


def test_an_installed_copy_uses_its_own_rules(installed: Path) -> None:
    assert "maskformer" in run(installed, "rules", "list")
    assert run(installed, "rules", "check").startswith(str(installed / "mm_ckpt_migrate"))
    assert "convert" in run(installed, "--help")


def test_an_installed_copy_converts(installed: Path, tmp_path: Path) -> None:
    old = installed / "mm_ckpt_migrate" / "golden" / "maskformer_r18" / "old.pth"
    new = tmp_path / "new.pth"
    out = run(installed, "convert", "auto", "-", str(old), str(new), "--no-build")
    assert "36 names change, 174 stay" in out
    assert new.exists()


@pytest.mark.mm
@pytest.mark.thorough
def test_an_installed_copy_demonstrates(installed: Path) -> None:
    assert f"{len(SHIPPED)} genuine old checkpoints load" in run(installed, "demo")
