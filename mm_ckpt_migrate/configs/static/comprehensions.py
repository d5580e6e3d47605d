"""List, dict and generator comprehensions, without conditions."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TypeAlias

from mm_ckpt_migrate.configs.static.budget import UnreadableError, check_nesting
from mm_ckpt_migrate.configs.static.calls import elements
from mm_ckpt_migrate.configs.static.evaluator import Evaluator
from mm_ckpt_migrate.configs.static.tree import text_key
from mm_ckpt_migrate.configs.values import Config, ConfigValue

Loops: TypeAlias = "list[ast.comprehension]"


def list_comprehension(evaluator: Evaluator, node: ast.ListComp | ast.GeneratorExp) -> ConfigValue:
    result: list[ConfigValue] = []
    _run(evaluator, node.generators, lambda: result.append(evaluator.value(node.elt)))
    return result


def dict_comprehension(evaluator: Evaluator, node: ast.DictComp) -> ConfigValue:
    result: Config = {}

    def add() -> None:
        key = text_key(evaluator.value(node.key))
        result[key] = evaluator.value(node.value)

    _run(evaluator, node.generators, add)
    return result


def _run(evaluator: Evaluator, loops: Loops, add: Callable[[], None]) -> None:
    # The variables are local to the comprehension: names that they hide come back after it.
    targets = {node.id for loop in loops for node in ast.walk(loop.target) if isinstance(node, ast.Name)}
    hidden = {name: evaluator.names[name] for name in targets & evaluator.names.keys()}
    _loop(evaluator, loops, add)
    # Not taken out and put in again: a config's names keep their order.
    for name in targets - hidden.keys():
        evaluator.names.pop(name, None)
    evaluator.names.update(hidden)


def _loop(evaluator: Evaluator, loops: Loops, add: Callable[[], None], depth: int = 0) -> None:
    if depth == len(loops):
        add()
        return
    check_nesting(depth)
    loop = loops[depth]
    if loop.ifs or loop.is_async:
        raise UnreadableError("a condition in a comprehension is not read")
    for value in elements(evaluator.value(loop.iter), evaluator.budget):
        evaluator.bind(loop.target, value)
        _loop(evaluator, loops, add, depth + 1)
