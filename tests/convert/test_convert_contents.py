"""What else is in a training checkpoint: carried over, renamed along, or left out with a notice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, Case, load, same_bytes, statuses

from mm_ckpt_migrate.archive.source import Source
from mm_ckpt_migrate.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.report import ConvertReport

pytestmark = [pytest.mark.mm, pytest.mark.filterwarnings("ignore")]

Convert = Callable[..., tuple[ConvertReport, Path]]
EMA = CASES["mask2former_r18"]


def same(first: Any, second: Any) -> bool:
    """Deep equality of whatever mmengine pickles, bit by bit."""
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer

    if type(first) is not type(second):
        return False
    if isinstance(first, torch.Tensor):
        return same_bytes(first, second)
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and first.tobytes() == second.tobytes()
    if isinstance(first, HistoryBuffer):
        return same(vars(first), vars(second))
    if isinstance(first, dict):
        return list(first) == list(second) and all(same(first[k], second[k]) for k in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return bool(first == second)


def test_meta_and_message_hub_arrive_unchanged(case: Case, converted: Convert) -> None:
    old, new = load(case.old), load(converted(case)[1])
    assert same(old["message_hub"], new["message_hub"])
    meta = {key: value for key, value in new["meta"].items() if key != "mm_ckpt_migrate"}
    assert same(old["meta"], meta)
    assert list(new) == [name for name in old if name not in ("optimizer", "param_schedulers")]


def test_history_buffers_and_numpy_scalars_are_what_they_were(
    case: Case, converted: Convert
) -> None:
    import numpy as np
    from mmengine.logging import HistoryBuffer

    hub = load(converted(case)[1])["message_hub"]
    buffers = [v for v in hub["log_scalars"].values() if isinstance(v, HistoryBuffer)]
    assert buffers
    for buffer in buffers:
        assert isinstance(buffer.data[0], np.ndarray)
        assert len(buffer.data[0]) == len(buffer.data[1]) > 0
        assert np.isfinite(buffer.mean())


def test_the_optimizer_is_left_out_with_a_notice(case: Case, converted: Convert) -> None:
    report, path = converted(case)
    for name in ("optimizer", "param_schedulers"):
        said = any(notice.startswith(f"{name} is left out") for notice in report.notices)
        assert said == (name in case.sections)
    new = load(path)
    assert not {"optimizer", "param_schedulers"} & set(new)
    assert new["meta"]["mm_ckpt_migrate"]["dropped"] == list(case.training_state)


@pytest.mark.parametrize("name", ["mask2former_r18", "maskformer_r18_encoder"])
def test_the_optimizers_storages_are_gone_from_the_file(name: str, converted: Convert) -> None:
    case = CASES[name]
    path = converted(case)[1]
    with Source(case.old) as before, Source(path) as after:
        old, new = open_checkpoint(before), open_checkpoint(after)
    used = {tensor.storage for tensor in new.tensors.values()}
    assert len(new.extents) < len(old.extents)
    extra = len(new.extents) - len(used)
    assert extra == (241 if "ema_state_dict" in case.sections else 0)
    assert path.stat().st_size < case.old.stat().st_size


def test_averaged_weights_follow_the_keys(converted: Convert) -> None:
    old, new = load(EMA.old), load(converted(EMA)[1])
    before, after = old["ema_state_dict"], new["ema_state_dict"]
    names = list(new["state_dict"])
    assert list(after) == ["steps", *(f"module.{name}" for name in names)]
    renamed = dict(zip(_order(old["state_dict"], new["state_dict"]), names, strict=True))
    for key in old["state_dict"]:
        assert same_bytes(before[f"module.{key}"], after[f"module.{renamed[key]}"])
    assert same_bytes(before["steps"], after["steps"])
    assert any(
        not same_bytes(after[f"module.{n}"], new["state_dict"][n]) for n in new["state_dict"]
    )


def _order(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The old names in the order of the new ones, found by rules written out here by hand."""
    back = {}
    for name in old:
        key = name.replace(".ffns.0.", ".ffn.")
        if ".transformer_decoder." in name:
            key = key.replace(".attentions.0.", ".cross_attn.")
        key = key.replace(".attentions.0.", ".self_attn.").replace(".attentions.1.", ".self_attn.")
        back[key] = name
    return [back[name] for name in new]


@pytest.mark.parametrize("section", ["state_dict", "ema_state_dict"])
def test_metadata_follows_the_keys(section: str, converted: Convert) -> None:
    import record_outputs

    new = load(converted(EMA)[1])[section]
    old = load(EMA.old)[section]
    wanted = record_outputs.build_model(Path(EMA.new_config)).state_dict()._metadata
    prefix = "" if section == "state_dict" else "module."
    ours = {path.removeprefix(prefix): entry for path, entry in new._metadata.items()
            if path.startswith(prefix)}  # fmt: skip
    ours = {("" if path == "module" else path): entry for path, entry in ours.items()}
    missing = set(wanted) - set(ours) - {""}
    assert all(path.endswith(".gamma2") for path in missing)
    assert all(wanted[path] == entry for path, entry in ours.items() if path in wanted)
    assert not [path for path in new._metadata if ".attentions" in path or ".ffns" in path]
    assert [path for path in old._metadata if ".attentions" in path]


def test_metadata_matters(converted: Convert, tmp_path: Path) -> None:
    """Without it torch's strict load lets a missing buffer pass: hence the whole effort."""
    import record_outputs
    import torch

    state = load(converted(EMA)[1])["state_dict"]
    del state["backbone.bn1.num_batches_tracked"]
    model = record_outputs.build_model(Path(EMA.new_config))
    with pytest.raises(RuntimeError, match="num_batches_tracked"):
        torch.nn.Module.load_state_dict(model, state, strict=True)
    del state._metadata
    torch.nn.Module.load_state_dict(model, state, strict=True)


def test_parameters_are_in_the_models_own_order(case: Case, converted: Convert) -> None:
    """Optimizer state is indexed by that order."""
    import record_outputs

    model = record_outputs.build_model(Path(case.new_config))
    assert list(load(converted(case)[1])["state_dict"]) == list(model.state_dict())
    assert statuses(converted(case)[0])["integrity"] == "pass"
