"""Tensors that share a storage: tied ones, slices, transposed views, empty ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from golden_cases import CASES, load, same_bytes, sha256

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.files.archive.format import Format

pytestmark = pytest.mark.mm

QUERY = "decode_head.query_embed.weight"
COPY = "auxiliary_head.query_copy.weight"
PART = "auxiliary_head.query_part.weight"
TURNED = "auxiliary_head.query_turned.weight"
EMPTY = "auxiliary_head.nothing.weight"


@pytest.fixture
def tied(tmp_path: Path) -> Path:
    """A checkpoint with a tied tensor, a slice, a transposed view and an empty tensor."""
    import torch

    content = load(CASES["maskformer_r18"].old)
    del content["param_schedulers"], content["message_hub"]
    state = content["state_dict"]
    query = state[QUERY]
    state |= {COPY: query, PART: query[3:7], TURNED: query.t(), EMPTY: query[:0]}
    torch.save(content, tmp_path / "tied.pth")
    return tmp_path / "tied.pth"


def test_shared_storages_stay_shared(tied: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.pth"
    report = convert("auto", "-", tied, new, Options(build=False))
    assert report.verdicts[0].status.value == "pass"
    state = load(new)["state_dict"]
    places = {state[n].untyped_storage().data_ptr() for n in (QUERY, COPY, PART, TURNED)}
    assert len(places) == 1
    assert state[TURNED].stride() == state[QUERY].stride()[::-1]
    assert new.stat().st_size < tied.stat().st_size * 1.3
    back = tmp_path / "back.pth"
    convert("auto", "-", new, back, Options(reverse=True))
    assert sha256(back) == sha256(tied)


def test_tied_tensors_are_recorded_in_safetensors(tied: Path, tmp_path: Path) -> None:
    from safetensors import safe_open

    new = tmp_path / "new.safetensors"
    report = convert("auto", "-", tied, new, Options(build=False, format=Format.SAFETENSORS))
    assert report.verdicts[0].status.value == "pass"
    state = load(tied)["state_dict"]
    with safe_open(new, "pt") as file:
        assert json.loads(file.metadata()["tied"]) == {COPY: QUERY}
        assert COPY not in file.keys()  # noqa: SIM118
        for name in (QUERY, PART, TURNED, EMPTY):
            assert same_bytes(file.get_tensor(name), state[name].contiguous())


def test_tied_names_come_back_from_safetensors(tied: Path, tmp_path: Path) -> None:
    new, back = tmp_path / "new.safetensors", tmp_path / "back.safetensors"
    convert("auto", "-", tied, new, Options(build=False, format=Format.SAFETENSORS))
    report = convert("auto", "-", new, back, Options(reverse=True))
    assert report.verdicts[0].status.value == "pass"
    assert report.kept + report.moved == len(load(tied)["state_dict"])
