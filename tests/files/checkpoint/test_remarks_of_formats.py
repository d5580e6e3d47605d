"""L7: what a format without a checksum leaves open is said, and what the file's name says of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from support.files import write
from support.legacy import build_legacy
from support.zips import torch_zip

from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.digest import named_digest
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.files.checkpoint.remarks import assurance, check_digest

LEGACY = build_legacy()
SHA = hashlib.sha256(LEGACY).hexdigest()


def said(folder: Path, data: bytes, name: str, expected: str | None = None) -> tuple[str, ...]:
    with Source(write(folder, data, name)) as source:
        checkpoint = open_checkpoint(source)
        check_digest(checkpoint, expected)
        return assurance(checkpoint, expected)


def test_l7_nothing_can_be_known(tmp_path: Path) -> None:
    (remark,) = said(tmp_path, LEGACY, "old.pth")
    assert remark.startswith("a legacy file holds no checksum")
    assert "--expect-sha256" in remark


@pytest.mark.parametrize(
    ("name", "expected"),
    [(f"a-{SHA[:8]}.pth", None), ("old.pth", SHA), ("old.pth", SHA[:8].upper()), ("a-01234567.pth", SHA[:8])],
)
def test_l7_a_digest_answers_it(name: str, expected: str | None, tmp_path: Path) -> None:
    assert said(tmp_path, LEGACY, name, expected) == ()


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (LEGACY, "a-01234567.pth", None),
        (LEGACY, f"a-{SHA[:8]}.pth", "01234567"),
        (torch_zip(), "old.pth", "01234567"),
        (LEGACY, "old.pth", SHA[1:]),
    ],
)
def test_l7_another_digest_is_refused(data: bytes, name: str, expected: str | None, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="its SHA-256"):
        said(tmp_path, data, name, expected)


def test_a_zip_file_needs_no_remark(tmp_path: Path) -> None:
    assert said(tmp_path, torch_zip(), "old.pth") == ()
    assert said(tmp_path, torch_zip(), "a-01234567.pth") == ()  # it has checksums of its own


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("m_1xb2_20261123_042637-f833cdc7.pth", "f833cdc7"),
        ("m_f833cdc7.pt", "f833cdc7"),
        ("m-f833cdc7.safetensors", "f833cdc7"),
        ("m_20201130.pth", None),
        ("m_f833cdc7.pth.old", None),
        ("m-f833cdc.pth", None),
        ("epoch_12.pth", None),
    ],
)
def test_names(name: str, digest: str | None) -> None:
    assert named_digest(name) == digest
