"""Z: what odd zip files leave open in the archive room's tests, through a whole conversion."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from program import convert
from support.files import write
from support.zips import SMALL, Member, build_zip, members_of, torch_zip
from toys import KEYS, NEW_KEYS, toy, toy_stream

from mm_ckpt_migrate.errors import ExitCode

STORAGE = 4


def members() -> list[Member]:
    return members_of(toy_stream())


def refused(folder: Path, data: bytes) -> str:
    done = convert(write(folder, data))
    assert done.code == ExitCode.BAD_CHECKPOINT
    assert [path.name for path in folder.iterdir()] == ["old.pth"]
    return done.err


@pytest.mark.parametrize("method", [1, 8, 9, 12, 14, 20, 93, 95, 98, 99])
def test_z8_z10_no_method_but_stored(method: int, tmp_path: Path) -> None:
    changed = members()
    changed[STORAGE].local = {"method": method}
    changed[STORAGE].central = {"method": method}
    error = refused(tmp_path, build_zip(changed))
    assert "archive/data/0: its zip entry is not as torch.save writes it" in error
    assert "write it again with torch.save" in error


@pytest.mark.parametrize("bit", range(16))
def test_z10_no_other_flag(bit: int, tmp_path: Path) -> None:
    changed = members()
    flags = {"flags": 0x0808 ^ 1 << bit}
    changed[STORAGE].local, changed[STORAGE].central = flags, flags
    assert "archive/data/0" in refused(tmp_path, build_zip(changed))


def damaged(*, with_crc: bool = True) -> bytes:
    changed = members()
    changed[STORAGE].stored = b"\xff" + changed[STORAGE].data[1:]
    for member in changed if not with_crc else ():
        member.central, member.descriptor = {"crc": 0}, {"crc": 0}
    return build_zip(changed)


def test_z11_a_damaged_storage_of_a_file_that_is_migrated(tmp_path: Path) -> None:
    assert "storage 0 is damaged" in refused(tmp_path, damaged())


def test_z12_without_crcs_damage_passes_and_only_on_request(tmp_path: Path) -> None:
    assert "--no-crc" in refused(tmp_path, damaged(with_crc=False))
    done = convert(tmp_path / "old.pth", "--no-crc")
    assert done.code == ExitCode.OK
    assert "(--no-crc): damage to it cannot be told" in done.out
    with zipfile.ZipFile(tmp_path / "new.pth") as archive:
        assert archive.testzip() is None
        assert all(info.CRC for info in archive.infolist() if info.file_size)


@pytest.mark.parametrize("order", [b"big", b"LITTLE", b"Little", b"little ", b"native", b"\0", b""])
def test_z18_any_other_byte_order(order: bytes, tmp_path: Path) -> None:
    data = build_zip(members_of(toy_stream(), small=SMALL | {"byteorder": order}))
    assert "byteorder holds" in refused(tmp_path, data)


def test_z18_torch_swaps_the_bytes_of_what_says_big() -> None:
    torch = pytest.importorskip("torch")
    data = build_zip(members_of(toy_stream(), small=SMALL | {"byteorder": b"big"}))
    assert torch.load(io.BytesIO(data))["state_dict"][KEYS[0]].tolist() != [1.5, -2.0]


@pytest.mark.parametrize(
    "alignment", [b"0", b"-1", b"1e12", b"1000000000000", b"abc", b"", b"63", b"131072", b" 64"]
)
def test_z19_any_other_alignment(alignment: bytes, tmp_path: Path) -> None:
    data = build_zip(members_of(toy_stream(), small=SMALL | {".storage_alignment": alignment}))
    assert "alignment" in refused(tmp_path, data)


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [name.partition("/")[2] for name in archive.namelist()]


# As torch 1.6, 2.1 and 2.13 write them.
SHELLS: list[dict[str, bytes]] = [{}, {"byteorder": b"little"}, SMALL]
MODES: list[dict[str, Any]] = [{}, {"weights_only": False}, {"mmap": True}, {"map_location": "meta"}]


@pytest.mark.parametrize("shell", SHELLS)
def test_z20_nothing_is_added_to_an_older_file(shell: dict[str, bytes], tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    old = write(tmp_path, build_zip(members_of(toy_stream(), small=shell)))
    assert convert(old).code == ExitCode.OK
    assert names(tmp_path / "new.pth") == ["data.pkl", *shell, "data/0", "version"]
    for mode in MODES:
        state = torch.load(tmp_path / "new.pth", **mode)["state_dict"]
        assert tuple(state) == NEW_KEYS
        if mode.get("map_location") != "meta":
            assert all(value.tolist() == [1.5, -2.0] for value in state.values())


def test_z20_the_storages_stand_in_the_order_of_the_new_pickle(tmp_path: Path) -> None:
    """torch computes their offsets from that order; the other way gives other weights."""
    torch = pytest.importorskip("torch")
    from torch.utils.serialization import config

    state = {key: torch.full((i + 1,), float(i)) for i, key in enumerate(KEYS)}
    shuffled = {key: state[key] for key in reversed(KEYS)}
    torch.save({"state_dict": shuffled}, tmp_path / "old.pth")
    assert convert(tmp_path / "old.pth").code == ExitCode.OK
    with config.patch("load.calculate_storage_offsets", True):
        found = torch.load(tmp_path / "new.pth", mmap=True)["state_dict"]
    renamed = dict(zip(KEYS, NEW_KEYS, strict=True))
    assert all(torch.equal(found[renamed[key]], value) for key, value in state.items())


def test_z21_what_is_too_much_is_refused_though_torch_takes_it(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    data = torch_zip(toy_stream(), {"0": b"\0" * 8, "1": b"more"})
    assert "no tensor uses storage 1" in refused(tmp_path, data)
    assert torch.load(tmp_path / "old.pth")


def test_z23_a_pth_that_is_safetensors_is_read_as_what_it_is(tmp_path: Path) -> None:
    table = {
        key: {"dtype": "F32", "shape": [2], "data_offsets": [8 * i, 8 * i + 8]} for i, key in enumerate(KEYS)
    }
    raw = json.dumps(table).encode()
    old = write(tmp_path, len(raw).to_bytes(8, "little") + raw + bytes(8 * len(KEYS)))
    assert convert(old).code == ExitCode.OK
    new = (tmp_path / "new.pth").read_bytes()
    header = json.loads(new[8 : 8 + int.from_bytes(new[:8], "little")])
    assert set(header) == {*NEW_KEYS, "__metadata__"}


def test_z24_the_serialization_id_stays_as_it_was(tmp_path: Path) -> None:
    extra = Member("archive/.data/serialization_id", b"0123456789" * 4)
    assert convert(write(tmp_path, build_zip([*members(), extra]))).code == ExitCode.OK
    with zipfile.ZipFile(tmp_path / "new.pth") as archive:
        assert archive.read("archive/.data/serialization_id") == extra.data


def test_the_toy_is_migrated(tmp_path: Path) -> None:
    assert convert(write(tmp_path, toy())).code == ExitCode.OK
