"""Child only: the model of a config with the weights of a file, strictly loaded."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import torch

from mm_ckpt_migrate.releases.current.child import build
from mm_ckpt_migrate.releases.probe import reading

_PACKAGES = ("torch", "numpy", "mmengine", "mmcv", "mmdet", "mmseg")


class BadFile(Exception):  # noqa: N818 - it says what is wrong
    """The file's weights cannot be loaded into the model."""


class BadRecord(Exception):  # noqa: N818
    """The recorded outputs in a file cannot be read."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason)
        self.path = path


@contextmanager
def running() -> Iterator[None]:
    """Turn a model's assertions into other errors: those of imports tell of missing software."""
    try:
        yield
    except AssertionError as error:
        raise RuntimeError(f"AssertionError: {error}") from error


class Models:
    """Builds models, and keeps the last one for the next request that wants it.

    Args:
        confine: builds the wall: see `import_for`.
    """

    def __init__(self, confine: Callable[[dict[str, Any]], None]) -> None:
        self._confine = confine
        self._recipe: Any = None
        self._model: Any = None
        self._imported: set[Any] = set()

    def loaded(self, request: dict[str, Any]) -> Any:
        """The model that a request describes, in eval mode, one thread.

        Request:
            model, scope, imports, packages, needs: as `target.request` makes them.
            checkpoint, format: the file.
            names: keys to exchange before loading, to make a deliberate error.
            dtype: `float32` or `float64`, which is computed in.

        Raises:
            BadFile: it cannot be read, or its names or shapes are not the model's.
        """
        torch.set_num_threads(1)  # with more, sums change their order
        model = self._built(request).to(getattr(torch, request.get("dtype", "float32")))
        _load(model, request)
        return model.eval()

    def _built(self, request: dict[str, Any]) -> Any:
        recipe = (request["scope"], request["model"])
        if self._recipe != recipe:
            self._import(request)
            self._model, self._recipe = None, None  # make room first
            self._model = build.build(request["model"], request["scope"])
            self._recipe = recipe
        return self._model

    def _import(self, request: dict[str, Any]) -> None:
        wanted = (request["scope"], *request["imports"], *request["needs"])
        if not set(wanted) <= self._imported:
            import_for(request, self._confine)
            self._imported.update(wanted)


def import_for(request: dict[str, Any], confine: Callable[[dict[str, Any]], None]) -> None:
    """Import what building the model of a request needs, and then confine this process.

    What `versions` needs is imported, too: an import may start programs, as matplotlib's looks
    for fonts, and behind the wall that is the end.
    """
    # mmseg passes over a failed import of mmdet, and fails later with an unrelated message.
    imports = list(request["imports"])
    if request["scope"] == "mmseg" and _uses(request["model"], "mmdet."):
        imports.insert(0, "mmdet.models")
    build.import_stack(request["scope"], imports, request["packages"], request["needs"])
    build.join_group(request["model"])
    for module in ("mmdet.models", "mmseg.models"):
        with contextlib.suppress(ImportError, AssertionError):
            import_module(module)
    confine(request)


def versions() -> dict[str, str]:
    """Releases, found by importing all that a measurement needs.

    Raises:
        ImportError: something is not installed, or does not work.
        AssertionError: releases do not fit together.
    """
    build.import_stack("mmseg", ["mmdet.models"], (), ["mmdet", "mmseg"])
    found = {name: str(import_module(name).__version__) for name in _PACKAGES}
    compiled = getattr(import_module("mmcv._ext"), "__file__", None) is not None
    return {"python": platform.python_version(), **found, "mmcv._ext": "compiled" if compiled else "stub"}


def load_strictly(model: Any, state: Any) -> None:
    """torch's own strict load: a model may have one of its own. Raises RuntimeError as that does."""
    torch.nn.Module.load_state_dict(model, state, strict=True)


def _renamed(state: Any, names: Mapping[str, str]) -> Any:
    """The same tensors under other names: the deliberate error of a family's control."""
    changed = [name for name in state if names.get(name, name) != name]
    moved = {names[name]: state.pop(name) for name in changed}
    if len(moved) < len(changed) or not moved.keys().isdisjoint(state):
        raise ValueError("two tensors would get one name")
    state.update(moved)
    return state


def _uses(text: str, prefix: str) -> bool:
    return f"'{prefix}" in text or f'"{prefix}' in text


def _load(model: Any, request: dict[str, Any]) -> None:
    try:
        state = reading.read_state_dict(request["checkpoint"], request.get("format", "torch"))
        load_strictly(model, _renamed(state, request.get("names") or {}))
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = " ".join(lines)[:600] or repr(error)
        raise BadFile(f"its weights do not load into the config's model: {reason}") from error
