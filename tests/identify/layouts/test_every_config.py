"""Every config of four older releases with a counterpart: the diagnosis is what the layouts say.

`pytest -s tests/identify/layouts/test_every_config.py` prints the table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.identify.diagnosis.diagnosis import Diagnosis, Finding
from mm_ckpt_migrate.identify.diagnosis.judge import diagnose
from mm_ckpt_migrate.identify.layouts.table import load_table
from mm_ckpt_migrate.mapping.plan import make_plan
from mm_ckpt_migrate.mapping.rules.library import Library, load_rules
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet

TABLE, LIBRARY = load_table(), load_rules()
NO_RULES = Library((), ())
OLDER = list(TABLE.counterparts)
CURRENT = [release for release in TABLE.releases if release not in OLDER]
# How many configs differ from their counterparts, by release and by what is to be done. All others
# are identical.
CHANGED = {
    "mmdet-2.28.2": {"migrate": 20, "loads": 16},
    "mmdet-3.0.0rc4": {"migrate": 20},
    "mmsegmentation-0.30.0": {"config": 23, "cannot": 1},
    "mmsegmentation-1.0.0rc4": {"migrate": 17, "config": 24},
}


def shapes(layout: int) -> dict[str, Any]:
    return {spec.name: (spec.shape, spec.dtype) for spec in TABLE.schema(layout).tensors}


def outcome(old: int, new: int, rules: RuleSet) -> Finding:
    """What a family's rules make of the old layout, held against the new one."""
    try:
        plan = make_plan(TABLE.schema(old), rules)
    except PlanError:
        return Finding.CANNOT
    wanted = shapes(new)
    made = {plan.table[name]: what for name, what in shapes(old).items()}
    left = [name for name, what in made.items() if wanted.get(name) != what]
    if made == wanted:
        return Finding.MIGRATE
    set_right = all(_is_needed(name, rules) for name in left) and wanted.keys() < made.keys()
    return Finding.CONFIG if set_right else Finding.CANNOT


def _is_needed(name: str, rules: RuleSet) -> bool:
    return any(need.key.match(tuple(name.split("."))) is not None for need in rules.needs)


@cache
def expected(old: int, new: int) -> Finding:
    """By the two layouts and the rules alone."""
    if shapes(old) == shapes(new):
        return Finding.CURRENT
    found = {outcome(old, new, rules) for rules in LIBRARY.families} - {Finding.CANNOT}
    assert len(found) < 2
    return found.pop() if found else Finding.CANNOT


@cache
def diagnosis(layout: int) -> Diagnosis:
    return diagnose(TABLE.schema(layout), LIBRARY, TABLE)


def pairs(release: str) -> Mapping[str, tuple[int, int]]:
    """Config to its layout and its counterpart's."""
    now = TABLE.releases[TABLE.current(release)]
    return {
        config: (TABLE.releases[release][config], now[counterpart])
        for config, counterpart in TABLE.counterparts[release].items()
    }


@pytest.mark.parametrize("release", OLDER)
def test_every_config_with_a_counterpart(release: str) -> None:
    found: Counter[str] = Counter()
    for config, (old, new) in pairs(release).items():
        right = expected(old, new)
        if old in TABLE.loading[TABLE.current(release)]:
            assert right is Finding.MIGRATE
            right = Finding.LOADS
        assert diagnosis(old).finding is right, config
        found[right.value] += 1
    counts = ", ".join(f"{count} {name}" for name, count in found.most_common())
    every = len(TABLE.releases[release])
    print(f"\n{release}: {found.total()} of {every} configs: {counts}")  # noqa: T201
    assert dict(found - Counter(current=found["current"])) == CHANGED[release]


@pytest.mark.parametrize("release", OLDER)
def test_the_goal_is_the_counterpart(release: str) -> None:
    now = TABLE.current(release)
    for config, (old, new) in pairs(release).items():
        goal = diagnosis(old).goal
        assert goal is not None
        assert (goal.release, goal.layout) == (now, new), config


@pytest.mark.parametrize("release", CURRENT)
def test_every_config_of_the_current_release_is_current(release: str) -> None:
    for config, layout in TABLE.releases[release].items():
        found = diagnosis(layout)
        assert found.finding is Finding.CURRENT, config
        assert release in found.loads_in
        assert found.order is not None
        assert found.order.moved == 0


def test_no_layout_is_taken_for_another_familys() -> None:
    """A layout is what it is, and only the families' own configs are recognised as theirs."""
    for layout in range(len(TABLE)):
        found = diagnosis(layout)
        assert found.identity is not None
        assert (found.identity.exact, found.identity.layout) == (True, layout)
        folders = {c.partition("/")[0] for cs in TABLE.configs(layout).values() for c in cs}
        if found.family == "vit":
            assert folders <= {"vit", "setr", "segmenter", "dpt"}
        elif found.family == "rpn":
            assert folders <= {"rpn", "guided_anchoring"}
        elif found.family is not None:
            assert {found.family} >= folders - {"v3det"}


def test_without_rules_nothing_changed_is_fine() -> None:
    """The control: take the rules away, and each of these must be noticed."""
    changed = {pair for release in OLDER for pair in pairs(release).values() if pair[0] != pair[1]}
    renamed = frozenset().union(*(TABLE.loading[release] for release in CURRENT))
    assert len(changed) > 60
    for old, _ in changed:
        found = diagnose(TABLE.schema(old), NO_RULES, TABLE)
        assert found.finding is (Finding.LOADS if old in renamed else Finding.CANNOT)
        assert found.evidence or old in renamed


@pytest.mark.parametrize(
    ("config", "moved", "parameters"),
    [
        ("mask2former_r50_8xb2-160k_ade20k-512x512", 72, 451),
        ("maskformer_r50-d32_8xb2-160k_ade20k-512x512", 0, 303),
        ("detr_r50_8x2_150e_coco", 192, 352),
        ("deformable_detr_r50_16x2_50e_coco", 411, 411),
        ("rpn_r50_fpn_1x_coco", 0, 181),
    ],
)
def test_how_many_parameters_move(config: str, moved: int, parameters: int) -> None:
    release = next(r for r in OLDER if any(name.endswith(f"/{config}.py") for name in pairs(r)))
    name = next(name for name in pairs(release) if name.endswith(f"/{config}.py"))
    order = diagnosis(TABLE.releases[release][name]).order
    assert order is not None
    assert (order.moved, order.parameters) == (moved, parameters)
