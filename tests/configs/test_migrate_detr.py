"""The shipped configs of DETR, Deformable DETR, YOLACT and of mmdet 2.x become the current ones.

Settings are compared one by one, and each difference is stated here. Then the models are compared
as they are built, module by module, with every number, flag and word that a module holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from make_old_models import DETRS, MASKS, load

from mm_ckpt_migrate.configs.migrate.values import is_old, migrate_config
from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.configs.read.shipped import shipped_config
from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.identify.layouts.table import load_table
from mm_ckpt_migrate.mapping.rules.library import Library

DET2 = "mmdet-2.28.2"
NEW_DETRS = load(*DETRS, releases=("mmdet",))
OLDER = load(*MASKS, *DETRS, "yolact", releases=(DET2,))
RPN = load("rpn", releases=(DET2,))
CHANGED = NEW_DETRS | OLDER
# Swin asks a tensor for its value while it is built, so that it must be built in full.
LIGHT = [name for name in CHANGED | RPN if "swin" not in name]

NOT_STATED = "(not stated)"
# What differs: ours, the shipped one's. Where only one states it, it is the default of the other.
DETR = {
    "encoder.layer_cfg.ffn_cfg.num_fcs": (NOT_STATED, 2),
    **{
        f"{coder}.layer_cfg.ffn_cfg.act_cfg.{key}": (NOT_STATED, value)
        for coder in ("encoder", "decoder")
        for key, value in (("type", "ReLU"), ("inplace", True))
    },
}
DEFORMABLE = {"bbox_head.embed_dims": (256, NOT_STATED), "decoder.layer_cfg.ffn_cfg.num_fcs": (2, NOT_STATED)}
YOLACT = {"train_cfg.sampler.type": (NOT_STATED, "PseudoSampler")}
EXPLAINED = {"detr": DETR, "deformable_detr": DEFORMABLE, "yolact": YOLACT}


def folder_of(name: str) -> str:
    return name.partition("::")[2].partition("/")[0]


def shipped(name: str) -> Any:
    """The model of the current release's config."""
    release, _, config = name.partition("::")
    counterparts = load_table().counterparts["mmdet-3.0.0rc4" if release == "mmdet" else release]
    return read_config(shipped_config(f"mmdet::{counterparts[config]}"))["model"]


def migrated(name: str, library: Library) -> Any:
    old = CHANGED[name] if name in CHANGED else RPN[name]
    keys = () if name in RPN else None
    return migrate_config({"model": old}, library.families, name, keys).config["model"]


def flat(settings: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(settings, dict) and settings:
        for key, value in settings.items():
            yield from flat(value, f"{path}.{key}".removeprefix("."))
    else:
        yield path, settings


def test_all_are_there() -> None:
    found = [(n.partition("::")[0], folder_of(n)) for n in CHANGED | RPN]
    counts = {kind: found.count(kind) for kind in found}
    assert counts == {
        ("mmdet", "detr"): 4,
        ("mmdet", "deformable_detr"): 3,
        (DET2, "detr"): 1,
        (DET2, "deformable_detr"): 3,
        (DET2, "yolact"): 3,
        (DET2, "rpn"): 11,
        (DET2, "maskformer"): 2,
        (DET2, "mask2former"): 11,
    }


@pytest.mark.parametrize("name", CHANGED)
def test_it_migrates_once(name: str, library: Library) -> None:
    old = {"model": CHANGED[name], "work_dir": "work"}
    before = repr(old)
    result = migrate_config(old, library.families, name)
    assert repr(old) == before
    assert result.family == folder_of(name)
    assert is_old(old, library.families)
    assert not is_old(result.config, library.families)
    assert len(set(result.changes)) == len(result.changes)
    again = migrate_config(result.config, library.families, name)
    assert (again.config, again.family, again.edits) == (result.config, None, ())


@pytest.mark.parametrize("name", RPN)
def test_an_rpns_config_has_nothing_to_migrate(name: str, library: Library) -> None:
    """mmdet still calls the head `rpn_head` there."""
    config = {"model": RPN[name]}
    with pytest.raises(ConfigError, match="nothing to migrate"):
        migrate_config(config, library.families, name)
    result = migrate_config(config, library.families, name, ["rpn_head.rpn_conv.weight"])
    assert (result.config, result.family, result.edits) == (config, None, ())


@pytest.mark.mm
@pytest.mark.parametrize("name", [name for name in CHANGED if folder_of(name) not in MASKS])
def test_the_same_settings_as_the_shipped_config(name: str, library: Library) -> None:
    pytest.importorskip("mmdet")
    ours, theirs = dict(flat(migrated(name, library))), dict(flat(shipped(name)))
    different = {
        key: (ours.get(key, NOT_STATED), theirs.get(key, NOT_STATED))
        for key in ours.keys() | theirs.keys()
        if repr(ours.get(key, NOT_STATED)) != repr(theirs.get(key, NOT_STATED))
    }
    if name.startswith(DET2):
        # mmdet 2.x normalised images in the pipeline.
        parts = {key for key in different if key.startswith("data_preprocessor.")}
        assert all(different.pop(key)[0] == NOT_STATED for key in parts)
        assert parts
    assert different == EXPLAINED[folder_of(name)]


@pytest.mark.mm
@pytest.mark.parametrize("name", load(*MASKS, releases=(DET2,)))
def test_masks_of_mmdet_2_as_those_of_mmdet_3(name: str, library: Library) -> None:
    """Those are compared setting by setting elsewhere; here all beside the layers is."""
    pytest.importorskip("mmdet")
    ours, theirs = dict(flat(migrated(name, library))), dict(flat(shipped(name)))
    layers = (".transformer_decoder.", ".pixel_decoder.", "data_preprocessor.")
    rest = [{k: v for k, v in m.items() if not any(p in k for p in layers)} for m in (ours, theirs)]
    assert repr(sorted(rest[0].items())) == repr(sorted(rest[1].items()))
    assert any(key.startswith("train_cfg.assigner.match_costs") for key in rest[0])


@pytest.mark.mm
@pytest.mark.parametrize(
    "name",
    [
        "detr/detr_r50_8xb2-150e_coco.py",
        "deformable_detr/deformable-detr_r50_16xb2-50e_coco.py",
        "yolact/yolact_r50_8xb8-55e_coco.py",
    ],
)
def test_a_shipped_config_stays_as_it_is(name: str, library: Library) -> None:
    pytest.importorskip("mmdet")
    config = read_config(shipped_config(f"mmdet::{name}"))
    result = migrate_config(config, library.families, name)
    assert (result.config, result.family, result.edits) == (config, None, ())
    assert not is_old(config, library.families)


# --- as built -----------------------------------------------------------------------------------

# One drops the output once, written in one of two ways: see test_migrate_shipped.
DROPS = (".proj_drop", ".dropout_layer")


@pytest.fixture(scope="module")
def stack() -> None:
    pytest.importorskip("mmdet")
    from mm_ckpt_migrate.releases.current.child.build import import_stack

    import_stack("mmdet", [], ("mmdet", "mmcv", "mmengine"), ())


def built(model: Any) -> Any:
    """The model on the meta device."""
    import torch
    from mmdet.registry import MODELS
    from mmengine.config import ConfigDict

    with torch.device("meta"):
        return MODELS.build(ConfigDict(model | {"_scope_": "mmdet"}))


def facts(model: Any) -> dict[str, Any]:
    """Of every module its class, its plain attributes and, of a leaf, how it prints."""
    plain = (bool, int, float, str, tuple, type(None))
    return {
        path: (
            type(module).__name__,
            {key: value for key, value in vars(module).items() if isinstance(value, plain)},
            "" if list(module.children()) else str(module),
        )
        for path, module in model.named_modules()
        if not path.startswith("data_preprocessor")
    }


def layout(model: Any) -> list[tuple[str, tuple[int, ...], str]]:
    state = model.state_dict().items()
    return [(name, tuple(tensor.shape), str(tensor.dtype)) for name, tensor in state]


@pytest.mark.mm
@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("name", LIGHT)
def test_the_same_model_as_the_shipped_config(name: str, library: Library) -> None:
    ours, theirs = (built(model) for model in (migrated(name, library), shipped(name)))
    assert layout(ours) == layout(theirs)
    found = facts(ours), facts(theirs)
    assert list(found[0]) == list(found[1])
    different = {path for path in found[0] if found[0][path] != found[1][path]}
    if folder_of(name) == "maskformer":
        # The old decoder's feed-forward network had no dropout.
        different -= {path for path in different if "decoder.layers." in path and ".ffn." in path}
    if folder_of(name) in MASKS:
        different -= {path for path in different if path.endswith(DROPS)}
    assert different == set()
    assert len(found[0]) > 100


@pytest.mark.mm
@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("path", "value", "module"),
    [
        ("decoder.layer_cfg.ffn_cfg.ffn_drop", 0.2, "decoder.layers.0.ffn.layers.0.2"),
        ("encoder.layer_cfg.self_attn_cfg.num_heads", 4, "encoder.layers.0.self_attn"),
        ("encoder.layer_cfg.self_attn_cfg.dropout", 0.3, "encoder.layers.0.self_attn.attn"),
        ("positional_encoding.normalize", False, "positional_encoding"),
    ],
)
def test_the_comparison_can_fail(path: str, value: Any, module: str, library: Library) -> None:
    name = "mmdet::detr/detr_r18_8xb2-500e_coco.py"
    model = migrated(name, library)
    here = model
    *keys, last = path.split(".")
    for key in keys:
        here[key] = dict(here[key])
        here = here[key]
    here[last] = value
    found = facts(built(model)), facts(built(shipped(name)))
    assert found[0][module] != found[1][module]
