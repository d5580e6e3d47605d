"""K1, K3, I1, X6: a conversion that is killed, interrupted or starved at any point of its way."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from support.faults import run, run_struck
from support.files import golden_file

from mm_ckpt_migrate.errors import ExitCode

SIGKILL = -9
OLD = golden_file("maskformer_r18_encoder")


def convert(old: Path, new: Path, *options: str) -> tuple[str | Path, ...]:
    return ("convert", "auto", "-", old, new, "--no-build", *options)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of what a conversion without mishap makes."""
    new = tmp_path_factory.mktemp("expected") / "new.pth"
    assert run(*convert(OLD, new)).returncode == 0
    return digest(new)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(OLD, tmp_path / "old.pth")
    return tmp_path


@pytest.mark.parametrize(
    ("call", "count"), [("copy_file_range", 1), ("pwrite", 1), ("fdatasync", 1), ("fsync", 1), ("link", 1)]
)
def test_k1_killed_before_the_end_leaves_nothing(call: str, count: int, folder: Path) -> None:
    struck = run_struck(call, count, "SIGKILL", *convert(folder / "old.pth", folder / "new.pth"))
    assert struck.returncode == SIGKILL
    assert os.listdir(folder) == ["old.pth"]
    assert digest(folder / "old.pth") == digest(OLD)


def test_k1_killed_after_publication_leaves_the_whole_file(folder: Path, expected: str) -> None:
    struck = run_struck("fsync", 2, "SIGKILL", *convert(folder / "old.pth", folder / "new.pth"))
    assert struck.returncode == SIGKILL
    assert sorted(os.listdir(folder)) == ["new.pth", "old.pth"]
    assert digest(folder / "new.pth") == expected


@pytest.mark.parametrize(("call", "count"), [("fsync", 1), ("link", 1), ("rename", 1)])
def test_k1_killed_while_replacing_keeps_the_old_file(call: str, count: int, folder: Path) -> None:
    (folder / "new.pth").write_bytes(b"before")
    arguments = convert(folder / "old.pth", folder / "new.pth", "--force")
    assert run_struck(call, count, "SIGKILL", *arguments).returncode == SIGKILL
    assert (folder / "new.pth").read_bytes() == b"before"
    left = set(os.listdir(folder)) - {"old.pth", "new.pth"}
    # Between link and rename the new file has a name of its own, for the next run to sweep away.
    assert len(left) == (call == "rename")
    assert all(name.startswith(".mm-ckpt-migrate-") for name in left)


@pytest.mark.parametrize(
    ("signal", "call", "named"),
    [
        ("SIGTERM", "copy_file_range", False),
        ("SIGTERM", "fsync", True),
        ("SIGINT", "copy_file_range", True),
        ("SIGHUP", "copy_file_range", True),
    ],
)
def test_k3_signals_are_an_orderly_end(signal: str, call: str, named: bool, folder: Path) -> None:
    arguments = convert(folder / "old.pth", folder / "new.pth")
    struck = run_struck(call, 1, signal, *arguments, named=named)
    assert struck.returncode == ExitCode.INTERRUPTED
    assert b"Interrupted" in struck.stderr
    assert b"Traceback" not in struck.stderr
    assert os.listdir(folder) == ["old.pth"]


@pytest.mark.parametrize(
    ("call", "action", "words"),
    [("copy_file_range", "ENOSPC", b"disk is full"), ("fsync", "EIO", b"cannot be written")],
)
def test_i1_i2_faults_are_an_exit_code(call: str, action: str, words: bytes, folder: Path) -> None:
    struck = run_struck(call, 1, action, *convert(folder / "old.pth", folder / "new.pth"))
    assert struck.returncode == ExitCode.BAD_DESTINATION
    assert words in struck.stderr
    assert b"Traceback" not in struck.stderr
    assert os.listdir(folder) == ["old.pth"]


def test_i1_limit_on_the_size_of_files(folder: Path) -> None:
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = run(*convert(folder / "old.pth", folder / "new.pth"), preexec_fn=limit)
    assert done.returncode == ExitCode.BAD_DESTINATION
    assert b"Traceback" not in done.stderr
    assert os.listdir(folder) == ["old.pth"]
