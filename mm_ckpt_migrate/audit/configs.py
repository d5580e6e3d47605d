"""Find faults in an entry's config by reading it, without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from mm_ckpt_migrate.audit.finding import Check, Finding, about
from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.configs.read.source import parse_source, read_source
from mm_ckpt_migrate.configs.static.budget import Budget, UnreadableError
from mm_ckpt_migrate.configs.values import Config, lookup
from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.zoo.read import Zoo

# The first such word is the backbone of the model itself, not of a teacher.
_DEPTH: Final = re.compile(r"(?<![a-z0-9])[rxs](18|34|50|101|152|200)(?![0-9])")
_BACKBONES: Final = ("backbone", "backbone.backbone_cfg", "detector.backbone")


def check_sources(zoo: Zoo) -> Iterator[Finding]:
    """Configs that assign `model` again, so that the first one is lost."""
    for model in zoo.models:
        path = zoo.path(model.config) if model.config else None
        lines = assignments(path, "model") if path and path.suffix == ".py" else []
        if len(lines) > 1:
            first, *_, last = lines
            sentence = (
                f"{model.config} assigns `model` in line {first} and again in line {last}: "
                "all that the first says is lost"
            )
            yield about(model, Check.MODEL, sentence)


def check_depths(zoo: Zoo) -> Iterator[Finding]:
    """Configs with another depth of the backbone than in their name."""
    for model in zoo.models:
        path = zoo.path(model.config) if model.config else None
        said = _DEPTH.search(PurePosixPath(model.config or "").stem.lower())
        built = backbone_depth(path) if path and said else None
        if said and built is not None and built != int(said.group(1)):
            sentence = f"by its name the depth is {said.group(1)}, and {model.config} builds {built}"
            yield about(model, Check.DEPTH, sentence)


def assignments(path: Path, name: str) -> list[int]:
    """The lines of a config's source that give a name a value which owes nothing to an older one.

    Nothing where the config cannot be read.
    """
    try:
        module = parse_source(read_source(path, Budget()))
    except UnreadableError:
        return []
    return [line for node in module.body if (line := _assigns(node, name)) is not None]


def _assigns(node: ast.stmt, name: str) -> int | None:
    if not isinstance(node, ast.Assign):
        return None
    named = any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    used = any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(node.value))
    return node.lineno if named and not used else None


def backbone_depth(path: Path) -> int | None:
    """The `depth` of a config's backbone; None where it has none or the config cannot be read."""
    try:
        model = read_config(path).get("model")
    except ConfigError:
        return None
    depths = [_depth(model, place) for place in _BACKBONES] if isinstance(model, dict) else []
    return next((depth for depth in depths if depth is not None), None)


def _depth(model: Config, place: str) -> int | None:
    found = lookup(model, f"{place}.depth")
    return found if isinstance(found, int) and not isinstance(found, bool) else None
