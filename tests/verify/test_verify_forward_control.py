"""Forward: which names the deliberate error of a family exchanges."""

from __future__ import annotations

from forward_sides import CASE, planned

from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet


def test_the_control_exchanges_names_within_the_model(families: dict[str, RuleSet]) -> None:
    _, control = planned(CASE, families)
    assert set(control) == set(control.values())
    changed = {name for name, other in control.items() if name != other}
    assert len(changed) == 24
    assert all(control[control[name]] == name for name in changed)
