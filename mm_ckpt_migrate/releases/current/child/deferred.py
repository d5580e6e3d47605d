"""Heavy imports that no model build needs, put off until something uses them.

Importing mmseg and mmdet drags in matplotlib, scipy, shapely and torch's sharded training: 1.3 of
2.7 s. In place of each comes a module whose names are stand-ins; whoever calls, subclasses or
looks into one gets the real thing, imported at that moment. Where a stand-in does not do, the
build fails and the parent asks again without any of this (see `process`).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_DEFERRED = (
    "matplotlib",
    "scipy",
    "shapely",
    "mmengine._strategy.fsdp",
    "mmengine.model.wrappers.fully_sharded_distributed",
    "mmengine.optim.optimizer.zero_optimizer",
)


def install() -> None:
    """Defer the listed modules in this process, once; call before anything imports them."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(set(_DEFERRED)))


class _Finder(MetaPathFinder, Loader):
    """Finds stand-in modules for the roots that nobody has needed yet."""

    def __init__(self, roots: set[str]) -> None:
        self._roots = roots

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if self._root(fullname) is None or not _exists(fullname):
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandInModule(spec.name, self)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run: that is the point."""

    def really_import(self, fullname: str) -> ModuleType:
        """Stop deferring the root of a module, and import the module."""
        root = self._root(fullname)
        if root is not None:
            self._roots.discard(root)
            for name in [n for n in sys.modules if n == root or n.startswith(f"{root}.")]:
                del sys.modules[name]
        return importlib.import_module(fullname)

    def _root(self, fullname: str) -> str | None:
        return next((r for r in self._roots if f"{fullname}.".startswith(f"{r}.")), None)


class _StandInModule(ModuleType):
    """A module that is imported when something other than its names is needed."""

    def __init__(self, name: str, finder: _Finder) -> None:
        super().__init__(name)
        self.__dict__["_finder"] = finder

    def __getattr__(self, name: str) -> object:
        if name.startswith("__") and name not in ("__all__", "__version__"):
            raise AttributeError(name)  # the import system and `inspect` only look around
        stand_in = _StandIn(self.__dict__["_finder"], self.__name__, name)
        return stand_in.real() if name.startswith("__") else stand_in


class _StandIn:
    """One name of a deferred module."""

    def __init__(self, finder: _Finder, module: str, name: str) -> None:
        self._finder, self._module, self._name = finder, module, name

    def real(self) -> object:
        module = self._finder.really_import(self._module)
        try:
            return getattr(module, self._name)
        except AttributeError:
            return importlib.import_module(f"{self._module}.{self._name}")

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.real(), name)

    def __call__(self, *args: object, **kwargs: object) -> object:
        return self.real()(*args, **kwargs)  # type: ignore[operator]

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[object, ...]:
        return (self.real(),)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self.real())  # type: ignore[arg-type]


def _exists(fullname: str) -> bool:
    """Whether a module could be imported, so that `except ImportError` still works."""
    path: Sequence[str] | None = None
    parts = fullname.split(".")
    for end in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:end]), path)
        if spec is None:
            return False
        path = spec.submodule_search_locations
    return True
