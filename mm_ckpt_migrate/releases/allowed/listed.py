"""Whether every `type` in a part of a config is on the list of classes that may be built.

mmengine calls what a `type` names with the settings beside it, wherever it stands. It follows a
dotted name to its end, takes a scope before a name or in `_scope_`, and looks up what is on no
list by importing it; so the text is checked here, before any of that can happen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.releases.allowed import classes
from mm_ckpt_migrate.releases.allowed.permitted import OPENMMLAB, permitted, within

_RESERVED: Final = frozenset({"_base_", "_delete_", "_target_", "_partial_"})


@dataclass(frozen=True, slots=True)
class Rules:
    """What a config may name.

    Attributes:
        scope: where a name without one is looked up first.
        registries: those that `type` is looked up in.
        packages: packages all of whose classes the user trusts.
        source: what to call the config in messages.
    """

    scope: str
    registries: tuple[str, ...]
    packages: tuple[str, ...]
    source: Path | str


def check(value: object, where: str, rules: Rules) -> tuple[str, ...]:
    """The names of packages and dotted types that the config needs.

    Raises:
        ConfigError: a `type` is not on the list, or a setting is one that its class would load or
            evaluate; it names the setting's path and what to do.
    """
    return tuple(_walk(value, where, rules))


def listed(value: object, rules: Rules) -> bool:
    """Whether `check` would let it pass."""
    try:
        check(value, "", rules)
    except ConfigError:
        return False
    return True


def _walk(value: object, where: str, rules: Rules) -> Iterator[str]:
    if isinstance(value, Mapping):
        rules = _scoped(value, where, rules)
        for key in _RESERVED & value.keys():
            raise ConfigError(rules.source, f"{where}.{key}: this key has no place in a model")
        if value.get("type") is not None:
            yield from _checked(value, where, rules)
        for key, item in value.items():
            yield from _walk(item, f"{where}.{key}", _inner(key, rules))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _walk(item, f"{where}[{index}]", rules)


def _inner(key: object, rules: Rules) -> Rules:
    if key == "init_cfg":
        return replace(rules, registries=classes.INITIALIZERS)
    return rules


def _scoped(value: Mapping[object, object], where: str, rules: Rules) -> Rules:
    """The rules within a mapping that names a scope of its own."""
    scope = value.get("_scope_", rules.scope)
    if not isinstance(scope, str) or not _is_scope(scope, rules):
        raise ConfigError(
            rules.source,
            f"{where}._scope_: {scope!r} is no package that a model may come from ({', '.join(OPENMMLAB)})",
            hint=_hint(str(scope)),
        )
    return replace(rules, scope=scope)


def _is_scope(scope: str, rules: Rules) -> bool:
    return scope in OPENMMLAB or within(scope, rules.packages)


def _checked(value: Mapping[object, object], where: str, rules: Rules) -> Iterator[str]:
    """The package that the `type` needs, once it is found on the list."""
    kind = value["type"]
    place = f"{where}.type"
    if not isinstance(kind, str):
        raise ConfigError(rules.source, f"{place}: {kind!r} is no name of a class")
    rows = classes.find(kind, rules.scope, rules.registries)
    if not _trusted(kind, rows, rules):
        _refuse_unlisted(kind, rows, place, rules)
        setting = classes.broken_limit(rows, value)
        if setting is not None:
            raise ConfigError(
                rules.source,
                f"{where}.{setting}: {value[setting]!r} is something that {kind} would load or evaluate",
                hint=_hint(rows[0].module),
            )
    if "." in kind:
        yield kind


def _trusted(kind: str, rows: Sequence[classes.Listed], rules: Rules) -> bool:
    """Whether the user vouched for the code, or for a package that may have registered the name.

    The child looks once more, at the class that is found: it must lie in a package that was
    allowed.
    """
    if any(within(row.module, rules.packages) for row in rows) or within(kind, rules.packages):
        return True
    return kind.isidentifier() and bool(rules.packages) and not _cleared(rows)


def _cleared(rows: Sequence[classes.Listed]) -> bool:
    return bool(rows) and all(row.cleared for row in rows)


def _refuse_unlisted(kind: str, rows: Sequence[classes.Listed], place: str, rules: Rules) -> None:
    if _cleared(rows):
        return
    if rows:
        reason = f"{kind!r} may load or run what its settings name"
        package = rows[0].module
    elif permitted(kind) or "." not in kind:
        reason = f"{kind!r} is no class that may be built from a config"
        package = kind if "." in kind else "PACKAGE"
    else:
        reason = f"{kind!r} would import a package that is not one of {', '.join(OPENMMLAB)}"
        package = kind
    raise ConfigError(rules.source, f"{place}: {reason}", hint=_hint(package))


def _hint(name: str) -> str:
    return f"If you trust that code: --allow-import {name.partition('.')[0]}"
