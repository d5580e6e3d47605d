"""M: files that load and are wrong: what the integrity rung sees, and what decides on a plan."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import pytest
from program import convert
from support.files import write
from support.streams import Storage, mapping, plain, stream, tensor
from support.zips import torch_zip
from test_p import loaded, torch_toy
from toys import KEYS, NEW_KEYS, toy

from mm_ckpt_migrate.convert.checks.integrity import check_integrity
from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.mapping.plan import Move, Plan
from mm_ckpt_migrate.verdicts import Status, Verdict

KEEP = Plan(
    family="f",
    released_from="1",
    released_to="2",
    rules_digest="",
    rules=(),
    moves=(Move("a", "a"), Move("b", "b")),
    modules=(),
)


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def two(first: bytes, second: bytes, **how: Any) -> bytes:
    """A file of two 2 x 2 tensors."""
    view = {"shape": (2, 2), "stride": (2, 1)} | how
    entries = {"a": tensor(Storage("0", 4), **view), "b": tensor(Storage("1", 4), **view)}
    return torch_zip(stream(mapping({"state_dict": mapping(entries)})), {"0": first, "1": second})


def integrity(before: bytes, after: bytes, folder: Path) -> Verdict:
    old, new = write(folder, before, "old.pth"), write(folder, after, "new.pth")
    with Source(old) as source, Source(new) as output:
        return check_integrity(open_checkpoint(source), open_checkpoint(output), KEEP)


FIRST, SECOND = floats(1, 2, 3, 4), floats(5, 6, 7, 8)
NAN = b"\x01\0\xc0\x7f"
WRONG = {
    "m4_exchanged": (two(SECOND, FIRST), ("changed: a", "changed: b")),
    "m4_one_twice": (two(FIRST, FIRST), ("changed: b",)),
    "m5_transposed_by_strides": (two(FIRST, SECOND, stride=(1, 2)), ("changed: a", "changed: b")),
    "m5_transposed_in_the_bytes": (two(floats(1, 3, 2, 4), SECOND), ("changed: a",)),
    "m6_rows_reversed": (two(floats(3, 4, 1, 2), SECOND), ("changed: a",)),
    "m11_another_shape_of_the_same_bytes": (
        two(FIRST, SECOND, shape=(4,), stride=(1,)),
        ("changed: a", "changed: b"),
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_m4_m5_m6_m11_what_loads_strictly_and_is_wrong(case: str, tmp_path: Path) -> None:
    verdict = integrity(two(FIRST, SECOND), WRONG[case][0], tmp_path)
    assert verdict.status is Status.FAIL
    assert verdict.details == WRONG[case][1]


BITS = {
    "zero_of_the_other_sign": (floats(0.0), floats(-0.0)),
    "nan_of_another_payload": (floats(math.nan), NAN),
    "infinity_of_the_other_sign": (floats(math.inf), floats(-math.inf)),
    "a_denormal_that_was_flushed": (floats(1e-45), floats(0.0)),
    "one_unit_in_the_last_place": (floats(1.0), struct.pack("<I", 0x3F800001)),
}


@pytest.mark.parametrize("case", BITS)
def test_m16_copies_are_compared_bit_by_bit(case: str, tmp_path: Path) -> None:
    before, after = (two(bits + bytes(12), SECOND) for bits in BITS[case])
    assert integrity(before, before, tmp_path).status is Status.PASS
    assert integrity(before, after, tmp_path).details == ("changed: a",)


def test_m19_what_is_not_finite_arrives_as_it_was(tmp_path: Path) -> None:
    """It was there before: the migration neither mends nor hides it."""
    torch = pytest.importorskip("torch")
    odd = {
        "backbone.bn1.running_var": torch.tensor([-1.0, 1.0, -0.0]),
        "backbone.bn1.weight": torch.tensor([math.nan, math.inf, -math.inf, 1e-45]),
    }
    assert convert(torch_toy(tmp_path, odd)).code == ExitCode.OK
    found = loaded(tmp_path / "new.pth")["state_dict"]
    for key, value in odd.items():
        assert torch.equal(found[key].view(torch.int32), value.view(torch.int32))


def test_m11_a_slice_is_not_made_a_tensor_of_its_own(tmp_path: Path) -> None:
    """And a whole storage stays as large as it was, though little of it is used."""
    torch = pytest.importorskip("torch")
    whole = torch.arange(300_000, dtype=torch.float32)
    old = torch_toy(tmp_path, {"backbone.a": whole[10:20], "backbone.b": whole[::7], "backbone.c": whole})
    before = old.stat().st_size
    assert convert(old).code == ExitCode.OK
    assert abs((tmp_path / "new.pth").stat().st_size - before) < 4096
    found = loaded(tmp_path / "new.pth")["state_dict"]
    assert found["backbone.b"].stride() == (7,)
    assert len({value.untyped_storage().data_ptr() for value in found.values()}) == 6


def test_m13_again_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert convert(write(tmp_path, toy())).code == ExitCode.OK
    (tmp_path / "new.pth").rename(tmp_path / "old.pth")
    done = convert(tmp_path / "old.pth")
    assert done.code == ExitCode.OK
    assert "nothing to do" in done.out
    assert not (tmp_path / "new.pth").exists()


@pytest.mark.parametrize("number", [2, 3, 4])
def test_m13_half_of_it_is_an_error(number: int, tmp_path: Path) -> None:
    names = [*KEYS[:number], NEW_KEYS[number], *KEYS[number + 1 :]]
    body = stream(mapping({"state_dict": mapping(dict.fromkeys(names, tensor()))}))
    done = convert(write(tmp_path, torch_zip(body)))
    assert done.code in (ExitCode.FAMILY_REFUSED, ExitCode.BAD_RULES)
    assert not (tmp_path / "new.pth").exists()


def prefixed(folder: Path, prefix: str) -> Path:
    keys = dict.fromkeys([f"{prefix}{key}" for key in KEYS], tensor())
    return write(folder, torch_zip(stream(mapping({"state_dict": mapping(keys)}))))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod."])
def test_m8_a_wrappers_prefix_comes_off_and_it_is_said(prefix: str, tmp_path: Path) -> None:
    done = convert(prefixed(tmp_path, prefix))
    assert done.code == ExitCode.OK
    assert f"'{prefix}' stood before every key" in done.out
    with Source(tmp_path / "new.pth") as source:
        assert open_checkpoint(source).schema.names == NEW_KEYS


@pytest.mark.parametrize("prefix", ["module.module.", "ema_", "x.", "Module."])
def test_m8_twice_or_another_is_not_guessed_at(prefix: str, tmp_path: Path) -> None:
    assert convert(prefixed(tmp_path, prefix)).code == ExitCode.FAMILY_REFUSED
    assert not (tmp_path / "new.pth").exists()


VERSIONS: list[dict[str, str]] = [
    {},
    {"mmdet_version": "3.3.0"},
    {"mmdet_version": "2.0.0", "mmcv_version": "0.0.1"},
    {"mmseg_version": "1.2.2"},
    {"mmseg_version": "junk"},
    {"mmengine_version": "99.0"},
]


def test_m15_the_keys_decide_whatever_meta_says(tmp_path: Path) -> None:
    plans = set()
    for meta in VERSIONS:
        old = write(tmp_path, toy(meta=mapping({k: plain(v) for k, v in meta.items()})))
        done = convert(old, "--json", "--force")
        assert done.code == ExitCode.OK
        plans.add((done.json["family"], done.json["plan_digest"]))
    assert len(plans) == 1
