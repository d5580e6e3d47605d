"""What older releases spelled otherwise, and what the current one looks for: put in, by copy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, load
from support.equal import same

from mm_ckpt_migrate.verdicts import ConvertReport

pytestmark = [pytest.mark.mm, pytest.mark.filterwarnings("ignore")]

CASE = CASES["maskformer_r18_encoder"]
STAMP = "mm_ckpt_migrate"
Attempt = Callable[..., ConvertReport]
NAMES, COLOURS = ("wall", "sky"), [[1, 2, 3], [4, 5, 6]]


def changed(attempt: Attempt, folder: Path, change: Callable[[Any], Any]) -> tuple[Any, Any]:
    """The content before and after."""
    (folder / "new.pth").unlink(missing_ok=True)
    report = attempt(CASE, change)
    assert report.verdicts[0].status.value == "pass"
    return load(folder / "old.pth"), load(folder / "new.pth")


# --- classes and palette ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meta", "made"),
    [
        ({"CLASSES": NAMES, "PALETTE": COLOURS}, {"classes": NAMES, "palette": COLOURS}),
        ({"CLASSES": NAMES}, {"classes": NAMES}),
        ({"CLASSES": NAMES, "PALETTE": None}, {"classes": NAMES, "palette": None}),
        (
            {"dataset_meta": {"CLASSES": NAMES, "PALETTE": COLOURS}},
            {"CLASSES": NAMES, "PALETTE": COLOURS, "classes": NAMES, "palette": COLOURS},
        ),
        (
            {"dataset_meta": {"classes": NAMES, "PALETTE": COLOURS}},
            {"classes": NAMES, "PALETTE": COLOURS, "palette": COLOURS},
        ),
        (
            {"dataset_meta": {"CLASSES": ["a"], "classes": NAMES}, "CLASSES": ["b"]},
            {"CLASSES": ["a"], "classes": NAMES},
        ),
    ],
)
def test_classes_as_the_current_release_spells_them(
    meta: Any, made: Any, attempt: Attempt, tmp_path: Path
) -> None:
    def change(content: Any) -> None:
        del content["meta"]["dataset_meta"]
        content["meta"] |= meta

    old, new = changed(attempt, tmp_path, change)
    assert same(new["meta"].pop("dataset_meta"), made)
    # What older programs look for stays where it is.
    for content in (old, new):
        for name in ("cfg", STAMP, "dataset_meta"):
            content["meta"].pop(name, None)
    assert same(old["meta"], new["meta"])


@pytest.mark.parametrize("kind", ["int64", "uint8", "float32"])
@pytest.mark.parametrize("where", ["meta", "dataset_meta", "fortran"])
def test_a_palette_that_is_an_array_can_be_drawn_with(
    kind: str, where: str, attempt: Attempt, tmp_path: Path
) -> None:
    """mmseg 0.x draws one by lot for a data set without: `np.random.randint` of (classes, 3)."""
    import numpy as np

    palette = np.array(COLOURS, kind, order="F" if where == "fortran" else "C")
    classes = np.array(NAMES)

    def change(content: Any) -> None:
        del content["meta"]["dataset_meta"]
        made = {"CLASSES": classes, "PALETTE": palette}
        content["meta"] |= {"dataset_meta": made} if where == "dataset_meta" else made

    attempt(CASE, change)
    found = load(tmp_path / "new.pth", weights_only=True)["meta"]["dataset_meta"]
    assert (found["classes"], found["palette"]) == (list(NAMES), COLOURS)


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {"PALETTE": COLOURS},
        {"dataset_meta": {}},
        {"dataset_meta": None, "CLASSES": NAMES},
        {"dataset_meta": {"classes": NAMES, "palette": COLOURS}, "CLASSES": ["other"]},
        {"classes": NAMES},
    ],
)
def test_nothing_is_made_where_nothing_lacks(meta: Any, attempt: Attempt, tmp_path: Path) -> None:
    def change(content: Any) -> None:
        del content["meta"]["dataset_meta"]
        content["meta"] |= meta

    old, new = changed(attempt, tmp_path, change)
    for content in (old, new):
        for name in ("cfg", STAMP):
            content["meta"].pop(name, None)
    assert same(old["meta"], new["meta"])


# --- the message hub ----------------------------------------------------------------------------


def test_a_hub_is_made_for_a_file_that_has_the_config_in_meta_alone(attempt: Attempt, tmp_path: Path) -> None:
    """A published file: mmengine's inferencers look for the config in the hub."""

    def change(content: Any) -> None:
        for name in ("message_hub", "optimizer", "param_schedulers"):
            del content[name]

    old, new = changed(attempt, tmp_path, change)
    assert list(old) == ["meta", "state_dict"]
    assert list(new) == ["meta", "state_dict", "message_hub"]
    text = new["meta"]["cfg"]
    assert "layer_cfg" in text
    assert new["message_hub"] == {"log_scalars": {}, "runtime_info": {"cfg": text}, "resumed_keys": {}}
    assert new["meta"][STAMP]["added"] == ["message_hub"]


def test_without_a_config_and_an_optimizer_none_is_made(attempt: Attempt, tmp_path: Path) -> None:
    def change(content: Any) -> None:
        for name in ("message_hub", "optimizer", "param_schedulers"):
            del content[name]
        del content["meta"]["cfg"]

    _, new = changed(attempt, tmp_path, change)
    assert list(new) == ["meta", "state_dict"]
    assert new["meta"][STAMP]["added"] == []


@pytest.mark.parametrize("hub", [{}, {"runtime_info": {}}, {"log_scalars": {}}, [], None])
def test_a_hub_that_is_there_is_not_made_anew(hub: Any, attempt: Attempt, tmp_path: Path) -> None:
    def change(content: Any) -> None:
        content["message_hub"] = hub

    _, new = changed(attempt, tmp_path, change)
    assert same(new["message_hub"], hub)


# --- the buffers of mmcv 1.x's average ----------------------------------------------------------


def test_averages_in_buffers_come_to_their_own_section(attempt: Attempt, tmp_path: Path) -> None:
    names = ["backbone.conv1.weight", "decode_head.query_embed.weight"]

    def change(content: Any) -> None:
        state = content["state_dict"]
        for number, name in enumerate(names):
            state[f"ema_{name.replace('.', '_')}"] = state[name] + number + 1.0
        del content["optimizer"], content["param_schedulers"]

    old, new = changed(attempt, tmp_path, change)
    assert set(new["ema_state_dict"]) == {f"module.{name}" for name in names}
    for name in names:
        raw = old["state_dict"][f"ema_{name.replace('.', '_')}"]
        assert same(new["ema_state_dict"][f"module.{name}"], raw)
        assert same(new["state_dict"][name], old["state_dict"][name])
    assert not [name for name in new["state_dict"] if name.startswith("ema_")]
