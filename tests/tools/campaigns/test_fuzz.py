"""Each parser over the seeds, over what fuzzing found, and over a slice of random damage."""

from __future__ import annotations

import random
import time
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import ANY
from zipfile import BadZipFile

import pytest
from fuzz import blindly
from fuzz_reference import Names, made_of, same
from fuzz_seeds import CHECKPOINT, damaged, seeds, with_right_sums
from fuzz_targets import TARGETS, DisagreementError
from support.opened import opened
from support.zips import torch_zip

from mm_ckpt_migrate.configs.static import operators
from mm_ckpt_migrate.files.archive import torchzip
from mm_ckpt_migrate.files.pickles.parse import parse_whole

SECONDS, MEMORY = 2.0, 64 << 20
CORPUS = Path(__file__).with_name("corpus")
CASES = [(name, number) for name in TARGETS for number in range(len(seeds(name)))]


@pytest.mark.parametrize(("name", "number"), CASES)
def test_seed(name: str, number: int) -> None:
    data = seeds(name)[number]
    TARGETS[name](data)
    start = time.process_time()
    tracemalloc.start()
    try:
        TARGETS[name](data)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
    assert time.process_time() - start < SECONDS


def test_what_was_found_is_tried() -> None:
    assert {path.parent.name for path in CORPUS.rglob("*") if path.is_file()} <= set(TARGETS)
    for folder in CORPUS.iterdir():
        kept = {path.read_bytes() for path in folder.iterdir()}
        assert kept
        assert kept <= set(seeds(folder.name))


@pytest.mark.parametrize("name", TARGETS)
def test_random_damage(name: str) -> None:
    tally = blindly(name, 250, seed=7)
    assert tally.counts[f"{name}: executions"] == 250
    assert tally.wrong == []


@pytest.mark.thorough
@pytest.mark.parametrize("name", TARGETS)
def test_more_random_damage(name: str) -> None:
    assert blindly(name, 10_000, seed=8).wrong == []


def test_damage_is_the_same_for_the_same_seed() -> None:
    def some() -> list[bytes]:
        source = random.Random(3)
        return [damaged(CHECKPOINT, source, seeds("pickle")) for _ in range(50)]

    assert some() == some()
    assert len(set(some())) > 40


def test_sums_are_made_right() -> None:
    """So that most of the damage to a zip file gets past its checksums."""
    whole = torch_zip()
    spoilt = whole.replace(b"state_dict", b"State_dict")
    assert with_right_sums(whole) == whole
    assert with_right_sums(spoilt) not in (whole, spoilt)
    assert opened(with_right_sums(spoilt)).schema.names == ("w",)


def test_a_zip_reader_without_checks_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """zipfile sees that a checksum is wrong, and that the pickle is another one."""
    monkeypatch.setattr(torchzip, "zlib", SimpleNamespace(crc32=lambda data: ANY))
    spoilt = torch_zip().replace(b"state_dict", b"State_dict")
    with pytest.raises(BadZipFile):
        TARGETS["zip"](spoilt)


def test_a_pickle_reader_that_misreads_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from mm_ckpt_migrate.files.pickles import parse
    from mm_ckpt_migrate.files.pickles.nodes import Scalar

    def wrong(machine: Any, at: int) -> int:
        signed = int.from_bytes(machine.data[at : at + 1], "little", signed=True)
        machine.stack.append(Scalar(signed, machine.data[at - 1 : at + 1]))
        return at + 1

    table = list(parse._TABLE)
    table[ord("K")] = wrong
    monkeypatch.setattr(parse, "_TABLE", table)
    TARGETS["pickle"](b"\x80\x02K\x7f.")
    with pytest.raises(DisagreementError):
        TARGETS["pickle"](b"\x80\x02K\x80.")


def test_a_config_reader_that_miscounts_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    TARGETS["config"](b"a = 7 // 2")
    monkeypatch.setitem(operators._ARITHMETIC, "//", lambda a, b: a / b)
    with pytest.raises(DisagreementError):
        TARGETS["config"](b"a = 7 // 2")
    assert blindly("config", 300, seed=1).wrong


def test_an_error_of_another_kind_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*args: Any) -> None:
        raise IndexError

    monkeypatch.setattr(torchzip, "_names", crash)
    (wrong, *_) = blindly("zip", 10, seed=1).wrong
    assert "IndexError" in wrong


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (b"K\x01", b"\x88"),
        (b"G\x80\0\0\0\0\0\0\0", b"G\0\0\0\0\0\0\0\0"),
        (b"]q\0(h\0e", b"]q\0(]q\1e"),
        (b"(]q\0h\0t", b"(]q\0]q\1t"),
        (b"cos\nsystem\n)R", b"cos\nsystem\nK\1\x85R"),
        (b"ca\nb\n", b"ca\nc\n"),
        (b"}X\1\0\0\0aK\1s", b"}X\1\0\0\0bK\1s"),
    ],
)
def test_objects_that_differ(first: bytes, second: bytes) -> None:
    names = Names()
    roots = [made_of(parse_whole(b"\x80\x02" + body + b"."), names) for body in (first, second)]
    assert same(roots[0], made_of(parse_whole(b"\x80\x02" + first + b"."), names))
    assert not same(*roots)


def test_guided_by_coverage() -> None:
    pytest.importorskip("atheris")
    from fuzz import guided

    tally = guided("pickle", 3, 1, None)
    assert tally.wrong == []
    assert tally.counts["pickle: executions"] > 100
