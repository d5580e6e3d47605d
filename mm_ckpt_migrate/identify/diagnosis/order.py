"""What becomes of the order of the parameters."""

from __future__ import annotations

from mm_ckpt_migrate.identify.diagnosis.diagnosis import Order
from mm_ckpt_migrate.identify.layouts.table import Table
from mm_ckpt_migrate.mapping.plan import Plan


def order_between(table: Table, old: int, new: int, plan: Plan | None = None) -> Order | None:
    """How many parameters of a layout have another index in a new one.

    Args:
        plan: gives the old layout's keys their new names; None where they keep them.

    Returns:
        None where the two have not the same parameters.
    """
    standing_for = {name: group[0] for group in table.ties[new] for name in group}
    names = [plan.targets.get(n, n) if plan else n for n in table.parameters(old)]
    moved = [standing_for.get(name, name) for name in names]
    current = table.parameters(new)
    if sorted(moved) != sorted(current):
        return None
    return Order(sum(a != b for a, b in zip(moved, current, strict=True)), len(current))
