"""Tell exchangeable attentions apart by the old config's `operation_order`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mm_ckpt_migrate.configs.values import Config, ConfigValue
from mm_ckpt_migrate.derive.assignment import ORDER, Role, Tie
from mm_ckpt_migrate.derive.stubs import numbered
from mm_ckpt_migrate.mapping.rules.fields import SEGMENT
from mm_ckpt_migrate.mapping.rules.ruleset import attention_roles

_LIST = "attentions"
_ORDER = "operation_order"
_STEPS = {"self_attn", "cross_attn", "norm", "ffn"}


def places_by_order(
    olds: Sequence[Sequence[str]], news: Sequence[Sequence[str]], config: Config | None
) -> list[tuple[int, int]] | None:
    """Pair the attentions of one layer by their places in the two lists.

    None where these are no attentions of one layer, or the config does not say which is which.

    Args:
        olds, news: the names of each, which are paths.
    """
    places = [next(filter(None, map(_place, names)), None) for names in olds]
    layers = {place[0] for place in places if place is not None}
    if config is None or None in places or len(layers) != 1:
        return None
    role = stated_role(config, layers.pop())
    kinds = attention_roles(role.operation_order) if role is not None else ()
    wanted = [kinds[place[1]] for place in places if place is not None and place[1] < len(kinds)]
    found = [place for kind in wanted if (place := _named(news, kind)) is not None]
    if len(wanted) < len(olds) or len({number for number, _ in found}) < len(news):
        return None
    one_layer = len({parent for _, parent in found}) == 1
    return list(enumerate(number for number, _ in found)) if one_layer else None


def _named(news: Sequence[Sequence[str]], kind: str) -> tuple[int, str] | None:
    """Which of them is named so, and in what layer; None where it is not one."""
    found = [
        (number, name.rpartition(".")[0])
        for number, names in enumerate(news)
        for name in names
        if name.rpartition(".")[2] == kind
    ]
    return found[0] if len(found) == 1 else None


def _place(path: str) -> tuple[str, int] | None:
    """Path of the layer that has an attention in its list, and the index there."""
    layer, _, last = path.rpartition(".")
    layer, _, name = layer.rpartition(".")
    return (layer, int(last)) if name == _LIST and last.isdecimal() else None


def stated_role(config: Config, layer: str) -> Role | None:
    """The order that a config states for a layer, and where; None where it is not clear.

    Modules have the names of the settings that they are built from, but for the layers themselves:
    those are described in the one setting beside them that has an `operation_order`.
    """
    *path, _, number = ("model", *layer.split("."))
    around: ConfigValue = config
    for segment in path:
        around = around.get(segment) if isinstance(around, Mapping) else None
    if not isinstance(around, Mapping) or not number.isdecimal():
        return None
    found = {name: _order(value, int(number)) for name, value in around.items()}
    stated = [(name, order) for name, order in found.items() if order]
    if len(stated) != 1:
        return None
    name, order = stated[0]
    return Role(layer, ".".join((*path[1:], name)), order)


def _order(value: ConfigValue, number: int) -> tuple[str, ...]:
    """Of a dict that describes all layers, or of a list with one for each."""
    if isinstance(value, (list, tuple)):
        value = value[number] if number < len(value) else None
    order = value.get(_ORDER) if isinstance(value, Mapping) else None
    return tuple(map(str, order)) if isinstance(order, (list, tuple)) else ()


def stated_roles(ties: Iterable[Tie], config: Config | None) -> tuple[Role, ...]:
    """What the config says of the layers whose ties it decided, with `{i}` for their numbers."""
    decided = [tie.olds[0] for tie in ties if tie.reason is ORDER]
    layers = [path.rpartition(".")[0].rpartition(".")[0] for path in decided]
    roles = [stated_role(config, layer) for layer in layers] if config is not None else []
    found = [replace(role, layers=numbered(role.layers)) for role in roles if role is not None]
    return tuple(role for role in dict.fromkeys(found) if _writable(role))


def _writable(role: Role) -> bool:
    """Whether a rule file has words for it."""
    path = role.config.split(".")
    return set(role.operation_order) <= _STEPS and all(map(SEGMENT.fullmatch, path))
