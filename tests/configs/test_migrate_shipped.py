"""Every MaskFormer and Mask2Former config of the old releases becomes the shipped new one.

Old and new are compared as the classes of the installed release see them: with their defaults
filled in, and then as the heads that they build. The table in the output tells what was compared.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from make_old_models import MASKS, load

from mm_ckpt_migrate.configs.migrate.values import migrate_config
from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.configs.read.shipped import shipped_config
from mm_ckpt_migrate.mapping.rules.library import Library

OLD = load(*MASKS)

# What differs, and why that is right. Nothing else may.
FFN_DROP = "ffn_drop: the old decoder layer computed with 0.0, whatever ffn_cfgs said"
DROPOUT = "dropout: the same mask, once on the output, written as dropout or as proj_drop"
EXPLAINED = {"transformer_decoder.layer_cfg.ffn_cfg.ffn_drop": ((0.0, 0.1), FFN_DROP)}


def test_all_of_both_releases_are_there() -> None:
    counts = [sum(name.startswith(scope) for name in OLD) for scope in ("mmseg::", "mmdet::")]
    assert counts == [17, 13]
    assert sum("/maskformer_" in name for name in OLD) == 6


def test_all_migrate_without_the_stack(library: Library) -> None:
    for name, model in OLD.items():
        migrated = migrate_config({"model": model}, library.families, name)
        assert migrated.family == name.partition("::")[2].partition("/")[0]
        again = migrate_config(migrated.config, library.families, name)
        assert (again.config, again.family, again.edits) == (migrated.config, None, ())


class Classes:
    """The classes that the new release builds, by where their settings are in a head."""

    def __init__(self, family: str, pixel_decoder: str) -> None:
        from mmcv.cnn.bricks.transformer import FFN, MultiheadAttention
        from mmcv.ops import MultiScaleDeformableAttention
        from mmdet.models.layers import SinePositionalEncoding
        from mmdet.models.layers.transformer import (
            DetrTransformerDecoder,
            DetrTransformerDecoderLayer,
            DetrTransformerEncoder,
            DetrTransformerEncoderLayer,
            Mask2FormerTransformerDecoder,
            Mask2FormerTransformerDecoderLayer,
            Mask2FormerTransformerEncoder,
        )
        from mmdet.registry import MODELS

        masked = family == "mask2former"
        kind = pixel_decoder.removeprefix("mmdet.")
        decoder, encoder = "transformer_decoder", "pixel_decoder.encoder"
        self.table = {
            "positional_encoding": SinePositionalEncoding,
            "pixel_decoder": MODELS.get(kind),
            "pixel_decoder.positional_encoding": SinePositionalEncoding,
            decoder: Mask2FormerTransformerDecoder if masked else DetrTransformerDecoder,
            f"{decoder}.layer_cfg": (
                Mask2FormerTransformerDecoderLayer if masked else DetrTransformerDecoderLayer
            ),
            f"{decoder}.layer_cfg.self_attn_cfg": MultiheadAttention,
            f"{decoder}.layer_cfg.cross_attn_cfg": MultiheadAttention,
            f"{decoder}.layer_cfg.ffn_cfg": FFN,
            encoder: Mask2FormerTransformerEncoder if masked else DetrTransformerEncoder,
            f"{encoder}.layer_cfg": DetrTransformerEncoderLayer,
            f"{encoder}.layer_cfg.self_attn_cfg": (
                MultiScaleDeformableAttention if "MSDeform" in kind else MultiheadAttention
            ),
            f"{encoder}.layer_cfg.ffn_cfg": FFN,
        }
        self.attention = MultiheadAttention


def filled(settings: dict[str, Any], path: str, classes: Classes) -> Iterator[tuple[str, Any]]:
    """All settings as a class of the new release gets them, flat, with its own defaults."""
    kind = classes.table.get(path)
    if kind is not None:
        parameters = inspect.signature(inspect.unwrap(kind.__init__)).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        settings = {**defaults, **settings}
        if kind is classes.attention:
            settings = {**settings, **dropout_as_computed(settings)}
            settings.pop("dropout", None)
    for key, value in settings.items():
        inner = f"{path}.{key}".removeprefix(".")
        if isinstance(value, dict) and value:
            yield from filled(value, inner, classes)
        else:
            yield inner, value


def dropout_as_computed(settings: dict[str, Any]) -> dict[str, Any]:
    """MultiheadAttention drops attention weights, and twice in a row its output."""
    if "dropout" in settings:
        given = {"attn_drop": settings["dropout"]}
        layer = settings["dropout"]
    else:
        given = {}
        layer = (settings["dropout_layer"] or {"drop_prob": 0.0})["drop_prob"]
    chances = tuple(chance for chance in (settings["proj_drop"], layer) if chance)
    return {**given, "proj_drop": chances, "dropout_layer": None}


def head_of(model: dict[str, Any]) -> dict[str, Any]:
    return model["decode_head"] if "decode_head" in model else model["panoptic_head"]


@pytest.fixture(scope="session")
def stack() -> None:
    pytest.importorskip("mmseg")
    from mm_ckpt_migrate.releases.current.child.build import import_stack

    import_stack("mmdet", ["mmseg.models"], ("mmdet", "mmseg", "mmcv", "mmengine"), ())


@pytest.mark.mm
@pytest.mark.usefixtures("stack")
def test_the_same_settings_as_the_shipped_config(library: Library, capsys: Any) -> None:
    lines = []
    for name, old in OLD.items():
        migrated: Any = migrate_config({"model": old}, library.families, name)
        new: Any = read_config(shipped_config(name))["model"]
        heads = head_of(migrated.config["model"]), head_of(new)
        classes = Classes(migrated.family, heads[1]["pixel_decoder"]["type"])
        ours, theirs = (dict(filled(head, "", classes)) for head in heads)
        rest = [{k: v for k, v in m.items() if not k.endswith("head")} for m in (old, new)]
        assert rest[0] == rest[1] or name.startswith("mmdet::"), name
        different = {
            k: (ours.get(k), theirs.get(k))
            for k in ours.keys() | theirs.keys()
            if (k in ours, ours.get(k)) != (k in theirs, theirs.get(k))
        }
        reasons = []
        for key, values in different.items():
            allowed, reason = EXPLAINED[key]
            assert (values, migrated.family) == (allowed, "maskformer"), (name, key, values)
            reasons.append(reason)
        if "'dropout': 0.1" in str(heads[1]):
            reasons.append(DROPOUT)
        lines.append(f"{name[:88]:88} {len(ours):4} {len(different):2}  {'; '.join(reasons)}")
        if migrated.family == "maskformer":
            assert different, f"{name}: has upstream changed the shipped config?"
    with capsys.disabled():
        print(f"\n{'config':88}  all differ", *lines, sep="\n")  # noqa: T201


@pytest.mark.mm
@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("name", OLD)
def test_the_same_head_as_the_shipped_config(name: str, library: Library) -> None:
    """Module by module, with every size, probability and flag that they print."""
    migrated: Any = migrate_config({"model": OLD[name]}, library.families, name).config
    new: Any = read_config(shipped_config(name))["model"]
    ours, theirs = (built(head_of(model), name) for model in (migrated["model"], new))
    if "/maskformer_" in name:
        theirs = [undropped(*module) for module in theirs]
    assert ours == theirs


def built(head: dict[str, Any], name: str) -> list[tuple[str, str]]:
    """What each module of the head says of itself; nothing is allocated."""
    import torch
    from mmengine.config import ConfigDict

    package = name.partition("::")[0]
    registry = __import__(f"{package}.registry", fromlist=["MODELS"]).MODELS
    with torch.device("meta"):
        # Another test may have left another package's scope behind.
        settings = {k: v for k, v in head.items() if k != "train_cfg"} | {"_scope_": package}
        module = registry.build(ConfigDict(settings))
    described = [(path, facts(inner)) for path, inner in module.named_modules()]
    return [(path, text) for path, text in described if text]


def facts(module: Any) -> str:
    """A module without children; of an attention, what it does to its output as well."""
    name = type(module).__name__
    if name == "MultiheadAttention" and hasattr(module, "proj_drop"):
        chances = (module.proj_drop.p, getattr(module.dropout_layer, "p", 0.0))
        # Either of the two does the same: see DROPOUT.
        module.proj_drop, module.dropout_layer = None, None
        return f"{name} {module.batch_first} {module.attn.dropout} {sorted(chances)}"
    return "" if list(module.children()) else str(module)


def undropped(path: str, text: str) -> tuple[str, str]:
    """The shipped decoder's feed-forward network without its dropout: see FFN_DROP."""
    in_network = path.startswith("transformer_decoder.layers.") and ".ffn.layers." in path
    return path, text.replace("p=0.1", "p=0.0") if in_network else text
