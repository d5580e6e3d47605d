"""Learning-rate schedulers: mmengine keeps lists in them with one value per param group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mm_ckpt_migrate.convert.training.optimizer import Optimizer
from mm_ckpt_migrate.convert.training.parameters import UnknownOrderError
from mm_ckpt_migrate.files.pickles.build import elements, find, is_mapping, list_of, mapping_of, set_values
from mm_ckpt_migrate.files.pickles.nodes import List, Mutable, Node

_PER_GROUP: Final = ("base_values", "_last_value", "min_values")


def schedulers_of(section: Node, name: str) -> tuple[Mutable, ...]:
    """The schedulers of the optimizer of that name; of the only one where it is empty.

    Raises:
        UnknownOrderError: it is not what mmengine writes.
    """
    found = find(section, name) if is_mapping(section) else section
    if not isinstance(found, List):
        raise UnknownOrderError("param_schedulers is no list of schedulers")
    entries = [entry for entry in elements(found) if is_mapping(entry)]
    if len(entries) != len(elements(found)):
        raise UnknownOrderError("param_schedulers is no list of schedulers")
    return tuple(entry for entry in entries if isinstance(entry, Mutable))


def lists_of(scheduler: Node) -> dict[str, list[Node]]:
    """The lists in a scheduler that have one value per param group."""
    found = ((name, find(scheduler, name)) for name in _PER_GROUP)
    return {name: elements(values) for name, values in found if values is not None}


def pseudo_optimizer(section: Node | None) -> tuple[Optimizer, ...]:
    """What schedulers alone say of an optimizer that was not saved: its groups.

    mmengine makes one for each parameter, or one for all, in which case there is nothing to do.
    """
    if section is None:
        return ()
    lists = [lists_of(scheduler) for scheduler in schedulers_of(section, "")]
    counts = {len(values["base_values"]) for values in lists if "base_values" in values}
    if len(counts) > 1:
        raise UnknownOrderError("the schedulers are for different numbers of param groups")
    groups = range(max(counts, default=0))
    if len(groups) < 2:
        return ()
    node = mapping_of({"state": mapping_of({})})
    made = tuple(mapping_of({}) for _ in groups)
    return (Optimizer(name="", node=node, groups=made, indices=tuple((i,) for i in groups), state={}),)


def check_lists(scheduler: Node, groups: int) -> None:
    """Raises UnknownOrderError where a list has another length than one value per group.

    Since 0.10.0 mmengine has one value more, for `base_param_settings`.
    """
    for values in lists_of(scheduler).values():
        if len(values) not in (groups, groups + 1):
            raise UnknownOrderError(f"a scheduler has {len(values)} values for {groups} param groups")


def follow_groups(scheduler: Mutable, sources: Sequence[int], groups: int, base: int | None) -> None:
    """Have a scheduler's lists follow the groups.

    Args:
        sources: of each new group, the old one.
        groups: how many groups there were.
        base: the old group whose values those of new `base_param_settings` are; where it is None
            a value for these stays if there is one.
    """

    def followed(values: list[Node]) -> list[Node]:
        rest = values[groups:] if base is None else [values[base]]
        return [*(values[source] for source in sources), *rest]

    lists = lists_of(scheduler)
    set_values(scheduler, {name: list_of(followed(values)) for name, values in lists.items()})
