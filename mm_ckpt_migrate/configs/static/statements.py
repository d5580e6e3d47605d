"""A config file's statements, carried out on its own names only."""

from __future__ import annotations

import ast
from typing import TypeGuard

from mm_ckpt_migrate.configs.static.budget import UnreadableError
from mm_ckpt_migrate.configs.static.evaluator import Evaluator, describe
from mm_ckpt_migrate.configs.static.methods import call_method
from mm_ckpt_migrate.configs.static.operators import binary
from mm_ckpt_migrate.configs.static.references import BASE_KEY, delete, name, store


def execute(evaluator: Evaluator, module: ast.Module) -> None:
    """Carry out every statement of `module` but the assignment of `_base_`.

    Raises:
        OverBudgetError: a value is too large.
        UnreadableError: a statement cannot be followed without running it.
    """
    for statement in module.body:
        evaluator.line = statement.lineno
        if not _is_base_assignment(statement):
            _execute(evaluator, statement)


def base_assignment(module: ast.Module) -> ast.Assign | None:
    """The first `_base_ = ...` of the file, which says what it inherits from."""
    found = (statement for statement in module.body if _is_base_assignment(statement))
    return next(found, None)


def _is_base_assignment(statement: ast.stmt) -> TypeGuard[ast.Assign]:
    if not isinstance(statement, ast.Assign):
        return False
    target = statement.targets[0]
    return isinstance(target, ast.Name) and target.id == BASE_KEY


def _execute(evaluator: Evaluator, statement: ast.stmt) -> None:
    if isinstance(statement, ast.Assign):
        value = evaluator.value(statement.value)
        for target in statement.targets:
            store(evaluator, target, value)
    elif isinstance(statement, ast.AnnAssign):
        # Python evaluates what stands left of the dot or bracket also where nothing is assigned.
        if statement.value is not None:
            store(evaluator, statement.target, evaluator.value(statement.value))
        elif not isinstance(statement.target, ast.Name):
            raise UnreadableError("an annotation of something else than a name is not read")
    elif isinstance(statement, ast.AugAssign):
        _augment(evaluator, statement)
    elif isinstance(statement, ast.Expr):
        evaluator.value(statement.value)
    elif isinstance(statement, ast.Delete):
        for target in statement.targets:
            delete(evaluator, target)
    elif not isinstance(statement, ast.Pass):
        raise UnreadableError(f"{describe(statement)} is not read")


def _augment(evaluator: Evaluator, statement: ast.AugAssign) -> None:
    target = statement.target
    if not isinstance(target, ast.Name):
        raise UnreadableError(f"an augmented assignment to {describe(target)} is not read")
    old = name(evaluator, ast.copy_location(ast.Name(target.id), target))
    value = evaluator.value(statement.value)
    if isinstance(old, list) and isinstance(statement.op, ast.Add):
        # In place, as Python does it: other names for the same list see the change.
        call_method(old, "extend", [value], {}, evaluator.budget)
    else:
        evaluator.names[target.id] = binary(statement.op, old, value, evaluator.budget)
