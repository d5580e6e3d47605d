"""R: what a conversion takes of the machine does not grow with the file, and nothing stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from program import convert, run
from support.files import write
from support.streams import Storage, tensor
from support.zips import TWO_FLOATS
from toys import toy

from mm_ckpt_migrate.cli.render import print_ladder
from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.files.pickles.errors import PickleLimitError
from mm_ckpt_migrate.files.pickles.limits import BYTES_PER_OPCODE, MAX_OPCODES
from mm_ckpt_migrate.files.pickles.parse import parse_whole
from mm_ckpt_migrate.verdicts import Rung, failed

MIB = 1 << 20
_MEASURED = """
import resource, sys
from pathlib import Path
from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options

old, new = map(Path, sys.argv[1:])
convert("auto", "-", old, new, Options(build=False))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


def peak(folder: Path, size: int) -> int:
    """MiB that a conversion takes at most, of a file of this size."""
    big = {"backbone.w": tensor(Storage("1", size // 4), shape=(size // 4,))}
    old = write(folder, toy(big, {"0": TWO_FLOATS, "1": bytes(size)}), f"{size}.pth")
    command = [sys.executable, "-c", _MEASURED, str(old), str(old.with_suffix(".new"))]
    done = subprocess.run(command, capture_output=True, check=True, timeout=100)
    return int(done.stdout)


def test_r1_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    assert peak(tmp_path, 96 * MIB) - peak(tmp_path, MIB) < 16


def places() -> list[str]:
    return sorted(
        name
        for place in ("/tmp", "/dev/shm")
        for name in os.listdir(place)
        if "ckpt" in name and "pytest" not in name
    )


def test_r2_nothing_stays_open_or_running(tmp_path: Path) -> None:
    old = write(tmp_path, toy())
    assert convert(old).code == ExitCode.OK
    before = len(os.listdir("/proc/self/fd")), threading.active_count(), places()
    for _ in range(30):
        assert convert(old, "--force").code == ExitCode.OK
        assert convert(old).code == ExitCode.BAD_DESTINATION
    after = len(os.listdir("/proc/self/fd")), threading.active_count(), places()
    assert before == after
    assert sorted(os.listdir(tmp_path)) == ["new.pth", "old.pth"]


@pytest.mark.thorough
def test_r3_more_opcodes_than_any_file_has() -> None:
    """Objects are made before, so that the opcodes alone count: they only fetch one."""
    pad = MAX_OPCODES * BYTES_PER_OPCODE
    raw = b"\x80\x02(X" + pad.to_bytes(4, "little") + b"a" * pad + b"q\x00"
    raw += b"h\x00" * MAX_OPCODES + b"t."
    with pytest.raises(PickleLimitError, match="more than 10,000,000 opcodes"):
        parse_whole(raw)


def test_r4_a_hundred_thousand_lines_are_twenty(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"unexpected: {number}" for number in range(200_000)]
    print_ladder([failed(Rung.KEYS, "they differ", lines)])
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 22
    assert "and 199980 more; --json lists all" in shown[-1]


@pytest.mark.parametrize("command", ["convert", "plan", "inspect"])
def test_r4_many_unknown_keys_do_not_flood(command: str, tmp_path: Path) -> None:
    keys = {f"k{i:x}.{chr(97 + i % 26) * (i % 7 + 1)}": tensor() for i in range(1500)}
    old = write(tmp_path, toy(keys))
    done = {
        "convert": lambda: convert(old),
        "plan": lambda: run("plan", "auto", "-", old, "--no-build"),
        "inspect": lambda: run("inspect", old),
    }[command]()
    assert done.code == (ExitCode.OK if command == "inspect" else ExitCode.FAMILY_REFUSED)
    assert len(done.out + done.err) < 20_000


def test_r4_json_has_every_one(tmp_path: Path) -> None:
    keys = {f"backbone.{i}": tensor() for i in range(1500)}
    old = write(tmp_path, toy(keys))
    done = run("plan", "auto", "-", old, "--no-build", "--json")
    assert len(json.loads(done.out)["plan"]["keys"]) == 1505
