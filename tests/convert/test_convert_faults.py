"""Faults while the file is being written: found, and nothing is published."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from golden_cases import CASES, run, sha256
from support.streams import Storage, mapping, stream, tensor
from support.zips import torch_zip

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.errors import CheckpointError, IntegrityError

LAYER = "decode_head.transformer_decoder.layers.0"
KEYS = (
    "decode_head.query_embed.weight",
    "decode_head.pixel_decoder.mask_feature.weight",
    f"{LAYER}.attentions.0.w",
    f"{LAYER}.attentions.1.w",
    f"{LAYER}.ffns.0.w",
)
SIZE = 32 << 20


@pytest.fixture(scope="module")
def content() -> bytes:
    """A checkpoint with one storage, large enough to do something while it is copied."""
    big = tensor(Storage(numel=SIZE // 4))
    pickle = stream(mapping({"state_dict": mapping(dict.fromkeys(KEYS, big))}))
    return torch_zip(pickle, {"0": bytes(SIZE)})


@pytest.fixture
def old(content: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "old.pth"
    path.write_bytes(content)
    return path


def draft_of(folder: Path) -> int:
    """Our own descriptor of the file that has no name yet."""
    for name in os.listdir("/proc/self/fd"):
        link = Path("/proc/self/fd") / name
        target = os.readlink(link) if link.is_symlink() else ""
        if target.startswith(str(folder)) and not target.endswith("old.pth"):
            return int(name)
    raise AssertionError("no draft is open")


def attempt(old: Path, during: Callable[[], object]) -> None:
    convert("auto", "-", old, old.with_name("new.pth"), Options(build=False), progress=lambda size: during())


def test_a_bit_that_flips_on_the_way(old: Path) -> None:
    """The copy is read back and held against the source's checksum before it is published."""

    def flip() -> None:
        os.pwrite(draft_of(old.parent), b"\x01", SIZE * 3 // 4)

    with pytest.raises(IntegrityError, match="storage 0 arrived changed; nothing was published"):
        attempt(old, flip)
    assert [path.name for path in old.parent.iterdir()] == ["old.pth"]


@pytest.mark.parametrize(
    "change",
    [
        os.utime,
        lambda old: os.truncate(old, SIZE // 2),
        lambda old: old.write_bytes(b""),
        lambda old: old.open("ab").write(b"more"),
    ],
    ids=["touched", "cut", "emptied", "grown"],
)
def test_a_source_that_changes_meanwhile(change: Callable[[Path], object], old: Path) -> None:
    with pytest.raises(CheckpointError, match=r"the file changed while it was read|the file ends"):
        attempt(old, lambda: change(old))
    assert not old.with_name("new.pth").exists()


def test_a_source_that_is_replaced_meanwhile_is_still_the_one_that_was_opened(old: Path) -> None:
    def replace() -> None:
        old.unlink()
        old.write_bytes(b"another file")

    attempt(old, replace)
    assert old.with_name("new.pth").stat().st_size > SIZE


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError])
def test_an_interruption_leaves_nothing(error: type[BaseException], old: Path) -> None:
    digest = sha256(old)

    def stop() -> None:
        raise error

    with pytest.raises(BaseException):  # noqa: B017, PT011
        attempt(old, stop)
    assert [path.name for path in old.parent.iterdir()] == ["old.pth"]
    assert sha256(old) == digest


def test_a_destination_that_appears_meanwhile_is_left_alone(old: Path) -> None:
    new = old.with_name("new.pth")
    with pytest.raises(Exception, match="made by somebody else meanwhile"):
        attempt(old, lambda: new.write_text("mine"))
    assert new.read_text() == "mine"


def test_the_old_file_is_never_opened_for_writing(tmp_path: Path) -> None:
    case = CASES["maskformer_swin"]
    old = tmp_path / "old.pth"
    old.write_bytes(case.old.read_bytes())
    old.chmod(0o440)
    before = old.stat()
    convert("auto", "-", old, tmp_path / "new.pth", Options(build=False))
    after = old.stat()
    assert (before.st_mtime_ns, before.st_mode, before.st_ino) == (
        after.st_mtime_ns,
        after.st_mode,
        after.st_ino,
    )
    assert (tmp_path / "new.pth").stat().st_mode & 0o777 == 0o440
    assert run(case, tmp_path / "again.pth", build=False).exit_code == 0
