"""`_metadata`: module paths follow the keys, and lists that are gone lose their entries."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from layouts.tables import DET_NEW, DET_OLD, NEW, OLD, family_of, layout

from mm_ckpt_migrate.mapping.plan import fit_modules, invert, make_plan, migrated_schema
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.schema import Schema

SEG = (OLD, NEW)
DET = (DET_OLD, DET_NEW)
R50 = "maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py"
M2F = "mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py"
SWIN_L = "mask2former/mask2former_swin-l-in22k-384x384-pre_8xb2-160k_ade20k-640x640.py"
ENCODER = "maskformer/maskformer_r50_ms-16xb1-75e_coco.py"

# Entries, those whose path changes, and the emptied lists: measured on models of both releases.
MEASURED = [
    (SEG, R50, 359, 120, 12),
    (SEG, M2F, 573, 276, 30),
    (SEG, SWIN_L, 962, 276, 30),
    (DET, ENCODER, 490, 210, 24),
]


@pytest.mark.parametrize(("releases", "config", "entries", "renamed", "emptied"), MEASURED)
def test_paths_follow_the_keys(
    releases: tuple[str, str],
    config: str,
    entries: int,
    renamed: int,
    emptied: int,
    families: dict[str, RuleSet],
) -> None:
    old = layout(releases[0], config)
    plan = make_plan(old, families[family_of(config)])
    assert old.modules is not None
    assert [m.source for m in plan.modules] == list(old.modules)
    assert len(plan.modules) == entries
    assert sum(m.target not in (None, m.source) for m in plan.modules) == renamed
    gone = [m.source for m in plan.modules if m.target is None]
    assert len(gone) == emptied
    assert all(str(path).endswith((".attentions", ".ffns")) for path in gone)


@pytest.mark.parametrize(("releases", "config"), [case[:2] for case in MEASURED])
def test_fitted_paths_are_the_new_models(
    releases: tuple[str, str], config: str, families: dict[str, RuleSet]
) -> None:
    old, new = (layout(release, config) for release in releases)
    plan = fit_modules(make_plan(old, families[family_of(config)]), new)
    made = migrated_schema(plan, old).modules
    assert made is not None
    assert new.modules is not None
    assert dict(made).items() <= dict(new.modules).items()
    # mmcv's FFN gained an empty module; a model without that entry loads all the same.
    assert all(path.endswith(".gamma2") for path in set(new.modules) - set(made))
    prefixes = {name.rpartition(".")[0] for name in new.names}
    assert prefixes <= set(made)


@pytest.mark.parametrize(("releases", "config"), [case[:2] for case in MEASURED])
def test_the_inverse_brings_every_entry_back(
    releases: tuple[str, str], config: str, families: dict[str, RuleSet]
) -> None:
    old, new = (layout(release, config) for release in releases)
    plan = fit_modules(make_plan(old, families[family_of(config)]), new)
    back = migrated_schema(invert(plan), migrated_schema(plan, old))
    assert back.modules == old.modules


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("decode_head.transformer_decoder.layers.0.attentions.0", "cross_attn"),
        ("decode_head.transformer_decoder.layers.0.attentions.0.attn.out_proj", "cross_attn.attn.out_proj"),
        ("decode_head.transformer_decoder.layers.0.ffns.0.layers.0.0", "ffn.layers.0.0"),
        ("decode_head.transformer_decoder.layers.0.attentions", None),
        ("decode_head.transformer_decoder.layers.0.norms", "norms"),
        ("decode_head.transformer_decoder.layers.0", ""),
    ],
)
def test_a_path_at_a_time(old: str, new: str | None, families: dict[str, RuleSet]) -> None:
    plan = make_plan(layout(OLD, M2F), families["mask2former"])
    target = next(m.target for m in plan.modules if m.source == old)
    layer = "decode_head.transformer_decoder.layers.0"
    assert target == (None if new is None else f"{layer}.{new}".rstrip("."))


def test_without_metadata_nothing_is_invented(families: dict[str, RuleSet]) -> None:
    old = Schema(layout(OLD, R50).tensors, None)
    plan = make_plan(old, families["maskformer"])
    assert plan.modules == ()
    assert migrated_schema(plan, old).modules is None


def test_a_list_that_keeps_something_keeps_its_entry(
    toy: Callable[..., RuleSet], schema: Callable[..., Schema]
) -> None:
    names = ["a.0.old.w", "a.1.w"]
    plan = make_plan(schema(names, ["", "a", "a.0", "a.0.old", "a.1"]), toy())
    targets = {m.source: m.target for m in plan.modules}
    assert targets == {"": "", "a": "a", "a.0": "a.0", "a.0.old": "a.0.new", "a.1": "a.1"}
