"""The child's side: build one model and load files into it, one JSON object per line.

    {"do": "build", "model": LITERAL, "scope": ..., "imports": [], "packages": [], "needs": []}
    {"do": "load", "path": ..., "format": "torch" | "safetensors"}
    {"do": "forward", "path": ..., "format": ..., "record": "outputs.npz", "names": {}}

Every answer has `ok`. A failed build adds `kind` (`missing` software or bad `config`), `reason`,
`module` (the one not found, if any) and `again`: whether it may fare better in a child that takes
no short cuts.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mm_ckpt_migrate.target import deferred, sandbox, stack

DEFAULT_MEMORY = 16 * 1024**3
"""Address space while building; importing torch alone takes 1 to 8 GiB of it."""


def main(arguments: Sequence[str]) -> None:
    """Answer requests until they end. `arguments`: its options, one JSON object."""
    options = json.loads(arguments[0]) if arguments else {}
    if "parent" in options:
        sandbox.die_with_parent(int(options["parent"]))
    requests, answers = sandbox.take_streams()
    memory = int(options.get("memory", DEFAULT_MEMORY))
    sandbox.limit(memory)
    sandbox.block_network()
    gc.disable()  # imports create much and free little: collecting costs a quarter of the time
    session = _Session(memory, fast=bool(options.get("fast", True)))
    for request in _lines(requests):
        answer = getattr(session, request["do"])(request)
        _write(answers, json.dumps(answer).encode() + b"\n")
    os._exit(0)  # tearing down torch takes a second


class _Session:
    """One model, and what is known about it."""

    def __init__(self, memory: int, *, fast: bool) -> None:
        self._memory = memory
        self._fast = fast
        self._request: Mapping[str, Any] = {}
        self._model: Any = None
        self._dtypes: dict[str, str] = {}

    def build(self, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            self._import(request)
        except (ImportError, AssertionError) as error:
            return self._failure("missing", error)
        except Exception as error:
            return self._failure("config", error)
        sandbox.seal()
        try:
            return self._build(request)
        except Exception as error:
            return self._failure("config", error)

    def load(self, request: Mapping[str, Any]) -> dict[str, Any]:
        from mm_ckpt_migrate.target import loading

        if self._model is None:  # an earlier file took it
            self._model = self._model_of(self._request)
        model, self._model = self._model, None
        with contextlib.suppress(OSError):  # loading will say what is wrong with the file
            sandbox.limit_memory(self._memory + 2 * os.stat(request["path"]).st_size)
        answer = loading.load(
            model, self._dtypes, request["path"], request["format"], values=request["values"]
        )
        return {**answer, "torch": stack.installed().versions.get("torch", "unknown")}

    def forward(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Load a file, its keys exchanged by `names`, and compare the outputs with a record."""
        from mm_ckpt_migrate.target import build, forward, reading

        # With every weight filled: buffers that no file holds are computed with, too.
        model = build.build(self._request["model"], self._request["scope"])
        try:
            state = reading.read_state_dict(request["path"], request["format"])
            forward.load(model, forward.renamed(state, request["names"]))
            return {"ok": True, "differences": forward.compare(model, request["record"])}
        except Exception as error:
            return self._failure("config", error)

    def _import(self, request: Mapping[str, Any]) -> None:
        if self._fast:
            deferred.install()
        from mm_ckpt_migrate.target import build

        build.import_stack(
            request["scope"], request["imports"], request["packages"], request["needs"]
        )

    def _build(self, request: Mapping[str, Any]) -> dict[str, Any]:
        from mm_ckpt_migrate.target import layout

        model = self._model_of(request)
        payload = layout.describe(model, stack.installed().versions)
        self._request, self._model = request, model
        self._dtypes = {name: dtype for name, _, dtype in payload["tensors"]}
        gc.freeze()  # from here on there is one model at a time to collect, and nothing else
        gc.enable()
        return {"ok": True, "schema": payload}

    def _model_of(self, request: Mapping[str, Any]) -> Any:
        from mm_ckpt_migrate.target import build

        with build.unfilled() if self._fast else contextlib.nullcontext():
            return build.build(request["model"], request["scope"])

    def _failure(self, kind: str, error: Exception) -> dict[str, Any]:
        traceback.print_exc(file=sys.stderr)
        module = error.name if isinstance(error, ModuleNotFoundError) else None
        return {
            "ok": False,
            "kind": kind,
            "reason": f"{type(error).__name__}: {str(error).strip() or repr(error)}",
            "module": module,
            "again": self._fast and module is None,
        }


def _lines(descriptor: int) -> Iterator[dict[str, Any]]:
    with open(descriptor, "rb") as stream:
        for line in stream:
            yield json.loads(line)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    main(sys.argv[1:])
