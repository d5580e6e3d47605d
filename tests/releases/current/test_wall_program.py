"""The filter, number by number: what it answers is worked out here, as the kernel does."""

from __future__ import annotations

import errno
import random
import re
import struct
from pathlib import Path

import pytest

from mm_ckpt_migrate.releases.wall import calls, program

OWN, FILES = 4321, 7
ALLOW, END = "allowed", "ended"
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# From the kernel's own table for x86-64 (arch/x86/entry/syscalls/syscall_64.tbl).
DANGEROUS = {
    "socket and kin": (42, 43, 44, 45, 46, 48, 49, 50, 51, 52, 53, 54, 55, 288, 299, 307),
    "processes and programs": (57, 58, 59, 322),
    "signals": (62, 129, 200, 297, 424),
    "other processes": (101, 310, 311, 312, 434, 438, 440, 448),
    "io_uring and aio": (206, 209, 425, 426, 427),
    "the kernel": (103, 163, 169, 175, 176, 246, 313, 317, 320, 321, 298, 323, 172, 173, 154),
    "mounts and namespaces": (155, 161, 165, 166, 272, 308, 428, 429, 430, 431, 432, 433, 442, 467),
    "handles": (300, 301, 303, 304),
    "keys": (248, 249, 250),
    "users": (105, 106, 113, 114, 116, 117, 119, 122, 123, 126),
    "clocks and names": (153, 159, 164, 167, 168, 170, 171, 179, 227, 305, 443),
}
CHANGES = (
    76,
    77,
    82,
    83,
    84,
    85,
    86,
    87,
    88,
    90,
    91,
    92,
    93,
    94,
    132,
    133,
    188,
    189,
    190,
    197,
    198,
    199,
    235,
    258,
    259,
    260,
    261,
    263,
    264,
    265,
    266,
    268,
    280,
    285,
    316,
    452,
    463,
    466,
    469,
)
ELSEWHERE = (29, 30, 31, 64, 65, 66, 68, 69, 70, 71, 67, 108 + 214, 240, 241, 319, 435, 437, 447)


def answer(code: bytes, number: int, arguments: tuple[int, ...] = (), arch: int = 0) -> str:
    """Run a filter: the kernel's machine has one register, and jumps ahead only."""
    known = arch or ARCHITECTURES["x86_64"]
    data = struct.pack("<IIQ6Q", number, known, 0, *(arguments + (0,) * 6)[:6])
    lines = list(struct.iter_unpack("<HBBI", code))
    register = place = 0
    while True:
        what, if_true, if_false, operand = lines[place]
        place += 1
        if what == 0x20:
            register = struct.unpack_from("<I", data, operand)[0]
        elif what == 0x54:
            register &= operand
        elif what == 0x05:
            place += operand
        elif what == 0x06:
            return _said(operand)
        else:
            true = {0x15: register == operand, 0x35: register >= operand, 0x45: bool(register & operand)}[
                what
            ]
            place += if_true if true else if_false


def _said(operand: int) -> str:
    if operand == 0x7FFF0000:
        return ALLOW
    if operand == 0x80000000:
        return END
    assert operand & 0xFFFF0000 == 0x00050000
    return errno.errorcode[operand & 0xFFFF]


@pytest.fixture(scope="module")
def code() -> bytes:
    return program.assemble("x86_64", own=OWN, files=FILES)


def listed(table: object, machine: str = "x86_64") -> set[int]:
    return set(calls.numbers(table, machine).values())  # type: ignore[arg-type]


def test_every_number_has_one_answer(code: bytes) -> None:
    """Allowed where it is listed so, and otherwise ended, refused, or unknown."""
    for number in range(471):
        found = answer(code, number)
        if number in listed(calls.ALLOWED):
            assert found == ALLOW, number
        elif number in listed(calls.ENDING):
            assert found == END, number
        elif number in listed(calls.REFUSED):
            assert found == "EACCES", number
        elif number not in listed(calls.JUDGED):
            assert found == "ENOSYS", number


@pytest.mark.parametrize("kind", DANGEROUS)
def test_what_is_dangerous_ends_whatever_it_is_called_with(kind: str, code: bytes) -> None:
    draw = random.Random(0)
    for number in DANGEROUS[kind]:
        for _ in range(50):
            arguments = tuple(draw.choice((0, 1, OWN, FILES, draw.getrandbits(64))) for _ in "6" * 6)
            assert answer(code, number, arguments) == END, number


def test_what_changes_files_is_refused(code: bytes) -> None:
    assert {answer(code, number) for number in CHANGES} == {"EACCES"}
    assert {answer(code, number) for number in ELSEWHERE if number != 322} == {"ENOSYS"}


def test_the_check_itself_sees_a_hole() -> None:
    """With a call taken from its table, or allowed, the answers are others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calls, "ENDING", {k: v for k, v in calls.ENDING.items() if k != "ptrace"})
        assert answer(program.assemble("x86_64", own=OWN), 101) == "ENOSYS"
        patch.setattr(calls, "ALLOWED", {**calls.ALLOWED, "ptrace": ("101", "117")})
        assert answer(program.assemble("x86_64", own=OWN), 101) == ALLOW


@pytest.mark.parametrize("machine", calls.MACHINES)
def test_other_numbers_for_calls_are_no_way_around(machine: str) -> None:
    own = program.assemble(machine, own=OWN)
    for arch in (*ARCHITECTURES.values(), 0x40000003, 0x40000028, 0xC0000016, 0):
        known = arch == ARCHITECTURES[machine]
        read = listed({"read": calls.ALLOWED["read"]}, machine).pop()
        assert answer(own, read, arch=arch or 1) == (ALLOW if known else END)
    if machine == "x86_64":
        for number in (0, 1, 39, 59, 512, 520, 547):
            assert answer(own, 0x40000000 | number) == END


@pytest.mark.parametrize(
    ("number", "arguments", "expected"),
    [
        (2, (0, 0), ALLOW),
        (2, (0, 0o2000000 | 0o200000), ALLOW),  # close on exec, a directory
        *((2, (0, flag), "EACCES") for flag in (1, 2, 3, 0o100, 0o1000, 0o2000, 0o20200000)),
        (257, (0, 0, 0o2000000), ALLOW),
        *((257, (0, 0, flag), "EACCES") for flag in (1, 2, 0o100, 0o1001, 0o20200002)),
        (56, (0x3D0F00,), ALLOW),  # what glibc's threads are made with
        *((56, (flags,), END) for flags in (17, 0, 0x4111, 0x10000 | 0x20000, 0x10000 | 0x10000000)),
        (41, (1,), "EACCES"),
        *((41, (family,), END) for family in (2, 10, 16, 17, 38, 40)),
        (47, (FILES,), ALLOW),
        (47, (FILES + 1,), END),
        (234, (OWN, 1, 6), ALLOW),
        *((234, (process, 1, 9), END) for process in (0, 1, OWN + 1, 0xFFFFFFFF)),
        *((72, (0, command), ALLOW) for command in (0, 1, 2, 3, 4, 1030)),
        *((72, (0, command), "EPERM") for command in (6, 8, 10, 15, 1024, 1026, 1033)),
        *((16, (0, request), ALLOW) for request in (0x5401, 0x541B)),
        *((16, (0, request), "ENOTTY") for request in (0x5412, 0x541C, 0x40049409, 0x46, 0x8901)),
        *((157, (option,), ALLOW) for option in (15, 16)),
        *((157, (option,), "EPERM") for option in (1, 4, 22, 38, 59, 0x59616D61)),
        *((call, (0,), ALLOW) for call in (302, 203)),
        *((call, (process,), "EPERM") for call in (302, 203) for process in (1, OWN)),
        *((302, (0, 9, new), "EPERM") for new in (1, 1 << 32, 0x7FFF12345678)),
        (302, (0, 9, 0, 0x7FFF12345678), ALLOW),
        (160, (9, 0x7FFF12345678), "EPERM"),
        # How many files may be open, mmengine's Runner says.
        (302, (0, 7, 0x7FFF12345678), ALLOW),
        *((302, (process, 7, 0x7FFF12345678), "EPERM") for process in (1, OWN)),
        (160, (7, 0x7FFF12345678), ALLOW),
    ],
)
def test_what_is_judged(number: int, arguments: tuple[int, ...], expected: str, code: bytes) -> None:
    assert answer(code, number, arguments) == expected


def test_a_driver_is_spoken_to_where_there_is_a_gpu() -> None:
    code = program.assemble("x86_64", own=OWN, gpu=True)
    nvidia = (0xC020462A, 0xC00446C6, 27, 75, 0x30000001, 0x30000002)
    assert {answer(code, 16, (3, request)) for request in nvidia} == {ALLOW}
    others = (0x5412, 0x541C, 0x40049409, 0x40086602, 0x8901, 0x30000010, 0x12345678)
    assert {answer(code, 16, (3, request)) for request in others} == {"ENOTTY"}
    assert answer(code, 16, (0, 0x5401)) == ALLOW


def test_no_call_is_in_two_tables_and_a_filter_is_not_too_long(code: bytes) -> None:
    tables = (calls.ALLOWED, calls.REFUSED, calls.ENDING, calls.JUDGED)
    for machine in calls.MACHINES:
        numbers = [number for table in tables for number in calls.numbers(table, machine).values()]
        assert len(numbers) == len(set(numbers))
    assert len(code) // 8 < 4096  # the kernel's limit


@pytest.mark.parametrize(
    ("machine", "header"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_the_numbers_are_the_kernels(machine: str, header: str) -> None:
    if not Path(header).exists():
        pytest.skip("no headers of the kernel here")
    text = Path(header).read_text()
    known = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\b", text)}
    known["newfstatat"] = known.get("newfstatat", known.get("fstatat", -1))
    for table in (calls.ALLOWED, calls.REFUSED, calls.ENDING, calls.JUDGED):
        for name, number in calls.numbers(table, machine).items():
            assert known.get(name, number) == number, name
