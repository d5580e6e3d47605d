"""What else is in a training checkpoint: carried over, renamed along, or left out with a notice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, LOGGED, Case, few_by_default, load, same_bytes, statuses
from support.equal import same
from support.training import new_name, new_order

from mm_ckpt_migrate.configs.read.config import read_config_text
from mm_ckpt_migrate.configs.values import lookup
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.verdicts import ConvertReport

pytestmark = [pytest.mark.mm, pytest.mark.filterwarnings("ignore")]

Convert = Callable[..., tuple[ConvertReport, Path]]
EMA = CASES["mask2former_r18"]


STAMP = "mm_ckpt_migrate"
TRANSFORMERS = [name for name in LOGGED if "transformerlayers" in Path(CASES[name].old_config).read_text()]
DECODERS = ("decode_head.transformer_decoder", "panoptic_head.transformer_decoder", "decoder")


def config_texts(content: Any) -> list[str]:
    hub = content["message_hub"]["runtime_info"]
    return [content["meta"]["cfg"], hub["cfg"]]


def test_meta_and_message_hub_arrive_unchanged(logged: Case, converted: Convert) -> None:
    old, new = load(logged.old), load(converted(logged, keep_as_is=True)[1])
    assert list(new) == list(old)
    texts = [entry["text"] for entry in new["meta"].pop(STAMP)["configs"]]
    assert {*texts} == {*config_texts(old)}
    for content in (old, new):
        content["meta"]["cfg"] = content["message_hub"]["runtime_info"]["cfg"] = None
    assert same(old["message_hub"], new["message_hub"])
    before, after = old["meta"].pop("dataset_meta"), new["meta"].pop("dataset_meta")
    assert before.items() <= after.items()  # mmdet spells the names of the classes anew
    assert same(old["meta"], new["meta"])


@pytest.mark.parametrize("name", few_by_default(TRANSFORMERS))
def test_the_configs_inside_are_those_of_the_new_release(name: str, converted: Convert) -> None:
    first, second = config_texts(load(converted(CASES[name])[1]))
    assert first == second
    assert "transformerlayers" not in first
    config = read_config_text(first, "")
    layers = [lookup(config, f"model.{place}.layer_cfg") for place in DECODERS]
    (layer,) = [layer for layer in layers if layer is not None]
    assert isinstance(layer, dict)
    assert {"self_attn_cfg", "cross_attn_cfg", "ffn_cfg"} <= set(layer)
    before, after = map(str.splitlines, (config_texts(load(CASES[name].old))[0], first))
    head = [line for line in before if line.startswith(("crop_size", "work_dir", "optim_wrapper"))]
    assert head
    assert set(head) <= set(after)


def test_history_buffers_and_numpy_scalars_are_what_they_were(logged: Case, converted: Convert) -> None:
    import numpy as np
    from mmengine.logging import HistoryBuffer

    hub = load(converted(logged, keep_as_is=True)[1])["message_hub"]
    buffers = [v for v in hub["log_scalars"].values() if isinstance(v, HistoryBuffer)]
    assert buffers
    assert isinstance(hub["runtime_info"]["eta"], np.float64)
    for buffer in buffers:
        assert isinstance(buffer.data[0], np.ndarray)
        assert len(buffer.data[0]) == len(buffer.data[1]) > 0
        assert np.isfinite(buffer.mean())


def test_torch_loads_the_file_at_its_defaults(logged: Case, converted: Convert) -> None:
    """Log buffers and numpy's numbers are plain, and their values what they were."""
    old, new = load(logged.old), load(converted(logged)[1], weights_only=True)
    history = new["message_hub"]["log_history"]
    buffers = old["message_hub"]["log_scalars"]
    assert list(history) == list(buffers)
    for name, buffer in buffers.items():
        logs, counts = buffer.data
        assert history[name]["log_history"] == logs.tolist()
        assert history[name]["count_history"] == counts.tolist()
    assert new["message_hub"]["log_scalars"] == {}
    before, after = (content["message_hub"]["runtime_info"] for content in (old, new))
    assert list(before) == list(after)
    assert (type(before["eta"]), type(after["eta"])) != (float, float)
    assert [name for name in before if before[name] != after[name]] == ["cfg"]
    assert type(after["eta"]) is float
    with pytest.raises(Exception, match=r"[Ww]eights.only"):
        load(logged.old, weights_only=True)


def test_the_optimizer_is_carried_and_the_report_says_so(case: Case, converted: Convert) -> None:
    """What it holds then is `tests/convert/training`'s concern."""
    report, path = converted(case)
    new = load(path)
    assert [name for name in new if name in ("optimizer", "param_schedulers")] == list(case.training_state)
    said = [notice for notice in report.notices if notice.startswith("optimizer: ")]
    assert bool(said) == ("optimizer" in case.sections)
    assert not [notice for notice in report.notices if "left out" in notice]
    assert new["meta"][STAMP]["dropped"] == []


@pytest.mark.parametrize("name", ["mask2former_r18", "maskformer_r18_encoder"])
def test_every_storage_but_those_of_frozen_groups_is_there_once(name: str, converted: Convert) -> None:
    case = CASES[name]
    path = converted(case)[1]
    with Source(case.old) as before, Source(path) as after:
        old, new = open_checkpoint(before), open_checkpoint(after)
    # No frozen parameter has state. One storage is new: the tensor in `base_param_settings`.
    assert "base_param_settings" in load(path)["optimizer"]
    sizes = sorted(extent.size for extent in old.extents.values())
    assert sorted(extent.size for extent in new.extents.values()) == sorted([*sizes, 4])


def test_averaged_weights_follow_the_keys(converted: Convert) -> None:
    old, new = load(EMA.old), load(converted(EMA)[1])
    before, after = old["ema_state_dict"], new["ema_state_dict"]
    names = list(new["state_dict"])
    assert list(after) == ["steps", *(f"module.{name}" for name in names)]
    assert names == new_order(old["state_dict"], EMA.family)
    for key in old["state_dict"]:
        assert same_bytes(before[f"module.{key}"], after[f"module.{new_name(key, EMA.family)}"])
    assert same_bytes(before["steps"], after["steps"])
    assert any(not same_bytes(after[f"module.{n}"], new["state_dict"][n]) for n in new["state_dict"])


@pytest.mark.parametrize("section", ["state_dict", "ema_state_dict"])
def test_metadata_follows_the_keys(section: str, converted: Convert) -> None:
    import record_outputs

    new = load(converted(EMA)[1])[section]
    old = load(EMA.old)[section]
    wanted = record_outputs.build_model(Path(EMA.new_config)).state_dict()._metadata
    prefix = "" if section == "state_dict" else "module."
    ours = {
        path.removeprefix(prefix): entry for path, entry in new._metadata.items() if path.startswith(prefix)
    }
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
