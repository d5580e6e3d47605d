"""Small faults put into a module, one at a time: the mutants that `mutation.py` tries.

Errors, hints and other texts with a space in them are left alone, and so are annotations: no test
should pin prose.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COMPUTED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault.

    Attributes:
        line: that of the fault, in the module as it is.
        place: the function that it is in.
        old, new: what was replaced, and by what.
        source: the whole module with the fault.
    """

    module: Path
    line: int
    place: str
    old: str
    new: str
    source: bytes

    @property
    def name(self) -> str:
        """What the fault is called, however the lines move."""
        return f"{self.module}: {self.place}: {self.old} -> {self.new}"


def mutants(root: Path, module: Path) -> list[Mutant]:
    """Every mutant of a module, named by its path below `root`."""
    source = (root / module).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for place, node, changed in _faults(ast.parse(source), ""):
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        text = f"({changed})" if isinstance(node, ast.expr) else changed
        old = " ".join(source[begin:end].decode().split())
        made = source[:begin] + text.encode() + source[end:]
        found.append(Mutant(module, node.lineno, place, old, changed, made))
    return found


_Fault = tuple[str, "ast.expr | ast.stmt", str]


def _faults(node: ast.AST, place: str) -> Iterator[_Fault]:
    """Where, what, and what instead."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        place = f"{place}.{node.name}".lstrip(".")
    if isinstance(node, (ast.expr, ast.stmt)):
        yield from ((place, node, text) for text in _instead(node))
    for child in _below(node):
        yield from _faults(child, place)


def _below(node: ast.AST) -> Iterator[ast.AST]:
    """The children whose meaning a test could pin."""
    if isinstance(node, (ast.JoinedStr, ast.Import, ast.ImportFrom)) or _is_text(node):
        return
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_error(child):
                yield child


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_error(node: ast.AST) -> bool:
    """The making of an error: its text, and which one it is."""
    if not isinstance(node, ast.Call):
        return isinstance(node, ast.keyword) and node.arg == "hint"
    name = ast.unparse(node.func).rpartition(".")[2]
    return name.endswith("Error") or name in ("_refuse", "_odd", "_error", "_limit", "_full")


def _instead(node: ast.expr | ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Compare):
        for number, compared in enumerate(node.ops):
            ops = [*node.ops[:number], _COMPARED[type(compared)](), *node.ops[number + 1 :]]
            yield ast.unparse(ast.Compare(node.left, ops, node.comparators))
    elif isinstance(node, ast.BinOp) and type(node.op) in _COMPUTED:
        yield ast.unparse(ast.BinOp(node.left, _COMPUTED[type(node.op)](), node.right))
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield ast.unparse(ast.BoolOp(other, node.values))
        for number in range(len(node.values)):
            rest = node.values[:number] + node.values[number + 1 :]
            yield ast.unparse(ast.BoolOp(node.op, rest) if len(rest) > 1 else rest[0])
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        yield ast.unparse(node.operand)
    elif isinstance(node, ast.Constant):
        yield from _other_constant(node.value)
    elif isinstance(node, ast.IfExp):
        yield ast.unparse(node.body)
        yield ast.unparse(node.orelse)
    elif isinstance(node, ast.Call):
        yield from _other_call(node)
    elif isinstance(node, ast.stmt):
        yield from _other_statement(node)


def _other_constant(value: object) -> Iterator[str]:
    if isinstance(value, bool):
        yield repr(not value)
    elif isinstance(value, int):
        yield repr(value + 1)
        if value > 1:
            yield repr(value - 1)
    elif isinstance(value, str) and " " not in value:
        yield repr(f"{value}X" if value else "X")
    elif isinstance(value, bytes):
        yield repr(value + b"X")


def _other_call(node: ast.Call) -> Iterator[str]:
    """Without each of its keywords; `min` for `max`; without the call."""
    for number in range(len(node.keywords)):
        fewer = deepcopy(node)
        del fewer.keywords[number]
        yield ast.unparse(fewer)
    name = ast.unparse(node.func)
    if swapped := {"min": "max", "max": "min", "any": "all", "all": "any"}.get(name):
        yield ast.unparse(ast.Call(ast.Name(swapped), node.args, node.keywords))
    if name in ("sorted", "reversed"):
        yield ast.unparse(node.args[0])


def _other_statement(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (ast.Break, ast.Continue)):
        yield "continue" if isinstance(node, ast.Break) else "break"
    elif isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield "return None"
    elif isinstance(node, (ast.Raise, ast.AugAssign)) or (isinstance(node, ast.Expr) and not _is_text(node)):
        yield "pass"
