"""L1 to L9: torch's format before 1.6, which has neither checksum nor directory."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.files import golden_files, golden_id, in_memory, write
from support.layout import rendered
from support.legacy import KEY, SYSTEM, build_legacy, legacy_tensor
from support.streams import Storage, mapping, stream, tensor, text
from support.zips import TWO_FLOATS

from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.legacy import compose_legacy, read_legacy
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.storages import storage_refs
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.nodes import walk

WHOLE = build_legacy()


def opened(data: bytes, folder: Path) -> Checkpoint:
    with Source(write(folder, data)) as source:
        return open_checkpoint(source)


def body(**entries: bytes) -> bytes:
    return stream(mapping({"state_dict": mapping(entries)}))


def system(**changes: Any) -> bytes:
    return pickle.dumps(SYSTEM | changes, 2)


def storage(more: bytes) -> bytes:
    return body(w=tensor(Storage(KEY, 2, more=more)))


TWO = {"7": (1, b"\0" * 4), KEY: (2, TWO_FLOATS)}
CASES: dict[str, Callable[[], bytes]] = {
    "l1_other_magic": lambda: build_legacy(magic=pickle.dumps(0x1950A86A20F9469CFC6D, 2)),
    "l1_protocol_1000": lambda: build_legacy(protocol=pickle.dumps(1000, 2)),
    "l1_protocol_is_text": lambda: build_legacy(protocol=pickle.dumps("1001", 2)),
    "l1_big_endian": lambda: build_legacy(system=system(little_endian=False)),
    "l1_no_endianness": lambda: build_legacy(system=pickle.dumps({"protocol_version": 1001}, 2)),
    "l1_endianness_is_1": lambda: build_legacy(system=system(little_endian=1)),
    "l1_system_is_a_list": lambda: build_legacy(system=pickle.dumps([1], 2)),
    "l2_length_prefix_too_small": lambda: build_legacy(storages={KEY: (1, TWO_FLOATS)}),
    "l2_length_prefix_in_bytes": lambda: build_legacy(storages={KEY: (8, TWO_FLOATS)}),
    "l2_length_prefix_negative": lambda: build_legacy(storages={KEY: (-2, TWO_FLOATS)}),
    "l2_length_prefix_2_to_56": lambda: build_legacy(storages={KEY: (2 + (1 << 56), TWO_FLOATS)}),
    "l2_key_twice": lambda: build_legacy(keys=pickle.dumps([KEY, KEY], 2)),
    "l2_key_missing": lambda: build_legacy(keys=pickle.dumps([], 2)),
    "l2_key_unknown": lambda: build_legacy(storages=TWO),
    "l2_key_is_a_number": lambda: build_legacy(keys=pickle.dumps([int(KEY)], 2)),
    "l2_a_number_among_the_keys": lambda: build_legacy(keys=pickle.dumps([KEY, 1], 2)),
    "l2_keys_in_a_tuple": lambda: build_legacy(keys=pickle.dumps((KEY,), 2)),
    "l2_keys_are_text": lambda: build_legacy(keys=pickle.dumps(KEY, 2)),
    "l3_half_a_billion_elements": lambda: build_legacy(
        body(w=legacy_tensor(numel=1 << 29)), storages={KEY: (1 << 29, TWO_FLOATS)}
    ),
    "l3_numel_2_to_62": lambda: build_legacy(body(w=legacy_tensor(numel=1 << 62))),
    "l4_byte_after_the_last_storage": lambda: WHOLE + b"\0",
    "l4_second_file": lambda: WHOLE + WHOLE,
    "l5_view_of_another_storage": lambda: build_legacy(
        storage(b"(" + text(KEY) + pickle.dumps(0, 2)[2:-1] + pickle.dumps(1, 2)[2:-1] + b"t")
    ),
    "l6_module_with_source": lambda: build_legacy(
        body(m=b"(" + text("module") + b"cevil\nNet\n" + text("evil.py") + text("") + b"tQ")
    ),
    "l9_key_is_no_number": lambda: build_legacy(
        body(w=legacy_tensor("0x55d0")), storages={"0x55d0": (2, TWO_FLOATS)}
    ),
    "p09_second_object": lambda: build_legacy(stream(b"N") + body(w=legacy_tensor())),
}
TAKEN_BY_TORCH = {
    "l1_endianness_is_1",
    "l1_big_endian",
    "l2_keys_in_a_tuple",
    "l4_byte_after_the_last_storage",
    "l4_second_file",
}


@pytest.mark.parametrize("case", CASES)
def test_refused(case: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        opened(CASES[case](), tmp_path)
    assert caught.value.reason.isprintable()


@pytest.mark.parametrize("case", sorted(TAKEN_BY_TORCH))
def test_torch_takes_it(case: str) -> None:
    torch = pytest.importorskip("torch")
    torch.load(io.BytesIO(CASES[case]()))


def test_the_unchanged_file_is_read(tmp_path: Path) -> None:
    assert opened(WHOLE, tmp_path).schema.names == ("w",)


def laid_out_again(data: bytes) -> bytes:
    with in_memory(data) as fd, Source(Path("old.pth"), fd) as source:
        found = read_legacy(source)
        image = compose_legacy(found, emit(found.parsed.root), storage_refs(walk(found.parsed.root)))
        return rendered(image, data)


@pytest.mark.parametrize("path", golden_files("legacy"), ids=golden_id)
def test_same_bytes_as_a_genuine_file(path: Path) -> None:
    data = path.read_bytes()
    assert laid_out_again(data) == data


def test_same_bytes_as_torch_save() -> None:
    torch = pytest.importorskip("torch")
    values = {str(i): torch.full((i,), 0.5) for i in range(30)} | {"tied": [torch.ones(2)] * 2}
    out = io.BytesIO()
    torch.save({"state_dict": values}, out, _use_new_zipfile_serialization=False)
    assert laid_out_again(out.getvalue()) == out.getvalue()


def test_own_writer_is_torchs(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    out = io.BytesIO()
    torch.save({"w": torch.tensor([1.5, -2.0])}, out, _use_new_zipfile_serialization=False)
    data = out.getvalue()
    with Source(write(tmp_path, data)) as source:
        found = read_legacy(source)
        made = build_legacy(emit(found.parsed.root), storages={found.extents[0].key: (2, TWO_FLOATS)})
    assert made == data
    assert torch.load(write(tmp_path, WHOLE))["state_dict"]["w"].tolist() == [1.5, -2.0]


def test_dropped_storages_leave_no_trace(tmp_path: Path) -> None:
    two = build_legacy(body(a=legacy_tensor("7", 1, (1,)), b=legacy_tensor()), storages=TWO)
    with Source(write(tmp_path, two)) as source:
        found = read_legacy(source)
        refs = storage_refs(walk(found.parsed.root))
        image = compose_legacy(found, body(b=legacy_tensor()), {KEY: refs[KEY]})
    assert rendered(image, two) == build_legacy(body(b=legacy_tensor()))


def test_x1_every_length() -> None:
    with in_memory(WHOLE) as fd:
        for size in reversed(range(len(WHOLE))):
            os.ftruncate(fd, size)
            with pytest.raises(CheckpointError), Source(Path("old.pth"), fd) as source:
                open_checkpoint(source)


def test_l7_x2_a_flipped_bit_is_refused_or_cannot_be_told() -> None:
    """Without a checksum some pass: all in the storage, and those that spell another number."""
    passed = set()
    with in_memory(WHOLE) as fd:
        for offset, byte in enumerate(WHOLE):
            for bit in range(8):
                os.pwrite(fd, bytes((byte ^ 1 << bit,)), offset)
                with Source(Path("old.pth"), fd) as source, suppress(CheckpointError):
                    open_checkpoint(source)
                    passed.add(offset)
            os.pwrite(fd, bytes((byte,)), offset)
    storage_bytes = set(range(len(WHOLE) - len(TWO_FLOATS), len(WHOLE)))
    assert storage_bytes <= passed
    assert len(passed) < len(WHOLE) // 2


def test_a_pickle_longer_than_the_first_read(tmp_path: Path) -> None:
    """The end of a pickle is found although its length is written nowhere."""
    long = stream(
        mapping(
            {"meta": mapping({"cfg": text("#" * (5 << 20))}), "state_dict": mapping({"w": legacy_tensor()})}
        )
    )
    checkpoint = opened(build_legacy(long), tmp_path)
    assert len(checkpoint.config or "") == 5 << 20
    assert checkpoint.extents[KEY].offset + 8 == len(build_legacy(long))
