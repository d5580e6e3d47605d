"""The syntax tree of a function, found by its file and first line; each file is parsed once."""

from __future__ import annotations

import ast
import functools
import types
from typing import TypeAlias

Node: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda"


def tree(function: types.FunctionType) -> Node | None:
    """None where there is no source, as for what `dataclass` and `namedtuple` make."""
    code = function.__code__
    found = _functions(code.co_filename).get(code.co_firstlineno, {})
    return found.get(code.co_name)


@functools.cache
def _functions(path: str) -> dict[int, dict[str, Node]]:
    try:
        with open(path, encoding="utf-8") as file:
            module = ast.parse(file.read())
    except (OSError, SyntaxError):
        return {}
    found: dict[int, dict[str, Node]] = {}
    for node in ast.walk(module):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            found.setdefault(first, {})[node.name] = node
        elif isinstance(node, ast.Lambda):
            found.setdefault(node.lineno, {})["<lambda>"] = node
    return found
