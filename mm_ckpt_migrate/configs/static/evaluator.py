"""The core of the static reader: one expression at a time, counted and limited in depth.

Nothing is compiled and no name is looked up anywhere but among those the config assigned.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from mm_ckpt_migrate.configs.static.budget import Budget, UnreadableError, check_nesting
from mm_ckpt_migrate.configs.static.calls import elements
from mm_ckpt_migrate.configs.values import Config, ConfigValue

Handler: TypeAlias = "Callable[[Evaluator, Any], ConfigValue]"
Handlers: TypeAlias = "Mapping[type[ast.expr], Handler]"

_DESCRIPTIONS: Final[dict[type[ast.AST], str]] = {
    ast.AsyncFunctionDef: "a function definition",
    ast.BoolOp: "an 'and' or 'or'",
    ast.ClassDef: "a class definition",
    ast.Compare: "a comparison",
    ast.For: "a for loop",
    ast.FunctionDef: "a function definition",
    ast.GeneratorExp: "a generator in this place",
    ast.If: "an if",
    ast.IfExp: "a conditional expression",
    ast.Import: "an import",
    ast.ImportFrom: "an import",
    ast.Lambda: "a lambda",
    ast.NamedExpr: "an assignment inside an expression",
    ast.Set: "a set",
    ast.SetComp: "a set",
    ast.Starred: "a * in this place",
    ast.While: "a while loop",
    ast.With: "a with block, as in configs that use read_base()",
}


class Evaluator:
    """Evaluates the expressions of one config file.

    Attributes:
        names: what the file has assigned so far, and `_base_`.
        budget: the allowance that every node is counted against.
        line: the line of the node visited last, for error messages; None outside any line.
    """

    __slots__ = ("_depth", "_handlers", "budget", "line", "names")

    def __init__(self, names: Config, budget: Budget, handlers: Handlers) -> None:
        self.names = names
        self.budget = budget
        self.line: int | None = None
        self._handlers = handlers
        self._depth = 0

    def value(self, node: ast.expr) -> ConfigValue:
        """Compute the value of `node`.

        Raises:
            OverBudgetError: it is too large.
            UnreadableError: it cannot be known without running the config.
        """
        self.line = node.lineno
        self.budget.spend()
        handler = self._handlers.get(type(node))
        if handler is None:
            raise UnreadableError(f"{describe(node)} is not read")
        # Not restored when a handler raises: an evaluator that has failed is not used again.
        self._depth += 1
        check_nesting(self._depth)
        result = handler(self, node)
        self._depth -= 1
        return result

    def bind(self, target: ast.expr, value: ConfigValue) -> None:
        """Assign `value` to a name, or to a tuple of names.

        Raises:
            UnreadableError: the target is something else, or has another number of names.
        """
        if isinstance(target, ast.Name):
            self.names[target.id] = value
            return
        if not isinstance(target, (ast.Tuple, ast.List)):
            raise UnreadableError(f"an assignment to {describe(target)} is not read")
        values = elements(value, self.budget)
        if len(values) != len(target.elts):
            raise UnreadableError(f"{len(values)} values are assigned to {len(target.elts)} names")
        for name, item in zip(target.elts, values, strict=True):
            self.bind(name, item)


def describe(node: ast.AST) -> str:
    """Name a piece of syntax that the reader refuses."""
    return _DESCRIPTIONS.get(type(node), f"the construct {type(node).__name__}")
