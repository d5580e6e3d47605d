"""Somebody's own model: heads of other names, more layers, other modules; and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from layout_pairs import MODELS, derived, layouts_of, loaded, plan_of, renamed, replaced, schema

from mm_ckpt_migrate.derive.assignment import Level
from mm_ckpt_migrate.errors import PlanError, TargetMismatchError
from mm_ckpt_migrate.mapping.plan import compare_layouts, migrated_schema
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.schema import Schema, TensorSpec

MASK2FORMER = "mask2former_mmseg"


def with_layer(layout: Schema, layer: str, number: int) -> Schema:
    """One more layer, equal to the first."""
    first = f"{layer}.0."
    more = [
        TensorSpec(spec.name.replace(first, f"{layer}.{number}."), spec.shape, spec.dtype)
        for spec in layout.tensors
        if spec.name.startswith(first)
    ]
    return Schema((*layout.tensors, *more))


def without(layout: Schema, start: str) -> Schema:
    return Schema(tuple(spec for spec in layout.tensors if not spec.name.startswith(start)))


def test_a_head_of_another_name_on_both_sides(families: dict[str, RuleSet]) -> None:
    layouts = layouts_of(MASK2FORMER)
    change = replaced(r"^decode_head\.", "my_head.")
    found = derived(renamed(layouts.old, change), renamed(layouts.new, change))
    shipped = derived(layouts.old, layouts.new)
    assert [(r.source, r.target) for r in found.rules] == [
        (change(r.source), change(r.target)) for r in shipped.rules
    ]


def test_a_head_that_got_another_name() -> None:
    layouts = layouts_of(MASK2FORMER)
    old = renamed(layouts.old, replaced(r"^decode_head\.", "fork_head.inner."))
    found = derived(old, layouts.new)
    plan = plan_of(found, old)
    assert not compare_layouts(migrated_schema(plan, old), layouts.new)
    assert ("fork_head.inner.**", "decode_head.**") in {(r.source, r.target) for r in found.rules}
    assert plan.targets["fork_head.inner.query_feat.weight"] == "decode_head.query_feat.weight"
    assert len(found.rules) == 6


def test_one_more_layer_on_both_sides() -> None:
    layouts = layouts_of(MASK2FORMER)
    layer = "decode_head.transformer_decoder.layers"
    old, new = (with_layer(side, layer, 9) for side in (layouts.old, layouts.new))
    found = derived(old, new)
    assert len(found.rules) == len(derived(layouts.old, layouts.new).rules)
    assert plan_of(found, old).targets[f"{layer}.9.ffns.0.layers.1.bias"] == (f"{layer}.9.ffn.layers.1.bias")


def test_a_module_of_its_own() -> None:
    layouts = layouts_of("detr")
    old = Schema((*layouts.old.tensors, *schema({"bbox_head.iou.fc.weight": (1, 77)}).tensors))
    new = Schema((*layouts.new.tensors, *schema({"quality.weight": (1, 77)}).tensors))
    pair = next(p for p in derived(old, new).assignment.pairs if p.new == "quality.weight")
    assert (pair.old, pair.level) == ("bbox_head.iou.fc.weight", Level.CERTAIN)


def test_a_layer_that_the_target_lacks_is_no_nonsense() -> None:
    """The other layers are found all the same; what is left over is said, and never dropped."""
    layouts = layouts_of(MASK2FORMER)
    layer = "decode_head.transformer_decoder.layers"
    found = derived(with_layer(layouts.old, layer, 9), layouts.new)
    assert not found.assignment.covers
    assert set(found.assignment.lost) == {
        name for name in with_layer(layouts.old, layer, 9).names if name.startswith(f"{layer}.9.")
    }
    assert found.assignment.table == {
        **derived(layouts.old, layouts.new).assignment.table,
        **{name: name for name in found.assignment.lost},
    }
    assert "DOES NOT COVER" in found.text
    assert f'#  - from: "{layer}.9.norms.0.weight"\n#    drop: true' in found.text
    assert all(rule.target is not None for rule in loaded(found).rules)
    plan = plan_of(found, with_layer(layouts.old, layer, 9))
    assert compare_layouts(migrated_schema(plan, with_layer(layouts.old, layer, 9)), layouts.new)


def test_what_the_target_has_more_is_named() -> None:
    layouts = layouts_of("detr")
    new = Schema((*layouts.new.tensors, *schema({"decoder.scale": (3, 5)}).tensors))
    found = derived(layouts.old, new)
    assert found.assignment.missing == ("decoder.scale",)
    assert "#   decoder.scale" in found.text
    assert found.assignment.table == derived(layouts.old, layouts.new).assignment.table
    assert any("does not cover" in notice for notice in found.notices)


def test_another_number_of_classes_does_not_spoil_the_rest() -> None:
    layouts = layouts_of("detr")
    new = Schema(
        tuple(
            TensorSpec(s.name, (3, *s.shape[1:]), s.dtype) if "fc_cls" in s.name else s
            for s in layouts.new.tensors
        )
    )
    found = derived(layouts.old, new)
    assert found.assignment.lost == ("bbox_head.fc_cls.weight", "bbox_head.fc_cls.bias")
    assert found.assignment.missing == found.assignment.lost
    right = derived(layouts.old, layouts.new).assignment.table
    assert found.assignment.table == right


@pytest.mark.parametrize("model", MODELS)
def test_equal_layouts_need_no_rules(model: str) -> None:
    new = layouts_of(model).new
    found = derived(new, new)
    assert (found.text, found.rules, found.assignment.covers) == ("", (), True)


def test_another_order_alone_needs_no_rules() -> None:
    new = layouts_of("rpn").new
    assert derived(Schema(new.tensors[::-1]), new).text == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("detr", "mask2former_mmseg"),
        ("mask2former_mmseg", "detr"),
        ("detr", "deformable"),
        ("deformable", "detr"),
        ("rpn", "yolact"),
        ("yolact", "rpn"),
        ("rpn", "detr"),
        ("maskformer_mmseg", "mask2former_mmseg"),
        ("mask2former_mmseg", "maskformer_mmdet"),
        ("mask2former_mmseg_swin", "detr"),
        ("maskformer_mmseg_swin", "rpn"),
    ],
)
def test_unrelated_models_are_refused(old: str, new: str) -> None:
    with pytest.raises(TargetMismatchError, match="no new names make"):
        derived(layouts_of(old).old, layouts_of(new).new)


def test_a_fork_of_an_unrelated_name_alone_is_refused() -> None:
    with pytest.raises(TargetMismatchError):
        derived(schema({"a.weight": (2, 3), "a.bias": (2,)}), schema({"b.weight": (3, 2)}))


def test_a_key_that_no_rule_can_name_is_refused() -> None:
    old = schema({"he ad.a": (2, 3), "x.w": (4,), "x.v": (4,)})
    new = schema({"head.a": (2, 3), "x.w": (4,), "x.v": (4,)})
    with pytest.raises(PlanError, match="no rule can name 'he ad'"):
        derived(old, new)


def test_a_model_without_two_equal_shapes_is_refused_for_want_of_a_control() -> None:
    with pytest.raises(PlanError, match="no wrong mapping was found"):
        derived(schema({"a.w": (2, 3), "x.w": (4,)}), schema({"b.w": (2, 3), "x.w": (4,)}))


def test_names_that_changed_places_alone_cannot_be_recognised() -> None:
    old = schema({"a.w": (2, 3), "b.w": (4,), "x.w": (9,), "y.w": (9,)})
    new = schema({"b.w": (2, 3), "a.w": (4,), "x.w": (9,), "y.w": (9,)})
    with pytest.raises(PlanError, match="no name is old alone"):
        derived(old, new)


def test_text_from_outside_stays_text() -> None:
    from mm_ckpt_migrate.derive.assignment import Layouts
    from mm_ckpt_migrate.derive.propose import derive

    layouts = layouts_of("detr")
    hostile = 'a"\nrules: []\n\x1b[2J: {x}'
    found = derive(Layouts(layouts.old, layouts.new, hostile, hostile), "fork")
    assert len(loaded(found).rules) == len(found.rules)
    assert "\x1b" not in found.text
    assert "\nrules: []" not in found.text


def test_the_same_layouts_give_the_same_bytes() -> None:
    """Whatever order this Python's sets have."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from layout_pairs import derived, layouts_of\n"
        "layouts = layouts_of('mask2former_mmseg')\n"
        "print(derived(layouts.old, layouts.new).text)"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(texts) == 1
    assert len(texts.pop()) > 1000
