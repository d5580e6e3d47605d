"""L7: what a format without a checksum leaves open is said, and what the file's name says of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from support.files import write
from support.legacy import build_legacy
from support.zips import torch_zip

from mm_ckpt_migrate.archive.digest import named_digest
from mm_ckpt_migrate.archive.source import Source
from mm_ckpt_migrate.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.checkpoint.remarks import assurance

LEGACY = build_legacy()
SHA = hashlib.sha256(LEGACY).hexdigest()


def said(folder: Path, data: bytes, name: str) -> tuple[str, ...]:
    with Source(write(folder, data, name)) as source:
        return assurance(open_checkpoint(source), source.digest())


def test_l7_nothing_can_be_known(tmp_path: Path) -> None:
    (remark,) = said(tmp_path, LEGACY, "old.pth")
    assert remark.startswith("a legacy file holds no checksum")
    assert "SHA-256" in remark


def test_l7_the_name_answers_it(tmp_path: Path) -> None:
    assert said(tmp_path, LEGACY, f"a-{SHA[:8]}.pth") == ()


@pytest.mark.parametrize("data", [LEGACY, torch_zip()], ids=["legacy", "zip"])
def test_the_name_contradicts_the_file(data: bytes, tmp_path: Path) -> None:
    (remark,) = said(tmp_path, data, "a-01234567.pth")
    assert remark.startswith("its SHA-256 is not 01234567…, as its name says")


def test_a_zip_file_needs_no_remark(tmp_path: Path) -> None:
    assert said(tmp_path, torch_zip(), "old.pth") == ()


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
