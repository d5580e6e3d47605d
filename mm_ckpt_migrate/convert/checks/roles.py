"""Roles: which attention is self and which is cross agrees with the checkpoint's own config.

Both mappings load strictly, and one of them gives garbage. The old config's `operation_order`
says in which order a layer applies its attentions, and the list position follows that order.
"""

from __future__ import annotations

from collections.abc import Sequence

from mm_ckpt_migrate.configs.values import Config, ConfigValue, lookup
from mm_ckpt_migrate.mapping.plan import Plan
from mm_ckpt_migrate.mapping.rules.ruleset import Role, RuleSet, attention_roles
from mm_ckpt_migrate.names import safe_text
from mm_ckpt_migrate.verdicts import Rung, Verdict, failed, passed, skipped


def check_roles(config: Config | None, plan: Plan, rules: RuleSet) -> Verdict:
    """Hold the plan's table against the config that the checkpoint was trained with."""
    if config is None:
        return skipped(Rung.ROLES, "the checkpoint holds no config that could tell")
    wrong: list[str] = []
    layers = 0
    for role in rules.roles:
        for path, number, attentions in planned_attentions(plan, role):
            order = operation_order(config, path, number)
            if order is None:
                continue
            layers += 1
            wrong += _contradictions(f"{path}, layer {number}", order, attentions, role)
    if wrong:
        return failed(Rung.ROLES, "the checkpoint's own config contradicts the plan", wrong)
    if not layers:
        return skipped(Rung.ROLES, "the config in the checkpoint states no operation_order")
    return passed(Rung.ROLES, f"operation_order of {layers} layers agrees with the plan")


def _contradictions(where: str, order: tuple[str, ...], attentions: tuple[str, ...], role: Role) -> list[str]:
    stated = f"{where}: the config's operation_order is {safe_text(', '.join(order))}"
    if attention_roles(order) != attentions:
        return [f"{stated}; the plan makes its attentions {safe_text(', '.join(attentions))}"]
    if order != role.operation_order:
        return [f"{stated}; the current release computes {', '.join(role.operation_order)}"]
    return []


def planned_attentions(plan: Plan, role: Role) -> list[tuple[str, int, tuple[str, ...]]]:
    """Config path, layer number and new names of the attentions of each layer, by list index.

    One whose tensors go to several is called by all of them, which no order states.
    """
    depth = len(role.layers.segments)
    found: dict[tuple[str, int], dict[int, dict[str, None]]] = {}
    for old, new in plan.targets.items():
        parts = tuple(old.split("."))
        captures = role.layers.match(parts[:depth])
        if captures is None or len(parts) < depth + 2 or parts[depth] != "attentions":
            continue
        if not (parts[depth - 1].isdecimal() and parts[depth + 1].isdecimal()):
            continue
        path = f"model.{role.config.fill(captures)}"
        names = found.setdefault((path, int(parts[depth - 1])), {})
        inside = len(parts) - depth - 2
        *_, layer, name = ("", "", *new.split(".")[: -inside or None])
        name = name if layer == parts[depth - 1] else f"{name} of layer {layer}"
        names.setdefault(int(parts[depth + 1]), {})[name] = None
    return [
        (path, number, tuple(" and ".join(names[index]) for index in sorted(names)))
        for (path, number), names in found.items()
    ]


def operation_order(config: Config, path: str, number: int) -> tuple[str, ...] | None:
    """`operation_order` of one layer; `transformerlayers` is one dict for all, or a list."""
    layers = lookup(config, path)
    if isinstance(layers, (list, tuple)):
        layers = layers[number] if number < len(layers) else None
    order: ConfigValue = layers.get("operation_order") if isinstance(layers, dict) else None
    if not isinstance(order, (list, tuple)):
        return None
    return tuple(map(str, order))


def stated_orders(config: Config, names: Sequence[str], rules: RuleSet) -> list[tuple[tuple[str, ...], Role]]:
    """What the config says of the first layer that the keys show under each role of a family."""
    stated = []
    for role in rules.roles:
        depth = len(role.layers.segments)
        matches = (role.layers.match(tuple(name.split("."))[:depth]) for name in names)
        captures = next((found for found in matches if found is not None), None)
        if captures is not None:
            order = operation_order(config, f"model.{role.config.fill(captures)}", 0)
            if order is not None:
                stated.append((order, role))
    return stated


def contradicts(config: Config, names: Sequence[str], rules: RuleSet) -> bool:
    """Whether the config states an order that the family's rules are not right for."""
    return any(order != role.operation_order for order, role in stated_orders(config, names, rules))


def fits(config: Config, names: Sequence[str], rules: RuleSet) -> bool:
    """Whether the config states an order, and the family's rules are right for it."""
    return bool(stated_orders(config, names, rules)) and not contradicts(config, names, rules)
