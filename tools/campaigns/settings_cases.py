"""Hostile values for every setting of every class on the list, within what the class needs.

A class is taken as a shipped config has it, the shortest there is, and where none has it, with a
small number for each setting that it insists on.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from settings_parts import ALONGSIDE, REGISTRIES
from settings_watch import MARK

from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.releases.allowed.classes import table

FOLDER: Final = f"/tmp/{MARK}"
COMMAND: Final = f"__import__('os').system('touch {FOLDER}')"
VALUES: Final[Mapping[str, Any]] = {
    "expression": COMMAND,
    "another expression": f"open('{FOLDER}', 'w').close() or {MARK!r}",
    "path": f"{FOLDER}/config.py",
    "pickle": f"{FOLDER}/weights.pth",
    "URL": f"http://127.0.0.1:9/{MARK}.pth",
    "huge": 10**15,
    "negative": -1,
    "nested type": {"type": "mmdet.CameraMotionCompensation", "warp_mode": COMMAND},
    "nested dotted type": {"type": "os.system", "command": f"touch {FOLDER}"},
    "name of a type": "VPD",
    "dotted name": "mmengine.utils.path.os.system",
    "list": [COMMAND, f"{FOLDER}/x.py"],
    "dict": {"a": COMMAND, "checkpoint": f"{FOLDER}/x.pth", "frozen": {"mode": COMMAND}},
    "format": "{0.__class__.__init__.__globals__}%n%s" + MARK,
}
"""Kind of hostile value to the value."""

_SCOPES: Final = ("mmdet", "mmseg")
_NAMED: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Subject:
    """A class on the list, as a config has it.

    Attributes:
        registry: the kind of registry that has it, as on the list.
        config: the mapping that builds it, with its `type`.
        settings: what its constructor takes.
    """

    name: str
    scope: str
    registry: str
    config: Mapping[str, Any]
    settings: tuple[str, ...]


def subjects() -> list[Subject]:
    """All cleared classes; needs the stack imported."""
    found = []
    for name, rows in sorted(table().items()):
        for scope, registry in sorted({(row.scope, row.registry) for row in rows}):
            cleared = all(row.cleared for row in rows)
            if cleared and (cls := _registered(scope, registry, name)):
                found.append(_subject(name, scope, registry, cls))
    return found


def _registered(scope: str, registry: str, name: str) -> Any:
    if scope not in ("mmengine", *_SCOPES):
        return None
    attribute = REGISTRIES.get(registry)
    if attribute is None:
        return None
    return getattr(import_module(f"{scope}.registry"), attribute).module_dict.get(name)


def _subject(name: str, scope: str, registry: str, cls: Any) -> Subject:
    shown = shipped().get((scope, name))
    given = ALONGSIDE.get(registry, dict)()
    config = shown or {
        key: 8
        for key, parameter in _own(cls).items()
        if parameter.default is parameter.empty and parameter.kind in _NAMED and key not in given
    }
    kind = name if scope == "mmengine" else f"{scope}.{name}"
    named = tuple(dict.fromkeys((*_parameters(cls), *(key for key in config if key != "type"))))
    return Subject(
        name=name,
        scope=scope if scope in _SCOPES else "mmseg",
        registry=registry,
        config={**config, "type": kind},
        settings=named,
    )


def _parameters(cls: Any) -> dict[str, inspect.Parameter]:
    """What it takes, with what it hands on to the class that it is made of (`**kwargs`)."""
    found: dict[str, inspect.Parameter] = {}
    for base in inspect.getmro(cls) if inspect.isclass(cls) else (cls,):
        parameters = _own(base)
        found = {**parameters, **found}
        if all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
            break
    return {name: parameter for name, parameter in found.items() if parameter.kind in _NAMED}


def _own(cls: Any) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(cls).parameters
    except (TypeError, ValueError):
        return {}


@functools.cache
def shipped() -> dict[tuple[str, str], Mapping[str, Any]]:
    """Scope and name of each type in a shipped config to the shortest mapping that has it."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for scope in _SCOPES:
        spec = find_spec(scope)
        assert spec is not None
        assert spec.origin is not None
        for path in sorted((Path(spec.origin).parent / ".mim" / "configs").rglob("*.py")):
            try:
                config = read_config(path)
            except ConfigError:
                continue
            for part in _typed(config):
                prefix, _, name = str(part["type"]).rpartition(".")
                for key in ((prefix or scope, name), ("mmengine", name)):
                    if key not in found or len(repr(part)) < len(repr(found[key])):
                        found[key] = part
    return found


def _typed(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if isinstance(value.get("type"), str):
            yield value
        for item in value.values():
            yield from _typed(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _typed(item)
