"""Whether a state dict stands in the order in which a model registers its parts.

torch indexes an optimizer's state by that order, and an old file says it by the order of its keys
alone. A script that takes a state dict apart and puts it together again may lose the order, and
nothing in the file looks wrong: the keys, the shapes and the values are all there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise

from mm_ckpt_migrate.names import safe_text
from mm_ckpt_migrate.schema import Schema


def order_fault(schema: Schema, familiar: Iterable[str]) -> str | None:
    """Why no model has its parts in the order of these keys, or None.

    Args:
        familiar: the keys whose modules are held against those of the releases, too.
    """
    faults = _faults(schema, familiar)
    return next(faults, None)


def _faults(schema: Schema, familiar: Iterable[str]) -> Iterator[str]:
    names = schema.names
    yield from _scattered(names)
    yield from _unlike_metadata(names, schema.modules)
    for path, module in _walk(_grow(names)):
        yield from _unlike_torch(path, module)
    for path, module in _walk(_grow(familiar)):
        yield from _unlike_releases(path, module)


@dataclass(slots=True)
class _Module:
    """Tensors and modules in a module, in the order of the keys."""

    order: list[str] = field(default_factory=list)
    children: dict[str, _Module] = field(default_factory=dict)


def _grow(names: Iterable[str]) -> _Module:
    root = _Module()
    for name in names:
        module = root
        *path, last = name.split(".")
        for segment in path:
            if segment not in module.children:
                module.children[segment] = _Module()
                module.order.append(segment)
            module = module.children[segment]
        module.order.append(last)
    return root


def _walk(root: _Module) -> Iterator[tuple[str, _Module]]:
    """Every module with its path, in no order."""
    left = [("", root)]
    while left:
        path, module = left.pop()
        yield path, module
        left += [(f"{path}.{n}" if path else n, child) for n, child in module.children.items()]


def _scattered(names: Sequence[str]) -> Iterator[str]:
    """torch writes a module with all that is in it before it goes on to the next."""
    left: set[str] = set()
    before: tuple[str, ...] = ()
    for name in names:
        path = _modules_of(name)
        again = next((module for module in path if module in left), None)
        if again is not None:
            yield f"the keys of {safe_text(again)} do not stand together"
            return
        left |= set(before) - set(path)
        before = path


def _modules_of(name: str) -> tuple[str, ...]:
    """The paths of the modules that a tensor is in, outermost first."""
    return tuple(name[:end] for end, char in enumerate(name) if char == ".")


def _unlike_metadata(names: Sequence[str], modules: Mapping[str, int | None] | None) -> Iterator[str]:
    """`_metadata` has the modules in their order, whatever became of the keys."""
    place = {path: number for number, path in enumerate(modules or ())}
    owners = dict.fromkeys(name.rpartition(".")[0] for name in names)
    for first, second in pairwise(owner for owner in owners if owner in place):
        if place[first] > place[second]:
            yield _said(f"{first} before {second}", "", "unlike its _metadata")


def _unlike_torch(path: str, module: _Module) -> Iterator[str]:
    """A module's own tensors come first, and the elements of a list by their numbers."""
    kinds = [name in module.children for name in module.order]
    if kinds != sorted(kinds):
        yield _said("a module before a tensor", path, "unlike torch")
    numbers = [int(name) for name in module.order if name.isdecimal() and len(name) < 10]
    if numbers != sorted(numbers):
        yield _said("numbers that do not ascend", path, "unlike torch")


def _unlike_releases(path: str, module: _Module) -> Iterator[str]:
    # Not at the top: few files hold an optimizer.
    from mm_ckpt_migrate.identify.layouts.siblings import known_siblings

    pairs = known_siblings()
    # Hostile files have modules of 200,000 names; the releases know a few thousand.
    familiar = [name for name in module.order if name in pairs.names]
    for first, second in combinations(familiar, 2):
        if (second, first) in pairs.ordered:
            yield _said(f"{first} before {second}", path, "unlike the releases")


def _said(what: str, path: str, unlike: str) -> str:
    inside = f" in {safe_text(path)}" if path else ""
    return f"the keys do not stand in the model's order: {safe_text(what)}{inside}, {unlike}"
