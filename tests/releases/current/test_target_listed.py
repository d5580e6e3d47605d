"""Types and settings of a config that may be built, and all kinds that may not."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

import pytest

from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.releases.allowed import classes
from mm_ckpt_migrate.releases.allowed.request import make_request

LOOKALIKES = ("\uff26\uff23\uff2eHead", "FCNH\u0435ad")  # full width; a Cyrillic letter
EVIL = "__import__('os').system('id')"


def refused(model: Any, scope: str = "mmseg", **options: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        make_request({"type": "EncoderDecoder", "head": [model]}, scope, **options)
    return caught.value


@pytest.mark.parametrize(
    "kind",
    [
        "os.system",
        "subprocess.Popen",
        "torch.load",
        "mmsegx.Evil",
        "builtins.eval",
        "torch.hub.load",
        "torch.nn.modules.module.torch.load",
        "mmengine.runner.Runner",
        "mmengine.Runner",
        "mmengine.utils.path.os.system",
        "mmengine.config.Config.fromfile",
        "mmdet.models.utils.misc.os.system",
        "mmdet.apis.init_detector",
        "mmcv.FPN",
    ],
)
def test_a_dotted_name_that_is_no_listed_class_is_refused(kind: str) -> None:
    assert "model.head[0].type: " in str(refused({"type": kind}))


@pytest.mark.parametrize(
    "kind", ["Nowhere", "fcnhead", "FCNHead ", ".FCNHead", "ＦＣＮHead", "FCNHеad", "", EVIL]
)
def test_a_name_that_only_resembles_a_listed_one_is_refused(kind: str) -> None:
    error = refused({"type": kind})
    assert "model.head[0].type: " in str(error)
    assert "--allow-import" in error.hint


@pytest.mark.parametrize("kind", [["FCNHead"], {"type": "FCNHead"}, 7, True, ("a",)])
def test_a_type_that_is_no_string_is_refused(kind: object) -> None:
    assert "is no name of a class" in str(refused({"type": kind}))


@pytest.mark.parametrize("kind", ["LoggerHook", "Runner", "DefaultSampler", "SGD", "LoadImageFromFile"])
def test_a_class_of_another_registry_is_refused(kind: str) -> None:
    refused({"type": kind})


@pytest.mark.parametrize(
    ("kind", "scope"), [("PixelDecoder", "mmseg"), ("LightHamHead", "mmdet"), ("ConvNeXt", "mmdet")]
)
def test_a_class_of_another_scope_needs_its_prefix(kind: str, scope: str) -> None:
    refused({"type": kind}, scope)


@pytest.mark.parametrize("kind", ["mmdet.Detectron2Wrapper", "VPD", "TIMMBackbone"])
def test_a_class_that_the_scan_did_not_clear_is_refused(kind: str) -> None:
    error = refused({"type": kind})
    assert "may load or run what its settings name" in str(error)
    assert error.hint.endswith(("--allow-import mmdet", "--allow-import mmseg"))


def test_the_user_may_trust_a_whole_package_of_openmmlab() -> None:
    make_request({"type": "mmdet.Detectron2Wrapper"}, "mmseg", allow_imports=["mmdet"])
    with pytest.raises(ConfigError):
        make_request({"type": "mmdet.Detectron2Wrapper"}, "mmseg", allow_imports=["mmseg"])


@pytest.mark.parametrize(
    ("model", "setting"),
    [
        ({"type": "mmdet.CameraMotionCompensation", "warp_mode": EVIL}, "warp_mode"),
        ({"type": "CrossEntropyLoss", "class_weight": "/etc/x.npy"}, "class_weight"),
        ({"type": "LovaszLoss", "class_weight": "http://x/y.pkl"}, "class_weight"),
        ({"type": "mmdet.LAD", "teacher_config": "evil.py"}, "teacher_config"),
        ({"type": "mmdet.AppearanceFreeLink", "checkpoint": "x.pth"}, "checkpoint"),
        ({"type": "mmdet.BertModel", "name": "/tmp/evil"}, "name"),
    ],
)
def test_a_setting_that_its_class_would_load_or_evaluate_is_refused(
    model: dict[str, Any], setting: str
) -> None:
    assert f"model.head[0].{setting}: " in str(refused(model))


@pytest.mark.parametrize(
    "model",
    [
        {"type": "mmdet.CameraMotionCompensation", "warp_mode": "cv2.MOTION_EUCLIDEAN"},
        {"type": "CrossEntropyLoss", "class_weight": [1.0, 2.0]},
        {"type": "mmdet.BertModel", "name": "bert-base-uncased"},
        {"type": None},
    ],
)
def test_its_other_values_are_allowed(model: dict[str, Any]) -> None:
    make_request({"head": model}, "mmseg")


@pytest.mark.parametrize("where", ["train_cfg", "test_cfg", "data_preprocessor", "plugins"])
def test_every_place_is_looked_at(where: str) -> None:
    """`nms.type` is evaluated by mmcv, and heads build what `train_cfg` names."""
    assert f"{where}.rcnn[0].nms.type" in str(refused({where: {"rcnn": [{"nms": {"type": EVIL}}]}}))


@pytest.mark.parametrize("scope", ["evil", "mmengine.utils", "", 3, ["mmdet"]])
def test_a_scope_from_elsewhere_is_refused(scope: object) -> None:
    assert "_scope_" in str(refused({"type": "FPN", "_scope_": scope}))


def test_a_scope_within_decides_on_the_names_below() -> None:
    make_request({"type": "PixelDecoder", "_scope_": "mmdet"}, "mmseg")
    refused({"type": "LightHamHead", "_scope_": "mmdet"})


@pytest.mark.parametrize("key", ["_base_", "_delete_"])
def test_a_key_that_a_reader_would_follow_is_refused(key: str) -> None:
    assert f"model.head[0].{key}" in str(refused({"type": "FCNHead", key: "x.py"}))


@pytest.mark.parametrize("kind", ["Evil", "os.system", "mmseg.Evil"])
def test_an_initialiser_that_is_on_no_list_is_left_out(kind: str) -> None:
    """A state dict does not need it, and code that is not here may register a user's own."""
    model = {"type": "FCNHead", "init_cfg": {"type": kind, "checkpoint": "x"}}
    assert "init_cfg': None" in make_request(model, "mmseg").model


def test_an_initialiser_within_another_loads_no_file_either() -> None:
    init = {"type": "Normal", "override": {"type": "Pretrained", "checkpoint": "x"}}
    assert "init_cfg': None" in make_request({"type": "FCNHead", "init_cfg": init}, "mmseg").model


@pytest.mark.parametrize("kind", ["Llava", "BlipCaption", "CLIPZeroShot", "OFA", "ask_install"])
def test_a_class_that_could_not_be_looked_at_is_refused(kind: str) -> None:
    """Its package was missing where the list was made, and a stand-in answered for it."""
    assert "model.head[0].type: " in str(refused({"type": f"mmpretrain.{kind}"}))


def test_a_users_own_class_comes_in_by_its_package() -> None:
    make_request({"type": "MyHead"}, "mmseg", allow_imports=["mine"])
    make_request({"type": "mine.heads.MyHead"}, "mmseg", allow_imports=["mine"])
    with pytest.raises(ConfigError):
        make_request({"type": "os.system"}, "mmseg", allow_imports=["mine"])
    with pytest.raises(ConfigError):
        make_request({"type": "minefield.Head"}, "mmseg", allow_imports=["mine"])


def _thing(module: str) -> object:
    return type("Thing", (), {"__module__": module})


@pytest.mark.parametrize(
    ("module", "key", "registry", "packages", "may"),
    [
        ("mmseg.models", "FCNHead", "model", (), True),
        ("mmseg.elsewhere_by_now", "mmseg.FCNHead", "model", (), True),
        ("torch.nn.modules.batchnorm", "torch.nn.BatchNorm2d", "model", (), True),
        ("evil", "FCNHead", "model", (), False),
        ("evil", "FCNHead", "model", ("evil",), True),
        ("mmseg.models", "FCNHead", "hook", (), False),
        ("mmseg.models", "VPD", "model", (), False),
        ("mmseg.models", "VPD", "model", ("mmseg",), True),
        ("mmseg.models", "Unheard", "model", (), False),
    ],
)
def test_the_child_judges_by_the_class_that_is_found(
    module: str, key: str, registry: str, packages: tuple[str, ...], may: bool
) -> None:
    assert classes.may_build(_thing(module), key, registry, packages) is may


def _registry(name: str, parent: object = None) -> Any:
    return SimpleNamespace(name=name, parent=parent)


@pytest.mark.parametrize(
    ("registry", "kind"),
    [
        (_registry("task util"), "task_util"),
        (_registry("model", _registry("model")), "model"),
        # As in mmdet, and as in a project below it.
        (_registry("b c", _registry("a c")), "a_c"),
        (_registry("mine", _registry("b c", _registry("a c"))), "a_c"),
    ],
)
def test_a_registry_is_of_the_kind_that_it_falls_back_on(registry: Any, kind: str) -> None:
    assert classes.kind_of(registry) == kind


@pytest.mark.mm
@pytest.mark.parametrize("scope", ["mmengine", "mmdet", "mmseg"])
def test_each_scope_has_optimizers_of_one_kind(scope: str) -> None:
    registry = importlib.import_module(f"{scope}.registry").OPTIM_WRAPPER_CONSTRUCTORS
    assert classes.kind_of(registry) == "optimizer_wrapper_constructor"
