"""Child only: import the OpenMMLab stack and build a model without filling its weights."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch

from mm_ckpt_migrate.releases.allowed import classes
from mm_ckpt_migrate.releases.allowed.permitted import permitted

_FILLS = ("add_", "clamp_", "erfinv_", "fill_", "mul_", "normal_", "uniform_", "zero_")
_LARGE = 1 << 12

_TRUSTED: list[str] = []
"""Packages all of whose classes the user trusts, as the last request has them."""

_OLDEST_TORCH = (2, 1)  # `torch.load(mmap=)` and `load_state_dict(assign=)`


def import_stack(scope: str, imports: Sequence[str], packages: Sequence[str], needs: Sequence[str]) -> None:
    """Import everything that a build of this scope needs.

    Args:
        imports: further modules, which register what they define.
        packages: the packages all of whose classes the user trusts.
        needs: the packages that one does name; mmengine would pass over a missing one.

    Raises:
        ImportError: something is not installed.
        AssertionError: mmdet and mmseg refuse the release of mmcv or mmengine in this way.
    """
    if tuple(map(int, torch.__version__.split(".")[:2])) < _OLDEST_TORCH:
        raise ImportError(f"torch {torch.__version__} is too old: 2.1 or newer is needed")
    for package in needs:
        if find_spec(package) is None:
            raise ModuleNotFoundError(f"{package} is not installed", name=package)
    stand_in_for_operators()
    guard_lookups(packages)
    for module in (f"{scope}.models", *imports):
        importlib.import_module(module)


def build(text: str, scope: str) -> Any:
    """The model of a config. Whatever a constructor raises passes through."""
    from mmengine.config import ConfigDict
    from mmengine.registry import init_default_scope

    init_default_scope(scope)
    config = ConfigDict(ast.literal_eval(text))  # anew for each build: constructors change it
    return importlib.import_module(f"{scope}.registry").MODELS.build(config)


def join_group(text: str) -> None:
    """Make the process group that `MMSyncBN` asks for while it is built; before the wall.

    A group of one talks to nobody, but gloo opens a socket for it.
    """
    if "'MMSyncBN'" in text and not torch.distributed.is_initialized():
        store = torch.distributed.HashStore()
        torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)


@contextmanager
def unfilled() -> Iterator[None]:
    """Leave large weights as the allocator gives them: memory never touched is never used.

    The meta device would do this more thoroughly and less well. Constructors compute: Swin reads
    its drop-path rates with `.item()`, deformable attention initialises itself, and arithmetic
    on meta imports `torch._dynamo`, which takes a second.
    """
    with ExitStack() as undo:
        for name in _FILLS:
            original = getattr(torch.Tensor, name)
            setattr(torch.Tensor, name, _small_only(original))
            undo.callback(setattr, torch.Tensor, name, original)
        yield


def _small_only(fill: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fill)
    def maybe_fill(tensor: Any, *args: Any, **kwargs: Any) -> Any:
        return fill(tensor, *args, **kwargs) if tensor.numel() < _LARGE else tensor

    return maybe_fill


def stand_in_for_operators() -> bool:
    """Stand in for mmcv's compiled operators where there are none, as here; building calls none."""
    try:
        found = importlib.import_module("mmcv._ext")
    except ImportError:
        importlib.import_module("mmcv")  # a missing mmcv must not pass for missing operators
        found = sys.modules["mmcv._ext"] = _NoOps("mmcv._ext")
        found.__spec__ = ModuleSpec("mmcv._ext", None)
    return isinstance(found, _NoOps)


class _NoOps(ModuleType):
    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)

        def operator(*_args: object, **_kwargs: object) -> None:
            raise NotImplementedError(f"mmcv operator {name} is not compiled")

        return operator


def guard_lookups(packages: Sequence[str]) -> None:
    """Let a `type` name nothing but classes on the list, and those of the user's own packages.

    The text of a config was checked before. But constructors make names, too, out of any setting,
    and mmengine follows a dotted one to its end: `mmengine.utils.path.os.system` is a command.

    Args:
        packages: packages, or modules, all of whose classes may be named.
    """
    module: Any = importlib.import_module("mmengine.registry.registry")
    _TRUSTED[:] = packages
    if hasattr(module.Registry, "unguarded_get"):
        return
    original = module.Registry.unguarded_get = module.Registry.get

    def get(registry: Any, key: str) -> Any:
        found = original(registry, key)
        kind = classes.kind_of(registry)
        if found is not None and not classes.may_build(found, key, kind, _TRUSTED):
            raise PermissionError(f"{key!r} is not on the list of classes that may be built")
        return found

    module.Registry.get = get
    follow = getattr(module, "get_object_from_string", None)
    if follow is not None:  # before 0.8 it follows none
        module.get_object_from_string = functools.partial(_follow, follow)


def _follow(original: Callable[[str], object], name: str) -> object:
    """A class by its path, in the permitted packages alone."""
    if not permitted(name, _TRUSTED):
        return None
    found = original(name)
    return found if inspect.isclass(found) and permitted(found.__module__, _TRUSTED) else None
