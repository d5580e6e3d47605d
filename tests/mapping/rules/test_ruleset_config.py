"""The `config` section of a rule file: each word is known, and no entry contradicts itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate.errors import RuleError
from mm_ckpt_migrate.mapping.rules.library import Library
from mm_ckpt_migrate.mapping.rules.load import load_ruleset

Refused = Callable[[bytes | str], RuleError]

ENTRY = """\
config:
  - at: ["model.{head}.layer"]
    type: Layer
    rename: {old: new}
    split:
      pair: [second, first]
    move: {width: pair.channels}
    copy: {pair.size: old.size}
    set: {flag: true}
    drop: {gone: false}
    unused: [idle]
    default: {width: 4, kept: "0.5"}
    keep: [new, first, second, flag, kept]
"""


def test_an_entry_of_all_fields(minimal: str, tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(minimal + ENTRY)
    (rule,) = load_ruleset(path).config
    assert rule.governs(("model", "left", "layer"))
    assert not rule.governs(("model", "middle", "layer"))
    assert (rule.kinds, rule.rename) == (("Layer",), {"old": "new"})
    assert rule.split == {"pair": ("second", "first")}
    assert rule.move == {"width": ("pair", "channels")}
    assert rule.copy == {("pair", "size"): ("old", "size")}
    assert (rule.flags, rule.drop, rule.unused) == ({"flag": True}, {"gone": False}, ("idle",))
    assert repr(rule.defaults) == "{'width': 4, 'kept': 0.5}"
    assert rule.keep == ("new", "first", "second", "flag", "kept")


def test_the_section_may_be_left_out(minimal: str, tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(minimal)
    assert load_ruleset(path).config == ()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("type: Layer", "typ: Layer", "`typ` is not a field"),
        ("type: Layer", "type: My Layer", "no word"),
        ('at: ["model.{head}.layer"]', "keep2: []", "`at` is missing"),
        ('at: ["model.{head}.layer"]', "at: []", "at least 1"),
        ('at: ["model.{head}.layer"]', 'at: ["model..layer"]', "no segment"),
        ('at: ["model.{head}.layer"]', 'at: ["model.{head}.**"]', "is no path of one dict"),
        ("rename: {old: new}", "rename: {old: new.er}", "no word"),
        ("rename: {old: new}", "rename: {old: other}", "`other` is not among"),
        ("rename: {old: new}", "rename: [old]", "a table is expected"),
        ("pair: [second, first]", "pair: []", "at least 1"),
        ("pair: [second, first]", "pair: [third]", "`third` is not among"),
        ("move: {width: pair.channels}", "move: {width: channels}", "no word"),
        ("move: {width: pair.channels}", "move: {width: a.b.c}", "no word"),
        ("move: {width: pair.channels}", "move: {width: other.c}", "neither renamed nor split"),
        ("copy: {pair.size: old.size}", "copy: {size: old.size}", "of the form setting.name"),
        ("copy: {pair.size: old.size}", "copy: {pair.a: x.b}", "`x` is neither renamed"),
        ("set: {flag: true}", "set: {flag: 1}", "must be true or false"),
        ("set: {flag: true}", "set: {other: true}", "`other` is not among"),
        ("drop: {gone: false}", "drop: {gone: []}", "must hold text"),
        ("drop: {gone: false}", "drop: {gone: 0.5}", "Quote it"),
        ("drop: {gone: false}", "drop: {old: false}", "more than one thing of `old`"),
        ("unused: [idle]", "unused: [type]", "more than one thing of `type`"),
        ("unused: [idle]", "unused: [kept]", "more than one thing of `kept`"),
        ("default: {width: 4,", "default: {other: 4,", "`other` is not among"),
        ("keep: [new, first, second, flag, kept]", "keep: []", "at least 1"),
        ("config:\n", "config: []\nx:\n", "at least 1"),
    ],
)
def test_a_fault_is_told_with_its_line(
    old: str, new: str, reason: str, minimal: str, refused: Refused
) -> None:
    text = minimal + ENTRY
    assert old in text
    error = refused(text.replace(old, new))
    assert reason in error.message + error.hint
    assert error.line is not None
    assert error.line > minimal.count("\n")


def test_both_families_say_what_becomes_of_a_config(library: Library) -> None:
    for rules in library.families:
        at_layers = [f"model.{role.config.text}" for role in rules.roles]
        places = [place.text for rule in rules.config for place in rule.places]
        assert set(at_layers) <= set(places)
        assert len(places) == len(set(places))


@pytest.mark.mm
def test_what_is_kept_is_what_the_new_classes_take(library: Library) -> None:
    """Else a migrated config would not build, or a setting that it could have be refused."""
    pytest.importorskip("mmdet")
    from mm_ckpt_migrate.releases.current.child.build import import_stack

    import_stack("mmdet", [], ("mmdet", "mmcv", "mmengine"), ())
    # Settings of the new classes that the old ones had not, or ignored.
    newer = {"num_cp", "value_proj_ratio", "layer_scale_init_value"}
    for rules in library.families:
        for rule in rules.config:
            if classes := [kind for name in rule.kinds for kind in _classes(name, rules.family)]:
                takes = set().union(*map(_parameters, classes))
                assert set(rule.keep) <= takes, classes
                assert takes - set(rule.keep) <= newer, classes


@pytest.mark.mm
def test_what_moves_up_is_what_the_detector_takes(library: Library) -> None:
    pytest.importorskip("mmdet")
    from mmdet.models import dense_heads, detectors

    families = {rules.family: rules for rules in library.families}
    for family, kind in (("detr", "DETR"), ("deformable_detr", "DeformableDETR")):
        rules = families[family]
        moved = {r.target[1:] for r in rules.relocations if r.target}
        detector = _arguments(getattr(detectors, kind))
        head = _arguments(getattr(dense_heads, f"{kind}Head"))
        assert {path[0] for path in moved if len(path) == 1} <= detector
        stay = next(set(r.keep) for r in rules.config if r.governs(("model", "bbox_head")))
        gone = {r.source[2] for r in rules.relocations if r.source and not r.keep}
        new = {path[1] for path in moved if path[0] == "bbox_head"}
        assert (stay - gone - {"type"}) | new == head - {
            "share_pred_layer",
            "num_pred_layer",
            "as_two_stage",  # the detector sets them
        }


def _arguments(kind: Any) -> set[str]:
    """Names of the arguments of a constructor and of those that it hands the rest to."""
    import inspect

    names: set[str] = set()
    for base in kind.__mro__:
        init = base.__dict__.get("__init__")
        if init is None or not base.__module__.startswith("mmdet"):
            continue
        parameters = inspect.signature(init).parameters.values()
        names |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return names - {"self"}


def _classes(name: str, family: str) -> list[Any]:
    from mmcv.cnn.bricks import transformer as bricks
    from mmdet.models import layers
    from mmdet.models.layers import transformer
    from mmdet.models.layers.transformer import detr_layers

    masked = family == "mask2former"
    if name in ("FFN", "MultiheadAttention"):
        return [getattr(bricks, name)]
    named: dict[str, list[Any]] = {
        "MultiScaleDeformableAttention": [_deformable()],
        "SinePositionalEncoding": [layers.SinePositionalEncoding],
        "DetrTransformerDecoder": [
            transformer.Mask2FormerTransformerDecoder if masked else detr_layers.DetrTransformerDecoder
        ],
        "DeformableDetrTransformerDecoder": [transformer.DeformableDetrTransformerDecoder],
        "DetrTransformerDecoderLayer": [detr_layers.DetrTransformerDecoderLayer],
        "DetrTransformerEncoder": [
            transformer.Mask2FormerTransformerEncoder if masked else detr_layers.DetrTransformerEncoder
        ],
        "BaseTransformerLayer": [detr_layers.DetrTransformerEncoderLayer],
    }
    return named.get(name, [])


def _deformable() -> Any:
    from mmcv.ops import MultiScaleDeformableAttention

    return MultiScaleDeformableAttention


def _parameters(kind: Any) -> set[str]:
    """Names of a constructor's arguments, with those that it passes on or still understands."""
    import inspect

    import torch

    parameters = inspect.signature(inspect.unwrap(kind.__init__)).parameters
    names = {name for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD} - {"self"}
    if kind.__name__ == "MultiheadAttention":
        inner = set(inspect.signature(torch.nn.MultiheadAttention.__init__).parameters)
        # `dropout` is the old word for two others; batch_first is the wrapper's own.
        names |= inner - {"self", "device", "dtype", "embed_dim"}
    return names | ({"dropout", "add_residual"} if kind.__name__ == "FFN" else set())
