"""What a class's constructor, and its other methods, may come to: a walk over the source.

The walk takes every mention of a function or class for a call of it. Methods of `self` are looked
up as Python does; a method of an unknown object is every method of that name in OpenMMLab's
packages, unless Python's, numpy's or torch's own containers have it.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from leaves import ABSENT, HARMLESS, KNOWN, OURS, SINKS, STOPS
from source import tree

UNCALLED = frozenset({"init_weights"})
"""Methods that neither building nor measuring calls; weights come from the file."""

_UNKNOWN = object()
_SELF = object()
_SUPER = object()
_PLAIN: frozenset[str] = frozenset(
    name
    for kind in (
        dict,
        list,
        tuple,
        set,
        frozenset,
        str,
        bytes,
        int,
        float,
        bool,
        type(None),
        np.ndarray,
        np.random.RandomState,
        torch.Tensor,
        torch.nn.Module,
        torch.nn.ModuleList,
        torch.nn.ModuleDict,
        torch.nn.Sequential,
        torch.nn.ParameterList,
        torch.Size,
        torch.device,
        torch.Generator,
    )
    for name in dir(kind)
) - {"tofile", "dump", "dumps", "load_state_dict"}


@dataclass(frozen=True)
class Finding:
    """A place that the walk came to and that is not harmless."""

    sink: str
    where: str


class Walk:
    """The walks of one interpreter; what functions mention is looked up once."""

    def __init__(self) -> None:
        self._methods = _methods_by_name()
        self._mentions: dict[tuple[Any, Any], list[Any]] = {}

    def findings(self, roots: list[tuple[Any, type | None]]) -> set[Finding]:
        """What is come to from functions, each with the class of its `self`."""
        found: set[Finding] = set()
        seen: set[tuple[int, int]] = set()
        todo = list(roots)
        while todo:
            function, owner = todo.pop()
            function = inspect.unwrap(function)
            key = (id(function), id(owner))
            if key in seen or not isinstance(function, types.FunctionType):
                continue
            seen.add(key)
            for item in self._mentioned(function, owner):
                if isinstance(item, Finding):
                    found.add(item)
                else:
                    todo.append(item)
        return found

    def _mentioned(self, function: types.FunctionType, owner: type | None) -> list[Any]:
        key = (function, owner)
        if key not in self._mentions:
            self._mentions[key] = list(_Reader(function, owner, self._methods).mentions())
        return self._mentions[key]


def constructor(cls: Any) -> list[tuple[Any, type | None]]:
    """What calling a registered thing calls."""
    if not inspect.isclass(cls):
        return [(cls, None)]
    roots: list[tuple[Any, type | None]] = []
    for name in ("__new__", "__init__", "__post_init__"):
        method = _static(cls, name)
        if method is not None:
            roots.append((method, cls))
    meta = _static(type(cls), "__call__")
    return [*roots, (meta, cls)] if meta is not None else roots


def every_method(cls: Any) -> list[tuple[Any, type | None]]:
    """All methods that OpenMMLab's classes give it, but `init_weights`, which is never called."""
    if not inspect.isclass(cls):
        return [(cls, None)]
    names = {
        name for base in cls.__mro__ if _ours(base.__module__) for name in vars(base) if name not in UNCALLED
    }
    return [(f, cls) for name in sorted(names) if (f := _static(cls, name)) is not None]


def _static(cls: type, name: str) -> Any:
    for base in cls.__mro__:
        if name in vars(base):
            return _function(vars(base)[name])
    return None


def _function(value: Any) -> Any:
    """The Python function in a method, a property, or what stands for one; None where none is."""
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    if isinstance(value, property):
        value = value.fget
    if isinstance(value, types.MethodType):
        value = value.__func__
    value = inspect.unwrap(value) if callable(value) else value
    return value if isinstance(value, types.FunctionType) else None


def _ours(module: str | None) -> bool:
    return (module or "").partition(".")[0] in OURS


def _methods_by_name() -> dict[str, list[tuple[Any, type]]]:
    found: dict[str, list[tuple[Any, type]]] = {}
    for name, module in sorted(sys.modules.items()):
        if not _ours(name) or module is None:
            continue
        for cls in list(vars(module).values()):
            if inspect.isclass(cls) and cls.__module__ == name:
                for key, value in vars(cls).items():
                    if (function := _function(value)) is not None:
                        found.setdefault(key, []).append((function, cls))
    return found


class _Reader:
    """What one function mentions, as functions with their owners, and findings."""

    def __init__(self, function: types.FunctionType, owner: type | None, methods: dict[str, Any]) -> None:
        self._function, self._owner, self._methods = function, owner, methods
        self._where = f"{function.__module__}.{function.__qualname__}"
        self._imported: dict[str, Any] = {}
        self._locals: set[str] = set()
        self._self = ""

    def mentions(self) -> Iterator[Any]:
        node = tree(self._function)
        for value in [*(self._function.__defaults__ or ()), *(self._function.__kwdefaults__ or {}).values()]:
            yield from self._object(value, "default")
        if node is None:
            if self._function.__name__ in ("__init__", "__new__", "__eq__", "__repr__", "__hash__"):
                return  # made by `dataclass` or `namedtuple`
            yield self._finding("no source")
            return
        self._learn(node)
        body = node.body if isinstance(node.body, list) else [node.body]
        for statement in body:
            yield from self._visit(statement)

    def _learn(self, node: Any) -> None:
        arguments = node.args
        names = [a.arg for a in [*getattr(arguments, "posonlyargs", []), *arguments.args]]
        if self._owner is not None and names and not isinstance(node, ast.Lambda):
            self._self = names[0]
        for inner in ast.walk(node):
            if isinstance(inner, ast.arg):
                self._locals.add(inner.arg)
            elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                self._locals.add(inner.id)
            elif isinstance(inner, (ast.FunctionDef, ast.ClassDef)) and inner is not node:
                self._locals.add(inner.name)
            elif isinstance(inner, ast.Import):
                for alias in inner.names:
                    top = alias.name if alias.asname else alias.name.partition(".")[0]
                    self._imported[alias.asname or top] = self._import(top)
                    if not alias.asname:
                        self._import(alias.name)
            elif isinstance(inner, ast.ImportFrom):
                name = "." * inner.level + (inner.module or "")
                module = self._import(name)
                for alias in inner.names:
                    self._imported[alias.asname or alias.name] = getattr(
                        module, alias.name, None if module is None else self._import(f"{name}.{alias.name}")
                    )

    def _import(self, name: str) -> Any:
        try:
            return importlib.import_module(name, self._function.__globals__.get("__package__"))
        except Exception:  # whatever a missing package raises
            return _Missing(name)

    def _visit(self, node: ast.AST) -> Iterator[Any]:
        if isinstance(node, ast.Attribute):
            yield from self._chain(node)
            return
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            value = self._resolve(node)
            if value is None and node.id in self._function.__globals__:
                value = _Missing(f"{self._function.__module__}.{node.id}")  # an import that failed
            yield from self._object(value, node.id)
            return
        if isinstance(node, ast.Call):
            yield from self._call(node)
        if isinstance(node, ast.AnnAssign):  # the annotation is not evaluated
            children: list[ast.AST] = [node.value] if node.value else []
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            children = [
                *node.body,
                *node.decorator_list,
                *node.args.defaults,
                *filter(None, node.args.kw_defaults),
            ]
        else:
            children = list(ast.iter_child_nodes(node))
        for child in children:
            yield from self._visit(child)

    def _call(self, node: ast.Call) -> Iterator[Any]:
        """`getattr` by a name that is not written there, on a module or class."""
        if isinstance(node.func, ast.Name) and node.func.id in ("getattr", "setattr"):
            owner = self._resolve(node.args[0])
            named = isinstance(node.args[1], ast.Constant)
            if not named and (isinstance(owner, (types.ModuleType, _Missing)) or inspect.isclass(owner)):
                yield self._finding(f"{node.func.id} by name on {getattr(owner, '__name__', owner)}")

    def _chain(self, node: ast.Attribute) -> Iterator[Any]:
        value = self._resolve(node.value)
        name = node.attr
        if value is _SELF:
            yield from self._method(self._owner, name)
        elif value is _SUPER:
            yield from self._super(name)
        elif value is _UNKNOWN:
            yield from self._unknown(name)
            yield from self._visit(node.value)
        elif isinstance(value, types.ModuleType):
            yield from self._object(
                getattr(value, name, _Missing(f"{value.__name__}.{name}")), f"{value.__name__}.{name}"
            )
        elif inspect.isclass(value) and _ours(value.__module__):
            yield from self._visit(node.value)
            function = _static(value, name)
            if function is not None and not _matches(_names(value)[0], SINKS | STOPS):
                yield (function, self._owner if self._inherits(value) else value)
        elif _ours(type(value).__module__):  # a registry, a logger, a constant of theirs
            function = _static(type(value), name)
            if function is not None:
                yield from self._object(function, name, type(value))
        elif value is None:
            yield from self._visit(node.value)
        else:
            yield from self._object(value, name)
            yield from self._unknown(name)

    def _inherits(self, cls: type) -> bool:
        return self._owner is not None and issubclass(self._owner, cls)

    def _method(self, owner: type | None, name: str) -> Iterator[Any]:
        if owner is None:
            return
        function = _static(owner, name)
        if function is not None:
            yield from self._object(function, name, owner)

    def _super(self, name: str) -> Iterator[Any]:
        assert self._owner is not None
        home = self._function.__qualname__.rpartition(".")[0].rpartition(".")[2]
        mro = list(self._owner.__mro__)
        at = next(
            (
                i
                for i, c in enumerate(mro)
                if c.__name__ == home and c.__module__ == self._function.__module__
            ),
            0,
        )
        for base in mro[at + 1 :]:
            if name in vars(base):
                function = _function(vars(base)[name])
                if function is not None:
                    yield from self._object(function, name, self._owner)
                return

    def _unknown(self, name: str) -> Iterator[Any]:
        if name in _PLAIN:
            return
        for function, cls in self._methods.get(name, ()):
            if not _matches(cls.__module__, SINKS):  # no such object without a finding
                yield from self._object(function, name, cls)

    def _resolve(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Name):
            if node.id == self._self:
                return _SELF
            if node.id in self._imported:
                return self._imported[node.id]
            if node.id in self._locals:
                return _UNKNOWN
            if node.id in self._function.__globals__:
                return self._function.__globals__[node.id]
            closure = inspect.getclosurevars(self._function).nonlocals if self._function.__closure__ else {}
            if node.id in closure:
                return closure[node.id]
            return getattr(builtins, node.id, _UNKNOWN)
        if isinstance(node, ast.Attribute):
            value = self._resolve(node.value)
            if isinstance(value, types.ModuleType):
                return getattr(value, node.attr, _Missing(f"{value.__name__}.{node.attr}"))
            if inspect.isclass(value):
                return getattr(value, node.attr, _UNKNOWN)
            if isinstance(value, _Missing):
                return _Missing(f"{value}.{node.attr}")
            return _UNKNOWN
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super":
            return _SUPER if self._owner is not None else _UNKNOWN
        return _UNKNOWN

    def _object(self, value: Any, text: str, owner: type | None = None) -> Iterator[Any]:
        if value is _UNKNOWN or value is _SELF or value is _SUPER or value is None:
            return
        if isinstance(value, _Missing):
            if not _matches(str(value), ABSENT) and str(value).rpartition(".")[2] not in ABSENT:
                yield self._finding(f"missing {value}")
            return
        names = [*_names(value), text]
        if any(_matches(name, STOPS) for name in names):
            return
        bad = [n for n in names if _matches(n, SINKS)]
        if bad and not any(_matches(n, HARMLESS) for n in names):
            yield self._finding(names[0])
            return
        if isinstance(value, (dict, list, tuple)) and len(value) < 200:
            for item in value.values() if isinstance(value, dict) else value:
                if callable(item):
                    yield from self._object(item, text)
            return
        if not _ours(names[0]) and names[0].partition(".")[0] not in KNOWN:
            yield self._finding(f"unknown {names[0]}")
            return
        function = _function(value)
        if function is not None and _ours(function.__module__):
            yield (
                function,
                owner or getattr(value, "__self__", None).__class__
                if isinstance(value, types.MethodType)
                else owner,
            )
        elif inspect.isclass(value) and _ours(value.__module__):
            yield from constructor(value)

    def _finding(self, sink: str) -> Finding:
        return Finding(sink, self._where)


class _Missing:
    """A name of a package that is not installed."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __str__(self) -> str:
        return self._name


def _names(value: Any) -> list[str]:
    if isinstance(value, types.ModuleType):
        return [value.__name__]
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if isinstance(module, str) and isinstance(name, str):
        return [f"{module}.{name}"]
    kind = type(value)
    return [f"{kind.__module__}.{kind.__qualname__}()"]


def _matches(name: str, names: frozenset[str]) -> bool:
    """Whether a name, or what it lies in, is one of them."""
    parts = name.split(".")
    return any(".".join(parts[:end]) in names for end in range(1, len(parts) + 1))
