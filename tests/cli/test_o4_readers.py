"""O4: the exit code is the verdict's, whoever reads the output, and however he stops to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate.errors import ExitCode

ROOT = Path(__file__).parents[2]
FORCED = "convert 1 - OLD NEW --no-build --force-family"
COMMANDS = [
    ("convert auto - OLD NEW --no-build", ExitCode.OK),
    (FORCED, ExitCode.ROLES_FAILED),
    ("convert 1 - OLD NEW --no-build", ExitCode.FAMILY_REFUSED),
    ("plan auto - OLD --no-build", ExitCode.OK),
    ("inspect OLD", ExitCode.OK),
    ("inspect NONE", ExitCode.BAD_CHECKPOINT),
    ("migrate-config CFG --check", ExitCode.CHANGES_NEEDED),
    ("migrate-config CFG --check --diff", ExitCode.CHANGES_NEEDED),
    ("audit ZOO", ExitCode.FINDINGS),
    ("rules list", ExitCode.OK),
    ("rules check NONE", ExitCode.BAD_RULES),
    ("batch SOURCES RESULTS --no-build", ExitCode.INCOMPLETE),
    ("convert", ExitCode.USAGE),
]
_CLOSED = {"stdout closed": (1,), "both closed": (1, 2), "all closed": (0, 1, 2)}


@pytest.fixture
def line(golden: dict[str, Any], tmp_path: Path) -> Callable[[str], list[str]]:
    """A command line with the placeholders filled in."""
    case = golden["mask2former_r18"]
    sources, zoo = tmp_path / "sources", tmp_path / "zoo"
    sources.mkdir()
    (sources / "bad.pth").write_bytes(b"x")
    zoo.mkdir()
    (zoo / "metafile.yml").write_text("Models:\n- {Name: x, Config: no.py, Weights: 'x.pth'}\n")
    names = {
        "OLD": case.old,
        "CFG": case.old_config,
        "NEW": tmp_path / "new.pth",
        "NONE": tmp_path / "none",
        "ZOO": zoo,
        "SOURCES": sources,
        "RESULTS": tmp_path / "results",
    }
    return lambda text: [str(names.get(word, word)) for word in text.split()]


def code(arguments: list[str], **options: Any) -> tuple[int, bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "mm_ckpt_migrate", *arguments],
        cwd=ROOT,
        timeout=120,
        check=False,
        **{"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, **options},
    )
    return done.returncode, done.stderr or b""


@pytest.mark.parametrize(("text", "wanted"), COMMANDS, ids=[text for text, _ in COMMANDS])
def test_nobody_reads(text: str, wanted: ExitCode, line: Callable[[str], list[str]]) -> None:
    for json in ([], ["--json"]):
        Path(line("NEW")[0]).unlink(missing_ok=True)
        read, write = os.pipe()
        os.close(read)
        found, err = code([*line(text), *json], stdout=write)
        os.close(write)
        assert found == wanted
        assert b"Traceback" not in err
        assert b"not complete" not in err


@pytest.mark.parametrize("text", [FORCED, "audit ZOO", "inspect NONE"])
@pytest.mark.parametrize("closed", _CLOSED)
def test_closed_from_the_start(
    closed: str, text: str, line: Callable[[str], list[str]], tmp_path: Path
) -> None:
    """No file that is opened may get the number of what is printed to."""

    def close() -> None:
        for descriptor in _CLOSED[closed]:
            os.close(descriptor)

    found, _ = code(line(text), stdout=None, stderr=None, preexec_fn=close)
    assert found == dict(COMMANDS)[text]
    if text == FORCED:
        assert (tmp_path / "new.pth").read_bytes()[:2] == b"PK"


@pytest.mark.parametrize("text", [FORCED, "audit ZOO", "plan auto - OLD --no-build"])
@pytest.mark.parametrize("json", [[], ["--json"]], ids=["text", "json"])
def test_a_disk_that_is_full(json: list[str], text: str, line: Callable[[str], list[str]]) -> None:
    with Path("/dev/full").open("w") as full:
        found, err = code([*line(text), *json], stdout=full)
    assert found == dict(COMMANDS)[text]
    assert err.decode().endswith("Error: the output is not complete: No space left on device\n")


def test_only_the_first_line_is_read(line: Callable[[str], list[str]]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "mm_ckpt_migrate", *line(FORCED)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.read(1)
        running.stdout.close()
        assert running.wait(60) == ExitCode.ROLES_FAILED


def test_a_pipe_that_does_not_wait(line: Callable[[str], list[str]]) -> None:
    """More than a pipe holds, to a reader who is slow: all of it arrives."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    with (
        subprocess.Popen(
            [sys.executable, "-m", "mm_ckpt_migrate", *line("plan auto - OLD --no-build --json")],
            cwd=ROOT,
            stdout=write,
        ) as running,
        open(read, "rb") as reader,
    ):
        os.close(write)
        import json
        import time

        time.sleep(3)
        assert json.loads(reader.read())["family"] == "mask2former"
        assert running.wait(60) == ExitCode.OK


def test_a_name_that_the_terminal_cannot_show(tmp_path: Path) -> None:
    env = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    found, err = code(["inspect", f"{tmp_path}/größe"], env=env)
    assert found == ExitCode.BAD_CHECKPOINT
    assert b"Traceback" not in err
