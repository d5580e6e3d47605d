"""K8: what a killed process left in a temporary folder goes with the next; what is in use stays."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.files import golden_file

from mm_ckpt_migrate.errors import DestinationError
from mm_ckpt_migrate.files.archive.scratch import Scratch, scratch_folder, sweep_scratch

OLD = golden_file("yolact_r18")
BEGIN = "import os, sys, pathlib, mm_ckpt_migrate.files.archive.scratch as scratch\n"
# Each is killed when it has written something.
VICTIMS = {
    "a folder": """
with scratch.scratch_folder() as folder:
    (folder / "weights").write_bytes(b"x")
    os.kill(os.getpid(), 9)
""",
    "until cleanup": """
held = scratch.Scratch()
(held.folder / "weights").write_bytes(b"x")
os.kill(os.getpid(), 9)
""",
    "while it loads": f"""
import mm_ckpt_migrate.mmengine_loader as loader
loader._read = lambda *_: os.kill(os.getpid(), 9)
loader.load_from_migrate("migrate://{OLD}")
""",
    "the demonstration": """
import mm_ckpt_migrate.demo as demo
from mm_ckpt_migrate.cli.main import app
def killed(folder, **_):
    (folder / "new.pth").write_bytes(b"x")
    os.kill(os.getpid(), 9)
demo.demonstrate = killed
app(["demo"])
""",
    "a child of a release": """
from mm_ckpt_migrate.releases.process import ReleaseProcess
held = ReleaseProcess()
(held.folder / "raw.npz").write_bytes(b"x")
os.kill(os.getpid(), 9)
""",
}


def files_below(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def run(code: str, there: Path) -> int:
    settings = {**os.environ, "TMPDIR": str(there)}
    return subprocess.run(
        [sys.executable, "-c", BEGIN + code], env=settings, capture_output=True, check=False
    ).returncode


@pytest.mark.mm
@pytest.mark.parametrize("victim", VICTIMS)
def test_what_a_killed_process_left_goes_with_the_next(victim: str, there: Path) -> None:
    assert run(VICTIMS[victim], there) == -signal.SIGKILL
    assert files_below(there), "it was killed too early to leave anything"
    with scratch_folder() as folder:
        assert files_below(there) == []
        assert list(folder.parent.iterdir()) == [folder]
    assert list(folder.parent.iterdir()) == []


def test_what_is_in_use_stays(there: Path) -> None:
    code = """
with scratch.scratch_folder() as folder:
    (folder / "weights").write_bytes(b"x")
    print(folder, flush=True)
    sys.stdin.read()
assert not folder.exists()
"""
    with subprocess.Popen(
        [sys.executable, "-c", BEGIN + code],
        env={**os.environ, "TMPDIR": str(there)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        folder = Path(other.stdout.readline().strip())
        sweep_scratch()
        with scratch_folder():
            assert files_below(there) == ["weights"]
        other.communicate()
    assert other.returncode == 0
    assert not folder.exists()


def test_it_is_its_users_alone(there: Path) -> None:
    held = Scratch()
    for folder in (held.folder, held.folder.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    held.cleanup()
    assert not held.folder.exists()
    held.cleanup()


def test_what_is_not_ours_is_not_touched(there: Path) -> None:
    with scratch_folder() as folder:
        root = folder.parent
    elsewhere = there / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").touch()
    (root / "link").symlink_to(elsewhere)
    (root / "file").touch()
    sweep_scratch()
    assert sorted(path.name for path in root.iterdir()) == ["file", "link"]
    assert (elsewhere / "mine").exists()


@pytest.mark.parametrize("spoil", ["a file", "no folder", "somebody else's"])
def test_no_place_for_it_is_a_sentence(spoil: str, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if spoil == "a file":
        (there / f"mm-ckpt-migrate-{os.getuid()}").touch()
    elif spoil == "no folder":
        monkeypatch.setattr("tempfile.tempdir", str(there / "none"))
    else:
        monkeypatch.setattr(os, "getuid", lambda: 4242)
    with pytest.raises(DestinationError), scratch_folder():
        pass
    sweep_scratch()
