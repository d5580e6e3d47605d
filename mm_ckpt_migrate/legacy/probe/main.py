"""Child only: answer requests, one JSON object per line, in whichever release is installed.

    {"do": "versions"}
    {"do": "forward", ...}    `forward.run`
    {"do": "compare", ...}    `compare.answer`
    {"do": "unseen", ...}     `unseen.answer`
    {"do": "resume", ...}     `resume.run`
    {"do": "evaluate", ...}   `evaluate.evaluate`, with {"progress": ...} lines before its answer

Every answer has `ok`. A failure adds `kind` (`missing` software, a bad `config`, `checkpoint` or
`record`, or another that `evaluate` gives) and `reason`.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any

from mm_ckpt_migrate.legacy.probe import compare, forward, model, resume, unseen
from mm_ckpt_migrate.target import sandbox

_MAX_FILE = 4 * 1024**3
_AF_UNIX = 1


def main(arguments: list[str]) -> None:
    """Answer requests until they end. `arguments`: the options, one JSON object."""
    options = json.loads(arguments[0])
    sandbox.die_with_parent(int(options["parent"]))
    requests, answers = sandbox.take_streams()
    if options["memory"]:
        sandbox.limit(int(options["memory"]), _MAX_FILE)
    _block_network()
    session = _Session(str(options["folder"]), lambda answer: _write(answers, answer))
    with open(requests, "rb") as stream:
        for line in stream:
            _write(answers, session.answer(json.loads(line)))
    sys.stderr.flush()
    os._exit(0)  # tearing down torch takes a second


class _Session:
    def __init__(self, folder: str, send: Callable[[dict[str, Any]], None]) -> None:
        self._models = model.Models(folder)
        self._send = send

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"ok": True, **self._result(request)}
        except model.BadFile as error:
            return _failure("checkpoint", error)
        except model.BadRecord as error:
            return {**_failure("record", error), "path": error.path}
        except (ImportError, AssertionError) as error:  # mmdet refuses releases of mmcv by assert
            return _failure("missing", error)
        except Exception as error:
            return _failure("config", error)

    def _result(self, request: dict[str, Any]) -> dict[str, Any]:
        what = request["do"]
        if what == "versions":
            return {"versions": model.versions()}
        if what == "forward":
            return forward.run(request, self._models)
        if what == "compare":
            return compare.answer(request)
        if what == "resume":
            return resume.run(request)
        if what == "unseen":
            return unseen.answer(request, self._models)
        assert what == "evaluate", what
        return self._evaluate(request)

    def _evaluate(self, request: dict[str, Any]) -> dict[str, Any]:
        """These scripts are started by launchers, too, and find each other in their own folder."""
        sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
        found: dict[str, Any] = import_module("evaluate").evaluate(
            request, lambda event: self._send({"progress": event})
        )
        return found


def _failure(kind: str, error: BaseException) -> dict[str, Any]:
    traceback.print_exc(file=sys.stderr)
    reason = str(error).strip() or repr(error)
    if not isinstance(error, (model.BadFile, model.BadRecord)):
        reason = f"{type(error).__name__}: {reason}"
    return {"ok": False, "kind": kind, "reason": reason}


def _block_network() -> None:
    """Refuse connections; worker processes that load data talk over local sockets."""
    refused = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in refused or (
            event in ("socket.connect", "socket.bind", "socket.sendto")
            and int(getattr(args[0], "family", 0)) != _AF_UNIX
        ):
            raise PermissionError(f"no network while a model is measured ({event})")

    sys.addaudithook(hook)


def _write(descriptor: int, answer: dict[str, Any]) -> None:
    data = json.dumps(answer).encode() + b"\n"
    while data:
        data = data[os.write(descriptor, data) :]
