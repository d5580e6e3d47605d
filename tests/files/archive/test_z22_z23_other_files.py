"""Z22, Z23, L8: what is no checkpoint is refused by its real name, at once and without hanging."""

from __future__ import annotations

import gzip
import io
import os
import socket
import tarfile
import zipfile
from pathlib import Path

import pytest
from support.files import write
from support.streams import stream
from support.zips import torch_zip

from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.legacy import PREAMBLE
from mm_ckpt_migrate.files.archive.sniff import Format, sniff
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"), io.BytesIO())
    return out.getvalue()


def other_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("weights.npy", b"\x93NUMPY")
    return out.getvalue()


FILES: dict[str, tuple[bytes, str]] = {
    "z22_empty": (b"", "empty"),
    "z22_one_byte": (b"P", "not a checkpoint"),
    "z22_only_an_end_record": (torch_zip()[-22:], "empty zip archive"),
    "z22_only_the_tail": (torch_zip()[-98:], "not a checkpoint"),
    "z22_only_a_zip_magic": (b"PK\3\4", "cut short"),
    "z22_zeros": (b"\0" * 5000, "zeros"),
    "z23_html": (b"<!DOCTYPE html><html><body>403 Forbidden</body></html>", "an HTML"),
    "z23_html_behind_spaces": (b"\xef\xbb\xbf \r\n\t<html>", "an HTML"),
    "z23_xml": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an HTML"),
    "z23_git_lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
    "z23_gzip": (gzip.compress(torch_zip()), "gzip"),
    "z23_bzip2": (b"BZh91AY&SY", "bzip2"),
    "z23_xz": (b"\xfd7zXZ\0", "xz archive"),
    "z23_7z": (b"7z\xbc\xaf\x27\x1c\0\4", "7z archive"),
    "z23_onnx": (b"\x08\x03\x12\x07pytorch\x1a\x051.3.0", "ONNX"),
    "z23_hdf5": (b"\x89HDF\r\n\x1a\n", "HDF5"),
    "z23_numpy": (b"\x93NUMPY\x01\x00", "NumPy"),
    "z23_numpy_zip": (other_zip(), "zip"),
    "z23_bare_pickle": (stream(b"N"), "bare pickle"),
    "z23_text": (b'{"error": "not found"}', "not a checkpoint"),
    "l8_tar": (tar(), "tar archive"),
}


def reason(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught, Source(path) as source:
        open_checkpoint(source)
    return caught.value.reason


@pytest.mark.parametrize("case", FILES)
def test_refused_by_name(case: str, tmp_path: Path) -> None:
    data, name = FILES[case]
    assert name in reason(write(tmp_path, data))


def test_l8_torchs_own_tar_is_refused(tmp_path: Path) -> None:
    assert "tar" in reason(write(tmp_path, tar() * 3))


@pytest.mark.timeout(20)
def test_z22_fifo_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert "not a regular file" in reason(tmp_path / "fifo")


def test_z22_directory_device_socket_proc(tmp_path: Path) -> None:
    assert "not a regular file" in reason(tmp_path)
    for device in ("/dev/null", "/dev/zero"):
        assert "not a regular file" in reason(Path(device))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        assert "cannot be opened" in reason(tmp_path / "socket")
    assert "empty" in reason(Path("/proc/self/maps"))


def test_missing_file_and_broken_link(tmp_path: Path) -> None:
    assert "no such file" in reason(tmp_path / "none")
    (tmp_path / "link").symlink_to(tmp_path / "none")
    assert "no such file" in reason(tmp_path / "link")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "cannot be opened" in reason(tmp_path / "loop")
    assert "cannot be opened" in reason(tmp_path / ("n" * 300))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".txt", ""])
def test_z23_the_content_decides_and_not_the_name(suffix: str, tmp_path: Path) -> None:
    zipped = write(tmp_path, torch_zip(), f"zip{suffix}")
    tensors = write(tmp_path, b"\2\0\0\0\0\0\0\0{}", f"tensors{suffix}")
    for path, kind in ((zipped, Format.ZIP), (tensors, Format.SAFETENSORS)):
        with Source(path) as source:
            assert sniff(source) is kind


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (PREAMBLE[:15], Format.LEGACY),
        (PREAMBLE[:14] + b"x", None),
        (((1 << 40) - 1).to_bytes(8, "little") + b"{", Format.SAFETENSORS),
        ((1 << 40).to_bytes(8, "little") + b"{", None),
    ],
)
def test_z23_how_much_of_a_head_decides(head: bytes, kind: Format | None, tmp_path: Path) -> None:
    with Source(write(tmp_path, head)) as source:
        if kind is not None:
            assert sniff(source) is kind
        else:
            with pytest.raises(CheckpointError):
                sniff(source)
