"""The child's side: build one model and load files into it, one JSON object per line.

    {"do": "build", "model": LITERAL, "scope": ..., "imports": [], "packages": [], "needs": []}
    {"do": "load", "path": ..., "format": "torch" | "safetensors", "values": ...}

Every answer has `ok`. A failed build adds `kind` (`missing` software, a bad `config`, or
`unconfined`, where a confined child was asked for and there is no wall: see `serve`), `reason`,
`module` (the one not found, if any) and `again`: whether it may fare better in a child that takes
no short cuts.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Mapping
from typing import Any

from mm_ckpt_migrate.releases.current import stack
from mm_ckpt_migrate.releases.current.child import deferred
from mm_ckpt_migrate.releases.probe.serve import Service, Unconfined, failure


def main(service: Service) -> None:
    """Answer requests until they end.

    Options: `fast`, whether to take short cuts.
    """
    gc.disable()  # imports create much and free little: collecting costs a quarter of the time
    options = service.options
    session = _Session(service, fast=bool(options["fast"]))
    service.run(lambda request: getattr(session, request["do"])(request))


class _Session:
    """One model, and what is known about it."""

    def __init__(self, service: Service, *, fast: bool) -> None:
        self._service = service
        self._fast = fast
        self._request: Mapping[str, Any] = {}
        self._model: Any = None
        self._dtypes: dict[str, str] = {}

    def build(self, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            self._import(request)
            self._service.confine(request)
        except Unconfined as error:
            return self._failure("unconfined", error)
        except (ImportError, AssertionError) as error:
            return self._failure("missing", error)
        except Exception as error:
            return self._failure("config", error)
        try:
            return self._build(request)
        except Exception as error:
            return self._failure("config", error)

    def load(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Load a file, which is at `path` or came along."""
        from mm_ckpt_migrate.releases.current.child import loading

        if self._model is None:  # an earlier file took it
            self._model = self._model_of(self._request)
        model, self._model = self._model, None
        descriptor = request.get("descriptor")
        path = request["path"] if descriptor is None else f"/dev/fd/{descriptor}"
        answer = loading.load(model, self._dtypes, path, request["format"], values=request["values"])
        return {**answer, "torch": stack.installed().versions.get("torch", "unknown")}

    def _import(self, request: Mapping[str, Any]) -> None:
        if self._fast:
            deferred.install()
        from mm_ckpt_migrate.releases.current.child import build

        build.import_stack(request["scope"], request["imports"], request["packages"], request["needs"])
        build.join_group(request["model"])

    def _build(self, request: Mapping[str, Any]) -> dict[str, Any]:
        from mm_ckpt_migrate.releases.current.child import layout

        model = self._model_of(request)
        payload = layout.describe(model, stack.installed().versions)
        self._request, self._model = request, model
        self._dtypes = {name: dtype for name, _, dtype in payload["tensors"]}
        gc.freeze()  # from here on there is one model at a time to collect, and nothing else
        gc.enable()
        return {"ok": True, "schema": payload}

    def _model_of(self, request: Mapping[str, Any]) -> Any:
        from mm_ckpt_migrate.releases.current.child import build

        with build.unfilled() if self._fast else contextlib.nullcontext():
            return build.build(request["model"], request["scope"])

    def _failure(self, kind: str, error: Exception) -> dict[str, Any]:
        module = error.name if isinstance(error, ModuleNotFoundError) else None
        unconfined = kind == "unconfined"
        again = self._fast and module is None and not unconfined
        return {**failure(kind, error, bare=unconfined), "module": module, "again": again}
