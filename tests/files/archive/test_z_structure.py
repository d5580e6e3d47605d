"""Z1 to Z17: archives whose structure is ambiguous, damaged, or not torch's.

`TAKEN` names those that torch.load reads without a word (measured with torch 2.13).
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from support.files import write
from support.zips import Member, build_zip, members_of, torch_zip

from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint

PICKLE, STORAGE, LAST = 0, 4, 5


def changed(index: int, **changes: object) -> bytes:
    """torch's file, with the headers of one member changed."""
    members = members_of()
    for field, value in changes.items():
        setattr(members[index], field, value)
    return build_zip(members)


def both(**header: int) -> bytes:
    """The same change in both headers of the storage, which agree then."""
    return changed(STORAGE, local=header, central=header)


def with_tail(position: int, layout: str, value: object) -> bytes:
    """One field of the end records changed; `position` counts from the zip64 end record."""

    def change(end: bytes) -> bytes:
        raw = struct.pack(layout, value)
        return end[:position] + raw + end[position + len(raw) :]

    return build_zip(members_of(), tail=change)


def added(name: str, data: bytes = b"x", index: int = LAST) -> bytes:
    members = members_of()
    members.insert(index, Member(name, data))
    return build_zip(members)


def renamed(index: int, name: str) -> bytes:
    return changed(index, name=name)


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def compressed_storage() -> bytes:
    members = members_of()
    packed = deflated(members[STORAGE].data)
    members[STORAGE].local = {"method": 8}
    members[STORAGE].central = {"method": 8}
    members[STORAGE].stored = packed
    return build_zip(members)


def deflate_bomb() -> bytes:
    members = members_of(storages={"0": b"\0" * 8_000_000})
    members[STORAGE].local = members[STORAGE].central = {"method": 8}
    members[STORAGE].stored = deflated(members[STORAGE].data)
    members[STORAGE].central = {"method": 8}
    return build_zip(members)


WHOLE = torch_zip()


def record_in_another() -> bytes:
    """The last member lies, complete with its headers, inside the storage's payload."""
    members = members_of()
    last = WHOLE[WHOLE.rindex(b"PK\3\4") : WHOLE.index(b"PK\1\2")]
    members[STORAGE].data = last
    members[LAST].central = {"offset": build_zip(members).index(last)}
    return build_zip(members)


def record_in_no_directory() -> bytes:
    """The file begins with a member that the directory does not list."""
    return changed(PICKLE, before=WHOLE[: WHOLE.index(b"PK\3\4", 4)])


CASES: dict[str, Callable[[], bytes]] = {
    "z01_name_twice": lambda: added("archive/data.pkl", members_of()[0].data),
    "z01_storage_twice": lambda: added("archive/data/0", b"\0" * 8),
    "z01_name_twice_but_for_case": lambda: added("archive/DATA.PKL"),
    "z02_local_name": lambda: WHOLE.replace(b"archive/data/0", b"archive/data/1", 1),
    "z02_local_flags": lambda: changed(STORAGE, local={"flags": 0x0800}),
    "z02_local_method": lambda: changed(STORAGE, local={"method": 8}),
    "z02_local_crc": lambda: changed(STORAGE, local={"crc": 1}),
    "z02_local_size": lambda: changed(STORAGE, local={"size": 8}),
    "z02_local_packed_size": lambda: changed(STORAGE, local={"packed": 8}),
    "z02_local_time": lambda: changed(STORAGE, local={"time": 1}),
    "z02_local_version": lambda: changed(STORAGE, local={"needed": 20}),
    "z02_local_magic": lambda: changed(STORAGE, local={"magic": b"PK\3\5"}),
    "z02_local_padding": lambda: changed(STORAGE, local={"fill": b"\0"}),
    "z02_local_field": lambda: changed(STORAGE, local={"tag": b"FC"}),
    "z02_descriptor_crc": lambda: changed(STORAGE, descriptor={"crc": 1}),
    "z02_descriptor_size": lambda: changed(STORAGE, descriptor={"size": 9}),
    "z02_central_size": lambda: changed(STORAGE, central={"size": 4}),
    "z02_central_both_sizes": lambda: changed(STORAGE, central={"size": 4, "packed": 4}),
    "z02_central_offset": lambda: changed(STORAGE, central={"offset": 0}),
    "z02_central_offset_behind_the_end": lambda: changed(STORAGE, central={"offset": 1 << 30}),
    "z02_central_attributes": lambda: changed(STORAGE, central={"external": 0o120777 << 16}),
    "z02_central_comment": lambda: changed(STORAGE, central={"comment": 3}),
    "z02_central_extra": lambda: changed(STORAGE, central={"raw_extra": b"FB\0\0"}),
    "z02_central_zip64_for_nothing": lambda: changed(
        STORAGE, central={"raw_extra": struct.pack("<2HQ", 1, 8, 8)}
    ),
    "z02_central_zip64_that_is_short": lambda: changed(
        STORAGE, central={"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF, "raw_extra": b"\1\0\4\0abcd"}
    ),
    "z03_bytes_before": lambda: b"\0" * 64 + WHOLE,
    "z03_program_before": lambda: b"#!/bin/sh\n" + WHOLE,
    "z04_bytes_after": lambda: WHOLE + b"\0",
    "z05_two_archives": lambda: WHOLE + WHOLE,
    "z05_second_end_record": lambda: WHOLE + WHOLE[-22:],
    "z05_second_tail": lambda: WHOLE + WHOLE[-98:],
    "z06_archive_comment": lambda: WHOLE[:-2] + b"\x05\0hello",
    "z06_announced_comment": lambda: WHOLE[:-2] + b"\x05\0",
    "z07_hole_before_the_first": lambda: changed(PICKLE, before=b"\0" * 64),
    "z07_hole_between_two": lambda: changed(STORAGE, before=b"\0" * 64),
    "z07_overlap": lambda: changed(LAST, central={"offset": 0}),
    "z07_record_in_another": record_in_another,
    "z07_record_in_no_directory": record_in_no_directory,
    "z08_deflated_storage": compressed_storage,
    "z09_deflate_bomb": deflate_bomb,
    "z10_encrypted": lambda: both(flags=0x0809),
    "z10_unknown_flag": lambda: both(flags=0x4808),
    "z10_method_12": lambda: both(method=12),
    "z10_method_93": lambda: both(method=93),
    "z13_zip64_count": lambda: with_tail(24, "<Q", 5),
    "z13_zip64_total": lambda: with_tail(32, "<Q", 7),
    "z13_zip64_size": lambda: with_tail(40, "<Q", 1),
    "z13_zip64_offset": lambda: with_tail(48, "<Q", 0),
    "z13_zip64_all_ones": lambda: build_zip(
        members_of(), tail=lambda end: end[:24] + b"\xff" * 32 + end[56:]
    ),
    "z13_zip64_record_size": lambda: with_tail(4, "<Q", 45),
    "z13_zip64_version": lambda: with_tail(12, "<H", 0),
    "z13_zip64_disk": lambda: with_tail(16, "<I", 1),
    "z13_locator_offset": lambda: with_tail(56 + 8, "<Q", 0),
    "z13_locator_disks": lambda: with_tail(56 + 16, "<I", 2),
    "z13_end_count": lambda: with_tail(76 + 8, "<H", 5),
    "z13_end_offset": lambda: with_tail(76 + 16, "<I", 0),
    "z13_no_zip64": lambda: build_zip(members_of(), tail=lambda end: end[-22:]),
    "z13_count_of_quintillions": lambda: build_zip(
        members_of(), tail=lambda end: end[:24] + b"\xff" * 16 + end[40:]
    ),
    "z16_parent": lambda: added("archive/../x"),
    "z16_absolute": lambda: renamed(STORAGE, "/data/0"),
    "z16_drive": lambda: added("C:/x"),
    "z16_backslash": lambda: renamed(STORAGE, "archive\\data\\0"),
    "z16_nul": lambda: added("archive/data/1\0"),
    "z16_not_ascii": lambda: added("archive/\N{LATIN SMALL LETTER U WITH DIAERESIS}"),
    "z16_newline": lambda: added("archive/a\nb"),
    "z16_escape_code": lambda: added("archive/\x1b[2J"),
    # Of the folder, whose name may be any that a user gave.
    "z16_control_code": lambda: build_zip(members_of(top="a\x1f")),
    "z16_delete": lambda: build_zip(members_of(top="a\x7f")),
    "z16_empty_name": lambda: added(""),
    "z17_second_top_folder": lambda: renamed(LAST, "other/version"),
    "z17_first_in_another_folder": lambda: renamed(PICKLE, "other/data.pkl"),
    "z17_no_folder": lambda: renamed(PICKLE, "data.pkl"),
    "z17_pickle_is_not_first": lambda: build_zip(members_of()[1:] + members_of()[:1]),
}
REASONS = {
    "z01": "two zip members are named",
    "z02": "contradicts the zip directory|not as torch.save writes it|behind the end",
    "z03": "not a checkpoint",
    "z04": "no end record",
    "z05": "no end record|directory is not where",
    "z06": "no end record|contradict",
    "z07": "belong to nothing|bytes before|contradicts the zip directory|not a checkpoint",
    "z08": "not as torch.save writes it",
    "z09": "not as torch.save writes it",
    "z10": "not as torch.save writes it",
    "z13": "contradict|no end record|directory is not where",
    "z16": "a zip member has the name",
    "z17": "not written by torch.save|no data.pkl as its first member",
}
TAKEN_BY_TORCH = {
    "z01_name_twice",
    "z01_storage_twice",
    "z01_name_twice_but_for_case",
    "z02_local_name",
    "z02_local_method",
    "z02_local_crc",
    "z02_local_size",
    "z02_local_padding",
    "z02_descriptor_crc",
    "z02_descriptor_size",
    "z02_central_offset",
    "z02_central_attributes",
    "z04_bytes_after",
    "z05_two_archives",
    "z05_second_end_record",
    "z06_archive_comment",
    "z07_hole_between_two",
    "z07_record_in_no_directory",
    "z08_deflated_storage",
    "z10_unknown_flag",
    "z13_locator_offset",
    "z13_end_offset",
    "z13_no_zip64",
    "z16_parent",
    "z16_nul",
    "z16_escape_code",
    "z17_pickle_is_not_first",
}


def refusal(data: bytes, folder: Path) -> CheckpointError:
    with Source(write(folder, data)) as source, pytest.raises(CheckpointError) as caught:
        open_checkpoint(source)
    return caught.value


@pytest.mark.parametrize("case", CASES)
def test_refused(case: str, tmp_path: Path) -> None:
    error = refusal(CASES[case](), tmp_path)
    assert error.reason.isprintable()
    assert re.search(REASONS[case[:3]], error.reason)


def test_the_unchanged_file_is_read(tmp_path: Path) -> None:
    with Source(write(tmp_path, WHOLE)) as source:
        assert open_checkpoint(source).schema.names == ("w",)


@pytest.mark.parametrize("top", ["my model", "!", "~"])
def test_z16_a_folder_with_a_printable_name(top: str, tmp_path: Path) -> None:
    with Source(write(tmp_path, build_zip(members_of(top=top)))) as source:
        assert open_checkpoint(source).schema.names == ("w",)


@pytest.mark.parametrize("case", sorted(TAKEN_BY_TORCH))
def test_torch_takes_it(case: str) -> None:
    """Why the structure is checked here: with torch 2.13, nobody else does."""
    torch = pytest.importorskip("torch")
    if not torch.__version__.startswith("2.13."):
        pytest.skip("measured with torch 2.13")
    torch.load(io.BytesIO(CASES[case]()))
