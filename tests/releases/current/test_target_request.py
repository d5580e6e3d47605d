"""What a model config may say, and what is left of it when it is built."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.releases.allowed.request import make_request


def built(model: dict[str, Any]) -> Any:
    return ast.literal_eval(make_request(model, "mmseg").model)


def test_plain_values_arrive_unchanged() -> None:
    model: dict[Any, Any] = {"a": (1, (2.5,), ()), "b": [None, True, "x'\n"], 3: {"c": float("inf")}, "d": -1}
    assert built(model) == model


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"pretrained": "http://x/y.pth"}, {"pretrained": None}),
        ({"pretrained": True}, {"pretrained": None}),
        ({"load_from": "y.pth"}, {"load_from": None}),
        ({"teacher_ckpt": "y.pth"}, {"teacher_ckpt": None}),
        ({"init_cfg": {"type": "Pretrained", "checkpoint": "y"}}, {"init_cfg": None}),
        ({"init_cfg": {"type": "mmengine.PretrainedInit"}}, {"init_cfg": None}),
        ({"init_cfg": [{"type": "Pretrained"}, {"type": "Kaiming"}]}, {"init_cfg": [{"type": "Kaiming"}]}),
    ],
)
def test_weights_are_not_asked_for(config: dict[str, Any], expected: dict[str, Any]) -> None:
    model = {"backbone": [{"deep": (config,)}]}
    assert built(model) == {"backbone": [{"deep": (expected,)}]}


def test_other_initialisers_and_values_stay() -> None:
    model = {"init_cfg": {"type": "Normal", "std": 0.1}, "pretrained": None, "checkpoint": "x"}
    assert built(model) == model


def test_the_callers_config_is_not_changed() -> None:
    model: dict[str, Any] = {"backbone": {"pretrained": "x", "init_cfg": {"type": "Pretrained"}}}
    make_request(model, "mmseg")
    assert model == {"backbone": {"pretrained": "x", "init_cfg": {"type": "Pretrained"}}}


@pytest.mark.parametrize("kind", ["mmdet.FPN", "mmdet.models.FPN", "torch.nn.GELU", "FCNHead"])
def test_a_type_on_the_list_is_allowed(kind: str) -> None:
    assert built({"type": kind}) == {"type": kind}


@pytest.mark.parametrize("name", ["mmdet./tmp/x", "mmdet.models\0", "mmdet..models", "mmdet.", "mmseg.a b"])
def test_what_is_no_name_of_a_module_is_not_imported(name: str) -> None:
    with pytest.raises(ConfigError, match="custom_imports"):
        make_request({}, "mmseg", imports=name)


@pytest.mark.parametrize("imports", ["evil", ["mmdet.models", "evil.models"]])
def test_a_foreign_import_is_refused_unless_allowed(imports: str | list[str]) -> None:
    with pytest.raises(ConfigError, match=r"custom_imports.*evil") as caught:
        make_request({}, "mmseg", imports=imports)
    assert "evil" in caught.value.hint
    assert make_request({}, "mmseg", imports=imports, allow_imports=["evil"]).imports


def test_a_single_import_may_be_a_string() -> None:
    assert make_request({}, "mmseg", imports="mmdet.models").imports == ("mmdet.models",)


def test_what_must_be_installed_is_told() -> None:
    model = {"neck": {"type": "mmpretrain.ConvNeXt"}, "head": {"type": "mmdet.FPN"}}
    assert make_request(model, "mmseg").needs == ("mmdet", "mmpretrain")


@pytest.mark.parametrize("value", [object(), {1}, b"x", float("nan"), 1j, int])
def test_anything_but_plain_data_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match=r"model.x: .* not a plain value"):
        make_request({"x": value}, "mmseg")


def test_deep_nesting_is_refused() -> None:
    model: dict[str, Any] = {}
    for _ in range(100_000):
        model = {"x": model}
    with pytest.raises(ConfigError, match="deep"):
        make_request(model, "mmseg")
    while model:  # unwind by hand: freeing it in one go recurses as deep
        model = model["x"]


def test_an_unknown_scope_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown scope 'mmpose'"):
        make_request({}, "mmpose")


def test_our_own_loader_is_left_out() -> None:
    """A config that loads old files with `migrate://` names it; a model is built without."""
    own = "mm_ckpt_migrate.mmengine_loader"
    request = make_request({"type": "ResNet"}, "mmdet", imports=[own, "mmdet.models"])
    assert request.imports == ("mmdet.models",)
    with pytest.raises(ConfigError):
        make_request({"type": "ResNet"}, "mmdet", imports=["mm_ckpt_migrate.cli.main"])
