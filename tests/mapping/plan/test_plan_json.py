"""A saved plan is the plan again, and one that was tampered with is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts.tables import NEW, OLD, layout

from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.mapping.plan import Plan, fit_modules, make_plan, plan_from_json
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet

CONFIG = "mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py"


@pytest.fixture(scope="module")
def plan(families: dict[str, RuleSet]) -> Plan:
    return fit_modules(make_plan(layout(OLD, CONFIG), families["mask2former"]), layout(NEW, CONFIG))


def test_a_plan_survives_json(plan: Plan) -> None:
    again = plan_from_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    assert again.digest == plan.digest


def test_the_digest_tells_plans_apart(plan: Plan, families: dict[str, RuleSet]) -> None:
    control = make_plan(layout(OLD, CONFIG), families["mask2former"].with_control())
    right = make_plan(layout(OLD, CONFIG), families["mask2former"])
    assert len({plan.digest, control.digest, right.digest}) == 3


def spoil(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda data: data | changes


@pytest.mark.parametrize(
    "change",
    [
        spoil(plan=2),
        spoil(plan="1"),
        spoil(keys=None),
        spoil(keys=7),
        spoil(keys=[["a", "b"]]),
        spoil(keys=["abcd"]),
        spoil(keys=[["a", "b", None], ["a", "c", None]]),
        spoil(modules=[["a"]]),
        spoil(modules=[["a", "b", "1"]]),
        spoil(rules=None),
        lambda data: {k: v for k, v in data.items() if k != "family"},
        lambda data: [],
        lambda data: "plan",
        lambda data: None,
    ],
)
def test_what_is_no_plan(change: Callable[[dict[str, Any]], Any], plan: Plan) -> None:
    with pytest.raises(PlanError):
        plan_from_json(change(plan.to_json()))


@pytest.mark.parametrize(
    "fold", [{"operation": "add_to_tokens", "from": "a", "into": "b", "why": ""}, {}, None]
)
def test_a_plan_that_changes_values(fold: object, plan: Plan) -> None:
    """`--fold` made such plans; nothing in this tool changes a weight any more."""
    with pytest.raises(PlanError, match="made with --fold") as caught:
        plan_from_json(plan.to_json() | {"fold": fold})
    assert "patch_bias=True" in caught.value.hint


@pytest.mark.parametrize("rule", [0, None, 99, -99, "0", [], {}, 1.5, True])
def test_a_plan_whose_names_collide(rule: object, plan: Plan) -> None:
    """Whatever the third column says of the rule."""
    data = plan.to_json() | {"keys": [["a", "c", None], ["b", "c", rule]]}
    with pytest.raises(PlanError):
        plan_from_json(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
FIELDS = ["plan", "family", "from", "to", "rules_sha256", "rules", "keys", "modules"]


@given(st.sampled_from(FIELDS), JSON)
def test_a_hostile_field_is_refused_or_harmless(field: str, value: object) -> None:
    data = {
        "plan": 1,
        "family": "f",
        "from": "1",
        "to": "2",
        "rules_sha256": "0",
        "rules": [],
        "keys": [["a", "b", None]],
        "modules": [[None, "m", 1]],
    }
    try:
        again = plan_from_json(data | {field: value})
    except PlanError:
        return
    assert plan_from_json(json.loads(json.dumps(again.to_json()))) == again
