"""Building real models in the child: what comes out, and what a config cannot do."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate.errors import ConfigError, MissingSoftwareError
from mm_ckpt_migrate.releases.allowed.request import make_request
from mm_ckpt_migrate.releases.current import cache, stack
from mm_ckpt_migrate.releases.current.process import TargetProcess
from mm_ckpt_migrate.releases.current.resolve import resolve_target
from mm_ckpt_migrate.schema import TargetModel

pytestmark = pytest.mark.mm

LAYOUTS = json.loads(Path(__file__).with_name("layouts.json").read_text())


def build(model: dict[str, Any], scope: str = "mmseg", **options: Any) -> TargetModel:
    with TargetProcess(make_request(model, scope, **options)) as process:
        return process.schema()


def digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, separators=(",", ":")).encode()).hexdigest()[:16]


# --- what comes out -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "mmseg/maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py",
        "mmseg/mask2former/mask2former_swin-t_8xb2-160k_ade20k-512x512.py",
        "mmdet/mask2former/mask2former_r50_8xb2-lsj-50e_coco.py",
        "mmdet/maskformer/maskformer_swin-l-p4-w12_64xb1-ms-300e_coco.py",
    ],
)
def test_a_shipped_config_has_its_recorded_layout(name: str) -> None:
    """`layouts.json` was derived from tables read off the real releases, filled on the CPU."""
    from mmengine.config import Config

    scope, _, path = name.partition("/")
    spec = importlib.util.find_spec(scope)
    assert spec is not None
    assert spec.origin is not None
    config = Config.fromfile(Path(spec.origin).parent / ".mim/configs" / path, import_custom_modules=False)
    model = build(config.model.to_dict(), scope)
    tensors = [[t.name, list(t.shape), t.dtype] for t in model.schema.tensors]
    found = {"tensors": len(tensors), "layout": digest(tensors), "order": digest(model.parameters)}
    assert found == LAYOUTS[name]


def test_a_small_model_is_described(small_model: dict[str, Any]) -> None:
    model = build(small_model)
    assert str(model.schema["backbone.stem.0.weight"]) == ("backbone.stem.0.weight float32[32, 3, 3, 3]")
    assert str(model.schema["backbone.stem.1.num_batches_tracked"]).endswith("int64[]")
    assert set(model.parameters) < set(model.schema.names)
    assert "backbone.stem.1.running_mean" not in model.parameters
    assert model.schema.modules is not None
    assert model.schema.modules["backbone.stem.1"] == 2
    assert model.stack == stack.installed().versions
    assert {"torch", "mmengine", "mmdet", "mmsegmentation"} <= set(model.stack)
    assert not model.cached


def test_frozen_parameters_are_named(small_model: dict[str, Any]) -> None:
    """mmengine's optimizer makes no groups for them."""
    assert build(small_model).frozen == ()
    small_model["backbone"]["frozen_stages"] = 1
    model = build(small_model)
    frozen = [n for n in model.parameters if n.startswith(("backbone.stem.", "backbone.layer1."))]
    assert list(model.frozen) == frozen
    assert 0 < len(frozen) < len(model.parameters)


def test_shared_weights_are_ties(small_model: dict[str, Any]) -> None:
    small_model["decode_head"] = {
        "type": "ANNHead",
        "in_channels": (256, 512),
        "in_index": (2, 3),
        "channels": 8,
        "project_channels": 8,
        "num_classes": 4,
        "norm_cfg": {"type": "BN"},
    }
    ties = build(small_model).schema.ties
    prefix = "decode_head.context.stages.0."
    tie = (f"{prefix}key_project.conv.weight", f"{prefix}query_project.conv.weight")
    assert tie in ties


def test_the_second_time_the_schema_comes_from_the_cache(small_model: dict[str, Any]) -> None:
    with resolve_target(small_model, "mmseg") as target:
        first = target.schema()
    with resolve_target(small_model, "mmseg") as target:
        second = target.schema()
    assert (first.cached, second.cached) == (False, True)
    assert (first.schema, first.parameters) == (second.schema, second.parameters)
    assert first.frozen == second.frozen


def test_pretrained_weights_are_not_asked_for(small_model: dict[str, Any]) -> None:
    plain = build(small_model)
    nowhere = "http://127.0.0.1:9/weights.pth"
    small_model["pretrained"] = nowhere
    small_model["decode_head"]["init_cfg"] = {"type": "Pretrained", "checkpoint": nowhere}
    assert build(small_model).schema == plain.schema


# --- what cannot be built -------------------------------------------------------------------------


def test_an_unknown_type_is_named(small_model: dict[str, Any]) -> None:
    small_model["decode_head"]["type"] = "NoSuchHead"
    with pytest.raises(ConfigError, match=r"my.py: model.decode_head.type: 'NoSuchHead' is no"):
        build(small_model, source="my.py")


def test_a_wrong_argument_is_named(small_model: dict[str, Any]) -> None:
    small_model["decode_head"]["shape_of_water"] = 1
    with pytest.raises(ConfigError, match="shape_of_water"):
        build(small_model)


def test_a_model_beyond_all_memory_is_refused(small_model: dict[str, Any]) -> None:
    small_model["decode_head"]["channels"] = 10**7
    with pytest.raises(ConfigError, match="allocate"):
        build(small_model)


def test_a_package_that_is_not_installed_is_missing_software(small_model: dict[str, Any]) -> None:
    if importlib.util.find_spec("mmpretrain") is not None:
        pytest.skip("mmpretrain is installed")
    small_model["backbone"] = {"type": "mmpretrain.ConvNeXt"}
    with pytest.raises(MissingSoftwareError, match="mmpretrain is not installed") as caught:
        build(small_model)
    assert caught.value.hint == "pip install mmpretrain"


def test_clashing_releases_are_missing_software(
    small_model: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mmcv").mkdir()
    (tmp_path / "mmcv" / "__init__.py").write_text("__version__ = '2.2.0'")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(MissingSoftwareError, match=r"MMCV==2.2.0 is used but incompatible"):
        build(small_model)


def test_a_child_killed_from_outside_proves_nothing(small_model: dict[str, Any]) -> None:
    with TargetProcess(make_request(small_model, "mmseg")) as process:
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(ConfigError, match=r"verification impossible: .*SIGKILL"):
            process.schema()


def test_a_slow_child_proves_nothing(small_model: dict[str, Any]) -> None:
    request = make_request(small_model, "mmseg")
    with (
        TargetProcess(request, build_seconds=0.01) as process,
        pytest.raises(ConfigError, match=r"verification impossible: no answer within 0.01 s"),
    ):
        process.schema()


# --- what a config cannot do ----------------------------------------------------------------------

INTRUDER = """
import os, pickle, socket, subprocess
from mmseg.registry import MODELS
from mmseg.models.backbones import ResNetV1c

def connect(where):
    socket.create_connection(("127.0.0.1", int(where)), timeout=5)

def run(where):
    subprocess.run(["touch", where])

def system(where):
    os.system(f"touch {where}")

def write(where):
    open(where, "w").close()

def unpickle(where):
    pickle.loads(b"cos\\nmkdir\\n(S'" + where.encode() + b"'\\ntR.")

def build(where):
    MODELS.build(dict(type=where))

def speak(where):
    print('{"ok": false}'); os.write(1, b'{"ok": false}\\n')

@MODELS.register_module()
class Intruder(ResNetV1c):
    def __init__(self, action, where, **kwargs):
        globals()[action](where)
        super().__init__(**kwargs)
"""


@pytest.fixture
def intruder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Options that let a config import a module of our own."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "intruder.py").write_text(INTRUDER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "code"))
    return {"imports": ["intruder"], "allow_imports": ["intruder"]}


def test_an_allowed_import_is_built_from_and_its_prints_do_no_harm(
    small_model: dict[str, Any], intruder: dict[str, Any]
) -> None:
    plain = build(small_model)
    small_model["backbone"].update(type="Intruder", action="speak", where="")
    assert build(small_model, **intruder).schema == plain.schema


def test_nothing_built_from_foreign_code_is_cached(
    small_model: dict[str, Any], intruder: dict[str, Any]
) -> None:
    small_model["backbone"].update(type="Intruder", action="speak", where="")
    with resolve_target(small_model, "mmseg", **intruder) as target:
        target.schema()
    assert not cache.folder().exists()


@pytest.mark.parametrize("action", ["run", "system", "write", "unpickle"])
def test_a_constructor_cannot_act(
    small_model: dict[str, Any], intruder: dict[str, Any], tmp_path: Path, action: str
) -> None:
    small_model["backbone"].update(type="Intruder", action=action, where=str(tmp_path / "harm"))
    with pytest.raises(ConfigError, match="not while a target model is built"):
        build(small_model, **intruder)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("name", ["TIMMBackbone", "mmseg.VPD"])
def test_a_constructor_cannot_make_a_type_that_is_on_no_list(
    small_model: dict[str, Any], intruder: dict[str, Any], name: str
) -> None:
    """Any string setting can become a `type`, so the child asks the list once more."""
    small_model["backbone"].update(type="Intruder", action="build", where=name)
    with pytest.raises(ConfigError, match=f"{name}' is not on the list of classes"):
        build(small_model, **intruder)


def test_a_constructor_cannot_reach_the_network(
    small_model: dict[str, Any], intruder: dict[str, Any]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        port = str(server.getsockname()[1])
        small_model["backbone"].update(type="Intruder", action="connect", where=port)
        with pytest.raises(ConfigError, match="no network while a target model is built"):
            build(small_model, **intruder)
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("kind", ["mmengine.utils.path.os.system", "mmcv.image.io.os.mkdir"])
def test_a_constructor_cannot_leave_the_stack_by_a_detour(
    small_model: dict[str, Any], intruder: dict[str, Any], kind: str
) -> None:
    small_model["backbone"].update(type="Intruder", action="build", where=kind)
    with pytest.raises(ConfigError, match="not in the mmseg::model registry"):
        build(small_model, **intruder)


def test_the_working_directory_is_not_imported_from(
    small_model: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit('the wrong torch')")
    monkeypatch.chdir(tmp_path)
    assert build(small_model).parameters


def test_compiled_operators_are_used_where_they_exist(
    small_model: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.find_spec("mmcv")
    assert spec is not None
    assert spec.origin is not None
    for entry in Path(spec.origin).parent.iterdir():
        (tmp_path / "mmcv").mkdir(exist_ok=True)
        (tmp_path / "mmcv" / entry.name).symlink_to(entry)
    (tmp_path / "mmcv" / "_ext.py").write_text(
        "import sys; print('compiled operators', file=sys.stderr)\n"
        "def __getattr__(name):\n"
        "    if name.startswith('__'): raise AttributeError(name)\n"
        "    return lambda *a: None\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with TargetProcess(make_request(small_model, "mmseg")) as process:
        assert process.schema().stack["mmcv._ext"] == "compiled"
        assert "compiled operators" in process.stderr_tail()
