"""`--for inference`: weights, meta and the config; and which of two sets of weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, VARIED, Case, load, run, same_bytes, sha256
from support.equal import same
from support.training import new_name, new_order

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options, Purpose
from mm_ckpt_migrate.errors import CheckpointError, MigrateError
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.verdicts import ConvertReport

pytestmark = [pytest.mark.mm, pytest.mark.filterwarnings("ignore")]

STAMP = "mm_ckpt_migrate"
EMA, PLAIN = CASES["mask2former_r18"], CASES["maskformer_r18_encoder"]
Attempt = Callable[..., ConvertReport]


def inference(case: Case, new: Path, **options: Any) -> tuple[ConvertReport, Any]:
    report = run(case, new, build=False, purpose=Purpose.INFERENCE, **options)
    return report, load(new, weights_only=True)


@pytest.mark.parametrize("keep_as_is", [False, True])
def test_what_is_in_the_file(logged: Case, keep_as_is: bool, tmp_path: Path) -> None:
    """It loads at torch's defaults in any case: nothing is left that torch would refuse."""
    report, new = inference(logged, tmp_path / "new.pth", keep_as_is=keep_as_is)
    old = load(logged.old)
    assert list(new) == ["meta", "state_dict", "message_hub"]
    text = new["meta"]["cfg"]
    assert text != old["meta"]["cfg"]
    assert new["message_hub"] == {"log_scalars": {}, "runtime_info": {"cfg": text}, "resumed_keys": {}}
    assert {entry["text"] for entry in new["meta"][STAMP]["configs"]} == {old["meta"]["cfg"]}
    assert old["meta"].pop("dataset_meta").items() <= new["meta"].pop("dataset_meta").items()
    assert {k: v for k, v in new["meta"].items() if k not in ("cfg", STAMP)} == {
        k: v for k, v in old["meta"].items() if k != "cfg"
    }
    gone = [name for name in old if name not in new]
    *before, last = report.notices
    assert last == f"for inference: left out are {', '.join(gone)}"
    assert all("model.backbone.patch_bias is now True" in notice for notice in before)
    assert bool(before) == (logged.family == "vit")


def test_the_weights_are_those_of_a_file_for_everything(case: Case, tmp_path: Path) -> None:
    run(case, tmp_path / "all.pth", build=False)
    _, new = inference(case, tmp_path / "new.pth")
    everything = load(tmp_path / "all.pth")["state_dict"]
    assert list(new["state_dict"]) == list(everything)
    assert all(same_bytes(t, new["state_dict"][name]) for name, t in everything.items())
    # mmcv wrote none until 1.3.13.
    assert same(*(getattr(s, "_metadata", None) for s in (new["state_dict"], everything)))


def test_no_storage_is_left_behind_in_the_file(case: Case, tmp_path: Path) -> None:
    inference(case, tmp_path / "new.pth")
    with Source(tmp_path / "new.pth") as source:
        checkpoint = open_checkpoint(source)
    assert set(checkpoint.extents) == {t.storage for t in checkpoint.tensors.values()}
    assert checkpoint.averaged == {}


@pytest.mark.parametrize(("raw", "section"), [(True, "ema_state_dict"), (False, "state_dict")])
@pytest.mark.parametrize("build", [True, False])
def test_which_weights(raw: bool, section: str, build: bool, tmp_path: Path) -> None:
    """mmengine's EMAHook exchanges them when it saves: the raw ones are in `ema_state_dict`."""
    options = {"raw_weights": raw, "purpose": Purpose.INFERENCE, "build": build}
    report = run(EMA, tmp_path / "new.pth", **options)
    assert report.exit_code == 0
    old, new = load(EMA.old), load(tmp_path / "new.pth", weights_only=True)
    prefix = "module." if raw else ""
    assert list(new["state_dict"]) == new_order(old["state_dict"], EMA.family)
    for name in old["state_dict"]:
        found = new["state_dict"][new_name(name, EMA.family)]
        assert same_bytes(old[section][prefix + name], found), name
    other = old["state_dict" if raw else "ema_state_dict"]
    assert any(
        not same_bytes(other[("" if raw else "module.") + name], tensor)
        for name, tensor in ((n, old[section][prefix + n]) for n in old["state_dict"])
    )


@pytest.mark.parametrize("which", ["raw_weights", "averaged_weights"])
def test_one_of_two_sets_where_there_is_one(which: str, tmp_path: Path) -> None:
    """Who asks for the average does not get what is no average without a word."""
    options = {which: True, "purpose": Purpose.INFERENCE, "build": False}
    with pytest.raises(CheckpointError, match="no averaged weights beside those of the last"):
        run(CASES["yolact_r18"], tmp_path / "new.pth", **options)
    assert not (tmp_path / "new.pth").exists()


def test_raw_weights_in_safetensors(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    options = {"raw_weights": True, "purpose": Purpose.INFERENCE, "build": False}
    run(EMA, tmp_path / "new.safetensors", format=Format.SAFETENSORS, **options)
    found, old = load_file(tmp_path / "new.safetensors"), load(EMA.old)
    assert len(found) == len(old["state_dict"])
    for name in old["state_dict"]:
        raw = old["ema_state_dict"][f"module.{name}"]
        assert same_bytes(raw.contiguous(), found[new_name(name, EMA.family)])


# --- what cannot be -----------------------------------------------------------------------------

INFERENCE = {"purpose": Purpose.INFERENCE}


def test_raw_weights_of_a_training_without_an_average(tmp_path: Path) -> None:
    for case in CASES.values():
        if case is not EMA:
            with pytest.raises(CheckpointError, match="no averaged weights") as caught:
                inference(case, tmp_path / "new.pth", raw_weights=True)
            assert caught.value.hint == "Leave --weights out."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrapped", [True, False])
def test_raw_weights_of_a_file_with_weights_alone(wrapped: bool, tmp_path: Path) -> None:
    import torch

    state = load(EMA.old)["state_dict"]
    torch.save({"state_dict": state} if wrapped else state, tmp_path / "old.pth")
    options = Options(build=False, raw_weights=True, purpose=Purpose.INFERENCE)
    with pytest.raises(CheckpointError, match="no averaged weights"):
        convert("auto", "-", tmp_path / "old.pth", tmp_path / "new.pth", options)


def test_raw_weights_that_lack_a_tensor(refused: Callable[..., MigrateError]) -> None:
    def change(content: Any) -> None:
        del content["ema_state_dict"]["module.backbone.conv1.weight"]

    error = refused(EMA, change, raw_weights=True, **INFERENCE)
    assert isinstance(error, CheckpointError)
    assert "its raw weights lack backbone.conv1.weight" in error.message


@pytest.mark.parametrize("how", ["shape", "dtype", "number"])
def test_raw_weights_that_are_not_the_models(how: str, attempt: Attempt, tmp_path: Path) -> None:
    """Whoever asks for the averaged ones gets them all the same."""

    def change(content: Any) -> None:
        name = "module.backbone.conv1.weight"
        tensor = content["ema_state_dict"][name]
        content["ema_state_dict"][name] = {
            "shape": tensor[:1].clone(),
            "dtype": tensor.double(),
            "number": 3,
        }[how]

    try:
        report = attempt(EMA, change, raw_weights=True, **INFERENCE)
        assert report.exit_code != 0
    except MigrateError:
        pass
    assert not (tmp_path / "new.pth").exists()


def test_there_is_nothing_else_to_leave_out(attempt: Attempt, tmp_path: Path) -> None:
    def change(content: Any) -> Any:
        return {"state_dict": content["state_dict"]}

    report = attempt(PLAIN, change, **INFERENCE)
    assert report.notices == ()
    assert list(load(tmp_path / "new.pth")) == ["meta", "state_dict"]


def test_the_way_back_says_what_is_lost(tmp_path: Path) -> None:
    inference(EMA, tmp_path / "new.pth")
    report = convert("auto", "-", tmp_path / "new.pth", tmp_path / "back.pth", Options(reverse=True))
    lost = [n.split()[0] for n in report.notices if "stays lost" in n]
    assert {"optimizer", "param_schedulers", "ema_state_dict"} <= set(lost)
    old, back = load(EMA.old), load(tmp_path / "back.pth")
    assert same(old["meta"], back["meta"])
    assert all(same_bytes(t, back["state_dict"][n]) for n, t in old["state_dict"].items())


# --- the config inside, and old ones -----------------------------------------------------------


@pytest.mark.parametrize("name", VARIED)
def test_whatever_says_the_target_gives_the_same_file(name: str, tmp_path: Path) -> None:
    """The config of the new release, the one of the old release, or the one inside."""
    case = CASES[name]
    made = set()
    for number, cfg in enumerate((case.new_config, case.old_config, "embedded")):
        report = run(case, tmp_path / f"{number}.pth", cfg=cfg)
        assert report.verdicts[1].status.value == "pass"
        made.add(sha256(tmp_path / f"{number}.pth"))
    assert len(made) == 1


@pytest.mark.parametrize("text", [None, "", "import os\nos.system('x')", "model = (", "x = 1"])
def test_an_embedded_config_that_is_of_no_use(text: str | None, tmp_path: Path) -> None:
    import torch

    from mm_ckpt_migrate.errors import ConfigError

    content = load(PLAIN.old)
    content["meta"]["cfg"] = text
    if text is None:
        del content["meta"]["cfg"]
    torch.save(content, tmp_path / "old.pth")
    with pytest.raises(ConfigError, match=r"the config inside .*old\.pth"):
        convert("auto", "embedded", tmp_path / "old.pth", tmp_path / "new.pth", Options())
    assert not (tmp_path / "new.pth").exists()
