"""What is larger than any genuine file is refused before it takes memory, and told from damage."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.files import write
from support.legacy import build_legacy
from support.streams import mapping, stream, text
from support.zips import torch_zip

from mm_ckpt_migrate.errors import CheckpointError, LimitError
from mm_ckpt_migrate.files.archive import safetensors, zipread
from mm_ckpt_migrate.files.archive.legacy import read_legacy
from mm_ckpt_migrate.files.archive.safetensors import read_safetensors, unsupported
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.torchzip import read_zip
from mm_ckpt_migrate.files.archive.zipformat import end_records
from mm_ckpt_migrate.files.pickles import hashed, limits
from mm_ckpt_migrate.files.pickles.errors import PickleLimitError
from mm_ckpt_migrate.schema import TensorSpec


def test_a_zip_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = torch_zip()
    size = data.index(b"PK\6\6") - data.index(b"PK\1\2")
    with Source(write(tmp_path, data)) as source:
        monkeypatch.setattr(zipread, "MAX_DIRECTORY_BYTES", size)
        assert read_zip(source).extents
        monkeypatch.setattr(zipread, "MAX_DIRECTORY_BYTES", size - 1)
        with pytest.raises(LimitError, match="zip directory is larger"):
            read_zip(source)


def header(metadata: dict[str, str]) -> bytes:
    raw = json.dumps({"__metadata__": metadata}).encode()
    return len(raw).to_bytes(8, "little") + raw


def test_metadata_of_safetensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetensors, "MAX_METADATA", 1 << 20)
    half = "x" * (1 << 19)
    with Source(write(tmp_path, header({"a": half[1:], "b": half[1:]}))) as source:
        assert read_safetensors(source).metadata == {"a": half[1:], "b": half[1:]}
    with (
        Source(write(tmp_path, header({"a": half[1:], "b": half}))) as source,
        pytest.raises(LimitError, match="metadata is longer than 1 MiB"),
    ):
        read_safetensors(source)


def test_tables_of_a_safetensors_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However they are nested, it ends before they are all made."""
    monkeypatch.setattr(safetensors, "MAX_TENSORS", 3)
    raw = json.dumps({"a": [{}] * 6}).encode()
    with (
        Source(write(tmp_path, len(raw).to_bytes(8, "little") + raw)) as source,
        pytest.raises(LimitError, match="more than 3 tensors"),
    ):
        read_safetensors(source)


def test_entries_of_safetensors_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetensors, "MAX_TENSORS", 3)
    with Source(write(tmp_path, header(dict.fromkeys("abcd", "")))) as source:
        assert len(read_safetensors(source).metadata) == 4
    with (
        Source(write(tmp_path, header(dict.fromkeys("abcde", "")))) as source,
        pytest.raises(LimitError, match="more than 3 tensors"),
    ):
        read_safetensors(source)


def test_a_safetensors_header_that_is_no_object(tmp_path: Path) -> None:
    with (
        Source(write(tmp_path, (2).to_bytes(8, "little") + b"[]")) as source,
        pytest.raises(CheckpointError, match="not a JSON object"),
    ):
        read_safetensors(source)


def test_a_zip_directory_with_more_than_its_entries(tmp_path: Path) -> None:
    data = torch_zip()
    start = data.index(b"PK\1\2")
    size = data.index(b"PK\6\6") - start
    count = data.count(b"PK\1\2")
    assert data.endswith(end_records(count, size, start))
    fewer = data.removesuffix(end_records(count, size, start))
    fewer += end_records(count - 1, size, start)
    with Source(write(tmp_path, fewer)) as source, pytest.raises(CheckpointError, match="belong to no entry"):
        read_zip(source)


@pytest.mark.parametrize("left", [4, 45])
def test_a_zip_directory_that_ends_within_an_entry(left: int, tmp_path: Path) -> None:
    data = torch_zip()
    start, end, last = data.index(b"PK\1\2"), data.index(b"PK\6\6"), data.rindex(b"PK\1\2")
    size = last + left - start
    assert last + left < end
    with (
        Source(
            write(tmp_path, data[: start + size] + end_records(data.count(b"PK\1\2"), size, start))
        ) as source,
        pytest.raises(CheckpointError, match="directory is damaged"),
    ):
        read_zip(source)


def test_a_type_that_safetensors_has_no_code_for() -> None:
    assert unsupported(TensorSpec("a", (), "complex128"))
    assert not unsupported(TensorSpec("a", (), "bfloat16"))


class Watched(Source):
    largest = 0

    def read(self, offset: int, size: int) -> bytes:
        self.largest = max(self.largest, size)
        return super().read(offset, size)


def test_a_pickle_of_the_legacy_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its length is written nowhere: no more is read than a pickle may have."""
    limit = 2 << 20
    monkeypatch.setattr(limits, "MAX_PICKLE_BYTES", limit)
    monkeypatch.setattr(limits, "MAX_PICKLE_BYTES", limit)
    data = build_legacy(stream(mapping({"cfg": text("#" * (9 << 20))})), storages={})
    with Watched(write(tmp_path, data)) as source:
        with pytest.raises(PickleLimitError, match="larger than 2 MiB"):
            read_legacy(source)
        assert source.largest == limit + 1


def test_the_limits_are_those_that_are_promised() -> None:
    told = [
        int(line.split("|")[2].replace(",", ""))
        for line in (Path(__file__).parents[3] / "SECURITY.md").read_text().splitlines()
        if re.search(r"[0-9] \|$", line)
    ]
    assert told == [
        limits.MAX_PICKLE_BYTES,
        limits.MAX_STRING_BYTES,
        limits.MAX_NAME_BYTES,
        limits.MAX_OPCODES,
        limits.FREE_OPCODES,
        limits.FREE_OBJECTS,
        limits.FREE_MEETINGS,
        hashed.MAX_OTHER_KEYS,
        limits.MAX_DEPTH,
        zipread.MAX_DIRECTORY_BYTES,
        safetensors.MAX_HEADER_BYTES,
        safetensors.MAX_METADATA,
        safetensors.MAX_TENSORS,
    ]
