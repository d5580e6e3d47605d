"""Let a config that moves to another folder go on inheriting from the same files."""

from __future__ import annotations

import ast
import os
from pathlib import Path

from mm_ckpt_migrate.configs.read.source import parse_source
from mm_ckpt_migrate.configs.static.statements import base_assignment
from mm_ckpt_migrate.configs.write.literals import NotEditableError, Source


def rebased_source(text: str, old: Path, new: Path) -> str:
    """Return `text` with the relative paths in `_base_`, which count from `old`, seen from `new`.

    Raises:
        NotEditableError: the paths are not written out.
        UnreadableError: the text is not Python.
    """
    folders = [os.path.abspath(path.parent) for path in (old, new)]
    assigned = base_assignment(parse_source(text))
    if assigned is None or folders[0] == folders[1]:
        return text
    source = Source(text)
    parts, place = [], 0
    for node in _paths(assigned.value):
        parts.append(source.text(place, source.start(node)))
        parts.append(_moved(node, *folders))
        place = source.end(node)
    return "".join([*parts, source.text(place, len(source.data))])


def _paths(value: ast.expr) -> list[ast.expr]:
    return value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]


def _moved(node: ast.expr, old: str, new: str) -> str:
    name = node.value if isinstance(node, ast.Constant) else None
    if not isinstance(name, str) or "{{" in name:
        raise NotEditableError("a _base_ that is not written out")
    if "::" in name or os.path.isabs(name):
        return repr(name)
    return repr(os.path.relpath(os.path.join(old, name), new).replace(os.sep, "/"))
