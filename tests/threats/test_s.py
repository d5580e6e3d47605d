"""S: what hostile safetensors files leave open in the archive room's tests."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from program import convert
from support.files import write
from toys import KEYS, NEW_KEYS

from mm_ckpt_migrate.errors import CheckpointError, ExitCode, LimitError
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint

EMPTY = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'


def file(header: str | bytes | dict[str, Any], data: bytes = b"") -> bytes:
    raw = json.dumps(header) if isinstance(header, dict) else header
    raw = raw.encode() if isinstance(raw, str) else raw
    return len(raw).to_bytes(8, "little") + raw + data


def table(entries: Iterable[str]) -> str:
    return "{" + ",".join(entries) + "}"


def limit(data: bytes, folder: Path) -> str:
    """What is over the limit; to say so takes little time."""
    begun = time.process_time()
    with Source(write(folder, data)) as source, pytest.raises(LimitError) as caught:
        open_checkpoint(source)
    assert time.process_time() - begun < 10
    return caught.value.reason


def test_s7_a_million_empty_tensors(tmp_path: Path) -> None:
    data = file(table(f'"{i}":{EMPTY}' for i in range(1_000_000)))
    assert "more than 200000 tensors" in limit(data, tmp_path)


def test_s7_as_many_as_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mm_ckpt_migrate.files.archive.safetensors.MAX_TENSORS", 5)
    for count in (5, 6):
        entries = [f'"{i}":{EMPTY}' for i in range(count)]
        data = file(table(['"__metadata__":{"a":"b"}', *entries]))
        if count == 5:
            with Source(write(tmp_path, data)) as source:
                assert len(open_checkpoint(source).tensors) == 5
        else:
            assert "more than 5 tensors" in limit(data, tmp_path)


def test_s7_sixty_megabytes_of_metadata(tmp_path: Path) -> None:
    in_one = file('{"__metadata__":{"a":"' + "x" * 60_000_000 + '"}}')
    assert "metadata is longer than 16 MiB" in limit(in_one, tmp_path)
    in_many = table(f'"{i}":"{"x" * 100}"' for i in range(190_000))
    assert "metadata is longer" in limit(file('{"__metadata__":' + in_many + "}"), tmp_path)


@pytest.mark.parametrize("dtype", ["F4", "F6_E2M3", "F6_E3M2", "F8_E8M0", "I4", "f32", "BOOLEAN"])
def test_s8_types_whose_size_is_not_known_are_named(dtype: str, tmp_path: Path) -> None:
    """None was ever in a checkpoint of OpenMMLab: they are refused rather than copied blindly."""
    header = {"a": {"dtype": dtype, "shape": [2], "data_offsets": [0, 1]}}
    with (
        Source(write(tmp_path, file(header, b"\x21"))) as source,
        pytest.raises(CheckpointError, match=f"unknown type '{dtype}'"),
    ):
        open_checkpoint(source)


def toy(data: bytes, dtype: str = "F32", **more: Any) -> bytes:
    size = len(data)
    entries = {
        key: {
            "dtype": dtype,
            "shape": [size // (4 if dtype == "F32" else 1)],
            "data_offsets": [size * i, size * (i + 1)],
        }
        for i, key in enumerate(KEYS)
    }
    return file({**more, **entries}, data * len(KEYS))


def header_of(path: Path) -> dict[str, Any]:
    raw = path.read_bytes()
    found: dict[str, Any] = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    return found


def test_s8_bools_that_are_neither_arrive_bit_for_bit(tmp_path: Path) -> None:
    odd = bytes((0, 1, 2, 255))
    assert convert(write(tmp_path, toy(odd, "BOOL"))).code == ExitCode.OK
    assert (tmp_path / "new.pth").read_bytes().endswith(odd * len(KEYS))


def test_s9_metadata_arrives_as_it_was(tmp_path: Path) -> None:
    metadata = {"format": "pt", "": "empty", "ä\N{SNOWMAN}": "\u0000\n\x1b[2J", "big": "x" * 10_000}
    assert convert(write(tmp_path, toy(bytes(8), __metadata__=metadata))).code == ExitCode.OK
    header = header_of(tmp_path / "new.pth")
    found = header.pop("__metadata__")
    assert set(header) == set(NEW_KEYS)
    assert metadata.items() <= found.items()
    assert set(found) - set(metadata) == {"mm_ckpt_migrate"}
