"""X6, X7, K10, I3: the source is read through one descriptor, whole, and watched for changes."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest
from support.files import write

from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive import source as source_module
from mm_ckpt_migrate.files.archive.source import CHUNK, Source, read_blocks


def test_digest_is_sha_256(tmp_path: Path) -> None:
    data = os.urandom(2 * CHUNK + 17)
    with Source(write(tmp_path, data)) as source:
        assert source.digest() == hashlib.sha256(data).hexdigest()
        assert source.digest() == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size", [1, CHUNK, 3 * CHUNK + 5])
def test_blocks_take_little_memory(size: int, tmp_path: Path) -> None:
    data = os.urandom(size)
    buffers = set()
    with Source(write(tmp_path, data)) as source:
        for block in read_blocks(source.fd, 0, size, source.path):
            assert data.startswith(block)
            data = data[len(block) :]
            buffers.add((id(block.obj), len(block.obj)))
    assert not data
    ((_, taken),) = buffers
    assert taken == min(size, CHUNK)


def test_nobody_goes_on_to_compute_a_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "_WORTH_A_PROCESS", 0)
    with Source(write(tmp_path, bytes(1 << 20))) as source:
        source.start_digest()
        hashing = source._hashing
        assert hashing is not None
    assert hashing._process.returncode is not None


def test_x6_written_to_since_it_was_opened(tmp_path: Path) -> None:
    path = write(tmp_path, b"a" * 100)
    os.utime(path, ns=(1, 1))
    with Source(path) as source:
        path.write_bytes(b"b" * 100)
        with pytest.raises(CheckpointError, match="changed while it was read"):
            source.digest()


@pytest.mark.parametrize("size", [10, 200])
def test_x6_cut_or_extended(size: int, tmp_path: Path) -> None:
    path = write(tmp_path, b"a" * 100)
    with Source(path) as source:
        source.check_unchanged()
        os.truncate(path, size)
        with pytest.raises(CheckpointError):
            source.digest()


def test_x7_cut_while_it_is_read_is_an_error_and_no_crash(tmp_path: Path) -> None:
    path = write(tmp_path, b"a" * (1 << 20))
    with Source(path) as source:
        os.truncate(path, 5)
        with pytest.raises(CheckpointError, match="ends at byte 5"):
            source.read(0, 1 << 20)


def test_k10_replaced_or_deleted_meanwhile(tmp_path: Path) -> None:
    path = write(tmp_path, b"first")
    with Source(path) as source:
        write(tmp_path, b"other", "new").replace(path)
        assert source.read(0, 5) == b"first"
        path.unlink()
        assert source.read(0, 5) == b"first"
        assert source.digest() == hashlib.sha256(b"first").hexdigest()


def test_i3_short_reads_are_looped_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.urandom(3000)
    pread, preadv = os.pread, os.preadv
    monkeypatch.setattr(os, "pread", lambda fd, size, at: pread(fd, min(size, 7), at))
    monkeypatch.setattr(os, "preadv", lambda fd, bufs, at: preadv(fd, [bufs[0][:7]], at))
    with Source(write(tmp_path, data)) as source:
        assert source.read(1, 2999) == data[1:]
        assert source.digest() == hashlib.sha256(data).hexdigest()


def test_i2_a_failing_disk_is_an_error_of_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    with Source(write(tmp_path, b"data")) as source:
        monkeypatch.setattr(os, "pread", fail)
        monkeypatch.setattr(os, "preadv", fail)
        with pytest.raises(CheckpointError, match="failed to read"):
            source.read(0, 4)
        with pytest.raises(CheckpointError, match="failed to read"):
            source.digest()


def test_i2_a_disk_that_cannot_tell_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path = write(tmp_path, b"data")
    with Source(path) as source:
        before = os.listdir("/proc/self/fd")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fstat", fail)
            with pytest.raises(CheckpointError) as later:
                source.check_unchanged()
            with pytest.raises(CheckpointError) as at_once:
                Source(path)
        assert len(os.listdir("/proc/self/fd")) == len(before)
    for caught in (later, at_once):
        assert "the disk failed: Input/output error" in caught.value.message


def test_every_descriptor_is_given_back(tmp_path: Path) -> None:
    path = write(tmp_path, b"data")
    before = os.listdir("/proc/self/fd")
    for _ in range(20):
        with Source(path) as source:
            source.start_digest()
    with pytest.raises(CheckpointError):
        Source(tmp_path)
    assert os.listdir("/proc/self/fd") == before


def test_the_source_is_opened_for_reading_only(tmp_path: Path) -> None:
    with Source(write(tmp_path, b"data")) as source, pytest.raises(OSError, match="Bad file"):
        os.write(source.fd, b"x")
