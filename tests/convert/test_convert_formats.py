"""The containers: each output in each way that torch and safetensors load it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, LEGACY, NAMES, ZIP, Case, few_by_default, load, run, same_bytes

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.archive.sniff import sniff
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.verdicts import ConvertReport

pytestmark = pytest.mark.mm

Convert = Callable[..., tuple[ConvertReport, Path]]
MODES: dict[str, dict[str, bool]] = {
    "plain": {},
    "mmap": {"mmap": True},
    "weights_only": {"weights_only": True},
    "calculated offsets": {"mmap": True, "weights_only": True},
}
OFFSETS = ("calculated offsets",)


def format_of(path: Path) -> Format:
    with Source(path) as source:
        return sniff(source)


@contextmanager
def calculated_offsets(wanted: bool) -> Iterator[None]:
    """torch's way of finding storages by their order alone; wrong where a file lies about it."""
    from torch.utils.serialization import config

    config.load.calculate_storage_offsets = wanted
    try:
        yield
    finally:
        config.load.calculate_storage_offsets = False


def history() -> list[Any]:
    """What a training checkpoint needs beyond weights_only's own list."""
    import numpy as np
    from mmengine.logging import HistoryBuffer
    from numpy._core import multiarray

    core = multiarray._reconstruct, multiarray.scalar
    old = [(function, f"numpy.core.multiarray.{function.__name__}") for function in core]
    dtypes = [type(np.dtype(code)) for code in np.typecodes["All"]]
    return [HistoryBuffer, np.ndarray, np.dtype, getattr, *core, *old, *dtypes]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", few_by_default(NAMES))
def test_a_zip_file_loads_in_every_mode(name: str, mode: str, converted: Convert) -> None:
    """From a zip file or a legacy one: the storages lie where each mode looks for them."""
    import torch

    case = CASES[name]
    path = converted(case, format=Format.ZIP, build=False)[1]
    assert format_of(path) is Format.ZIP
    with torch.serialization.safe_globals(history()), calculated_offsets(mode in OFFSETS):
        state_dict = load(path, **MODES[mode])["state_dict"]
    plain = load(case.old)["state_dict"]
    table = json.loads(load(path)["meta"]["mm_ckpt_migrate"]["plan"])["keys"]
    assert len(table) == len(plain) == len(state_dict)
    assert all(same_bytes(plain[old], state_dict[new]) for old, new, _ in table)


def test_the_right_bytes_are_in_the_right_place_under_calculated_offsets(converted: Convert) -> None:
    """The mode that gave silently wrong weights for files rewritten by other means."""
    path = converted(CASES["mask2former_r18"], build=False)[1]
    first = load(path, mmap=True)
    with calculated_offsets(True):
        second = load(path, mmap=True)
    for section in ("state_dict", "ema_state_dict"):
        assert all(same_bytes(t, second[section][n]) for n, t in first[section].items())


def test_under_map_location_meta_shapes_are_right(converted: Convert) -> None:
    path = converted(CASES["maskformer_swin"], format=Format.ZIP, build=False)[1]
    shapes = {name: t.shape for name, t in load(path)["state_dict"].items()}
    meta = load(path, map_location="meta")["state_dict"]
    assert {name: t.shape for name, t in meta.items()} == shapes
    assert all(t.is_meta for t in meta.values())


@pytest.mark.parametrize("name", LEGACY)
def test_legacy_stays_legacy(name: str, converted: Convert) -> None:
    path = converted(CASES[name], build=False)[1]
    assert format_of(path) is Format.LEGACY
    assert path.read_bytes()[:2] == CASES[name].old.read_bytes()[:2] == b"\x80\x02"
    assert len(load(path)["state_dict"]) == len(load(CASES[name].old)["state_dict"])


@pytest.mark.parametrize("name", few_by_default(ZIP))
def test_zip_stays_zip_and_cannot_become_legacy(name: str, converted: Convert, tmp_path: Path) -> None:
    assert format_of(converted(CASES[name], build=False)[1]) is Format.ZIP
    with pytest.raises(CheckpointError, match="cannot become a legacy file"):
        run(CASES[name], tmp_path / "new.pth", build=False, format=Format.LEGACY)
    assert list(tmp_path.iterdir()) == []


# --- safetensors --------------------------------------------------------------------------------


def test_safetensors_has_the_same_values(case: Case, converted: Convert) -> None:
    from safetensors import safe_open

    report, path = converted(case, format=Format.SAFETENSORS, build=False)
    plain = load(converted(case, build=False)[1])["state_dict"]
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        names = {*file.keys()}
        tied = {name for name, tensor in plain.items() if name not in names}
        assert names | tied == set(plain)
        for name in names:
            assert same_bytes(file.get_tensor(name), plain[name].contiguous())
    written = {plain[name].data_ptr() for name in names}
    assert {plain[name].data_ptr() for name in tied} <= written
    assert metadata["format"] == "pt"
    stamp = json.loads(metadata["mm_ckpt_migrate"])
    assert (stamp["source_sha256"], stamp["plan_sha256"]) == (case.sha256, report.plan_digest)
    assert "Head'" in metadata["cfg"]


def test_safetensors_cannot_become_zip(converted: Convert, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(load(CASES["maskformer_r18"].old)["state_dict"], tmp_path / "old.safetensors")
    with pytest.raises(CheckpointError, match="a safetensors file cannot become a zip file"):
        convert(
            "auto",
            "-",
            tmp_path / "old.safetensors",
            tmp_path / "new.pth",
            Options(build=False, format=Format.ZIP),
        )
