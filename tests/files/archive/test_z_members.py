"""Z11 to Z24: members that are damaged, missing, too many, or hold what torch never writes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from support.files import write
from support.layout import zip_laid_out_again
from support.zips import SMALL, STATE_DICT, Member, build_zip, members_of, torch_zip

from mm_ckpt_migrate.errors import CheckpointError, LimitError
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.transfer import measure_extents
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint


def opened(data: bytes, folder: Path, *, check_crc: bool = True) -> Checkpoint:
    """Open it, and measure its storages as every conversion does."""
    with Source(write(folder, data)) as source:
        checkpoint = open_checkpoint(source, check_crc=check_crc)
        measure_extents(source, checkpoint.extents.values())
        return checkpoint


def small(**content: bytes) -> bytes:
    """torch's file with other contents of its small members."""
    named = {key.replace("DOT", ".", 1): value for key, value in content.items()}
    return build_zip(members_of(small=SMALL | named))


def damaged(name: str) -> bytes:
    members = members_of()
    member = next(m for m in members if m.name.endswith(name))
    member.stored = bytes((member.data[0] ^ 1,)) + member.data[1:]
    return build_zip(members)


def without(*names: str) -> bytes:
    return build_zip([m for m in members_of() if not m.name.endswith(names)])


def with_version(content: bytes) -> bytes:
    members = members_of()
    members[-1].data = content
    return build_zip(members)


def with_member(name: str, data: bytes = b"x") -> bytes:
    return build_zip([*members_of(), Member(f"archive/{name}", data)])


CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "z11_crc_of_the_pickle": (lambda: damaged("data.pkl"), "data.pkl is damaged"),
    "z11_crc_of_a_small_member": (lambda: damaged("byteorder"), "byteorder is damaged"),
    "z11_crc_of_a_storage": (lambda: damaged("data/0"), "storage 0 is damaged"),
    "z18_big_endian": (lambda: small(byteorder=b"big"), "byteorder holds"),
    "z18_capitals": (lambda: small(byteorder=b"LITTLE"), "byteorder holds"),
    "z18_junk": (lambda: small(byteorder=b"little\n"), "byteorder holds"),
    "z18_empty": (lambda: small(byteorder=b""), "byteorder holds"),
    "z19_zero": (lambda: small(DOTstorage_alignment=b"0"), "alignment"),
    "z19_negative": (lambda: small(DOTstorage_alignment=b"-1"), "alignment"),
    "z19_trillion": (lambda: small(DOTstorage_alignment=b"1000000000000"), "alignment"),
    "z19_words": (lambda: small(DOTstorage_alignment=b"abc"), "alignment"),
    "z19_no_power_of_two": (lambda: small(DOTstorage_alignment=b"48"), "alignment"),
    "z19_too_large": (lambda: small(DOTstorage_alignment=b"99999"), "alignment"),
    "z17_unknown_second_member": (
        lambda: build_zip([members_of()[0], Member("archive/x", b"x"), *members_of()[1:]]),
        "the zip member 'x' is unknown",
    ),
    "z17_the_pickle_alone": (lambda: build_zip(members_of()[:1]), "version"),
    "z19_twice_the_largest": (lambda: small(DOTstorage_alignment=b"131072"), "alignment"),
    "z19_leading_zero": (lambda: small(DOTstorage_alignment=b"064"), "alignment"),
    "z20_other_format_version": (lambda: small(DOTformat_version=b"2"), "format_version"),
    "z21_storage_missing": (lambda: without("data/0"), "storage 0 is missing"),
    "z21_storage_too_many": (lambda: with_member("data/1"), "no tensor uses storage 1"),
    "z21_version_999999": (lambda: with_version(b"999999"), "version holds"),
    "z21_version_of_words": (lambda: with_version(b"three"), "version holds"),
    "z21_no_version": (lambda: without("version"), "version"),
    "z21_unknown_member": (lambda: with_member("extra/readme"), "unknown"),
    "z21_storage_with_leading_zero": (lambda: with_member("data/00"), "unknown"),
    "z21_storage_of_a_sign": (lambda: with_member("data/+1"), "unknown"),
    "z21_storage_below_a_folder": (lambda: with_member("data/0/1"), "unknown"),
    "z24_serialization_id_of_words": (lambda: with_member(".data/serialization_id"), "holds"),
    "p26_torchscript": (lambda: with_member("constants.pkl"), "TorchScript"),
    "p26_torchscript_code": (lambda: with_member("code/__torch__.py"), "TorchScript"),
}


@pytest.mark.parametrize("case", CASES)
def test_refused(case: str, tmp_path: Path) -> None:
    make, reason = CASES[case]
    with pytest.raises(CheckpointError, match=re.escape(reason)):
        opened(make(), tmp_path)


def test_z11_torch_takes_a_damaged_storage() -> None:
    torch = pytest.importorskip("torch")
    value = torch.load(io.BytesIO(damaged("data/0")))["state_dict"]["w"].tolist()
    assert value != [1.5, -2.0]


def crc_free() -> bytes:
    members = members_of()
    for member in members:
        member.central, member.descriptor = {"crc": 0}, {"crc": 0}
    return build_zip(members)


def test_z12_saved_without_crcs_is_refused_by_default(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="without CRCs") as caught:
        opened(crc_free(), tmp_path)
    assert "--no-crc" in caught.value.hint
    assert opened(crc_free(), tmp_path, check_crc=False).schema.names == ("w",)


def test_z12_torchs_own_file_without_crcs(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.serialization import config

    out = io.BytesIO()
    with config.patch("save.compute_crc32", False):
        torch.save({"state_dict": {"w": torch.ones(2)}}, out)
    with pytest.raises(CheckpointError, match="without CRCs"):
        opened(out.getvalue(), tmp_path)
    assert opened(out.getvalue(), tmp_path, check_crc=False).schema.names == ("w",)


def test_z12_no_crc_does_not_hide_a_damaged_structure(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        opened(crc_free()[:-1], tmp_path, check_crc=False)


def test_z15_more_members_than_16_bits_count() -> None:
    torch = pytest.importorskip("torch")
    out = io.BytesIO()
    torch.save([torch.zeros(1) for _ in range(66_000)], out)
    assert zip_laid_out_again(out.getvalue()) == out.getvalue()


@pytest.mark.parametrize("content", [b"3", b"3\n", b"10", b"1"])
def test_z21_versions_that_torch_has_written(content: bytes, tmp_path: Path) -> None:
    assert opened(with_version(content), tmp_path).schema.names == ("w",)


def test_z20_members_of_older_releases(tmp_path: Path) -> None:
    """torch 1.6 wrote no small members but `version`; 2.1 added `byteorder`."""
    for content in ({}, {"byteorder": b"little"}):
        data = build_zip(members_of(small=content))
        assert opened(data, tmp_path).container.before == tuple(content.items())


@pytest.mark.parametrize("digits", [40, 64])
def test_z24_serialization_id_is_kept(digits: int, tmp_path: Path) -> None:
    content = b"7" * digits
    data = with_member(".data/serialization_id", content)
    assert dict(opened(data, tmp_path).container.after)[".data/serialization_id"] == content


def test_z24_a_longer_one_is_beyond_the_limit(tmp_path: Path) -> None:
    with pytest.raises(LimitError, match="larger than 64 bytes"):
        opened(with_member(".data/serialization_id", b"7" * 65), tmp_path)


def test_a_pickle_beyond_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mm_ckpt_migrate.files.pickles.limits.MAX_PICKLE_BYTES", len(STATE_DICT) - 1)
    with pytest.raises(LimitError, match=r"data\.pkl is larger"):
        opened(torch_zip(), tmp_path)


def test_a_directory_beyond_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mm_ckpt_migrate.files.archive.zipread.MAX_DIRECTORY_BYTES", 100)
    with pytest.raises(LimitError, match="directory is larger"):
        opened(torch_zip(), tmp_path)
