"""P12, P13, I11: text from a file, or an odd file name, never reaches the terminal as it stands."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.faults import run_in_terminal as run
from support.files import golden_file, write
from support.streams import mapping, plain, stream, tensor, text
from support.zips import Member, build_zip, torch_zip

from mm_ckpt_migrate.errors import ExitCode

ESCAPE = "\x1b[2J"
GOLDEN = golden_file("maskformer_r18_encoder")
# Colours are the program's own; whatever else a terminal would act on, but for the line feed.
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def check(done: tuple[int, bytes], *codes: int) -> str:
    shown = done[1].decode()
    assert "Traceback" not in shown
    assert CONTROL.search(COLOUR.sub("", shown)) is None
    assert done[0] in codes
    return shown


def hostile(**meta: bytes) -> bytes:
    body = mapping({"meta": mapping(meta), "state_dict": mapping({"w": tensor()})})
    return torch_zip(stream(body))


STAMP = {"tool": ESCAPE, "source_sha256": ESCAPE, "origin_sha256": ESCAPE, "plan": ESCAPE}
HEADER = json.dumps(
    {"__metadata__": {"mm_ckpt_migrate": json.dumps(STAMP), "tied": "[" * 9999, "cfg": ESCAPE}}
).encode()
FILES: dict[str, bytes] = {
    "versions_and_config": hostile(
        **{
            "mmseg_version": text(ESCAPE),
            f"{ESCAPE}\ud800_version": text("1"),
            "cfg": text(f"x = '{ESCAPE}'"),
        }
    ),
    "stamp": hostile(mm_ckpt_migrate=mapping({k: text(v) for k, v in STAMP.items()})),
    "empty_stamp": hostile(mm_ckpt_migrate=b"}"),
    "stamp_of_numbers": hostile(mm_ckpt_migrate=mapping({k: plain(1) for k in STAMP})),
    "stamp_is_a_list": hostile(mm_ckpt_migrate=b"]" + text(ESCAPE) + b"a"),
    "section": torch_zip(
        stream(mapping({ESCAPE: b"}", "\ud800": b"}", "s": b"}" + text("w") + tensor() + b"s"}))
    ),
    "key": torch_zip(stream(mapping({"state_dict": mapping({ESCAPE: tensor()})}))),
    "safetensors": len(HEADER).to_bytes(8, "little") + HEADER,
}


@pytest.mark.parametrize("case", FILES)
def test_inspect(case: str, tmp_path: Path) -> None:
    path = write(tmp_path, FILES[case])
    check(run("inspect", path), ExitCode.OK, ExitCode.BAD_CHECKPOINT)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    new = tmp_path_factory.mktemp("migrated") / "new.pth"
    assert run("convert", "auto", "-", GOLDEN, new, "--no-build")[0] == 0
    return new.read_bytes()


def tampered(data: bytes, old: bytes, new: bytes) -> bytes:
    """A migrated file with other text in its pickle, of the same length."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [Member(name, archive.read(name)) for name in archive.namelist()]
    assert old in members[0].data
    assert len(old) == len(new)
    members[0].data = members[0].data.replace(old, new)
    return build_zip(members)


def test_tool_in_a_stamp(migrated: bytes, tmp_path: Path) -> None:
    path = write(tmp_path, tampered(migrated, b"mm-ckpt-migrate ", b"\x1b[2Jkpt-migrate "))
    shown = check(run("convert", "auto", "-", path, tmp_path / "new", "--no-build"), ExitCode.OK)
    assert "nothing to do" in shown
    check(run("inspect", path), ExitCode.OK)


def test_dropped_sections_in_a_stamp(migrated: bytes, tmp_path: Path) -> None:
    path = write(tmp_path, tampered(migrated, b"param_schedulers", b"\x1b[2Jm_schedulers"))
    arguments = ("convert", "auto", "-", path, tmp_path / "new", "--no-build", "--reverse")
    assert "dropped" in check(run(*arguments), ExitCode.OK)


def test_operation_order_in_the_config(tmp_path: Path) -> None:
    """The config is text of the file's; the roles rung quotes what contradicts the plan."""
    old, new = b"'cross_attn'", rb"'\x1b[2J012'"
    path = write(tmp_path, tampered(GOLDEN.read_bytes(), old, new))
    arguments = ("convert", "maskformer", "-", path, tmp_path / "new", "--no-build")
    assert "operation_order" in check(run(*arguments), ExitCode.FAMILY_REFUSED)
    shown = check(run(*arguments, "--force-family"), ExitCode.ROLES_FAILED)
    assert "UNPROVEN" in shown


ODD_NAMES = {
    "not_utf_8": b"\xff\xfe.pth",
    "newline": b"a\nb.pth",
    "escape": b"\x1b[2J.pth",
    "leading_hyphen": b"-rf.pth",
    "longest": b"n" * 251 + b".pth",
}


@pytest.mark.parametrize("case", ODD_NAMES)
def test_i11_odd_file_names(case: str, tmp_path: Path) -> None:
    name = os.fsdecode(ODD_NAMES[case])
    new = os.fsdecode(ODD_NAMES[case][:-4] + b".new")
    shutil.copy(GOLDEN, tmp_path / name)
    arguments: list[Any] = ["convert", "--no-build", "--", "auto", "-", name, new]
    check(run(*arguments, cwd=tmp_path), ExitCode.OK)
    assert sorted(os.listdir(tmp_path)) == sorted([name, new])
    check(run("inspect", "--", new, cwd=tmp_path), ExitCode.OK)


def test_i11_an_error_about_an_odd_file_name(tmp_path: Path) -> None:
    for raw in (ODD_NAMES["escape"], ODD_NAMES["not_utf_8"]):
        new = write(tmp_path, b"before", os.fsdecode(raw))
        check(run("convert", "auto", "-", GOLDEN, new, "--no-build"), ExitCode.BAD_DESTINATION)


def test_i11_a_file_of_such_a_name_is_damaged(tmp_path: Path) -> None:
    for raw in (ODD_NAMES["escape"], ODD_NAMES["not_utf_8"]):
        path = tmp_path / os.fsdecode(raw)
        path.write_bytes(b"<html>")
        check(run("inspect", path), ExitCode.BAD_CHECKPOINT)
        check(run("inspect", path, "--json"), ExitCode.BAD_CHECKPOINT)
