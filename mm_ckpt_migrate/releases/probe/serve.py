"""Child only: how every child of ours begins, answers, and is confined; in either release's Python.

    {"do": ..., "confined": true, "descriptor": true, ...}

Requests and answers are JSON objects, one a line. `confined`: refuse the request where the kernel
cannot confine this process. `descriptor`: a file comes along, whose number takes the place of
`true`. The answers after the wall was built have `wall`: see `wall.Wall`.
"""

from __future__ import annotations

import array
import dataclasses
import json
import os
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from mm_ckpt_migrate.releases import wall
from mm_ckpt_migrate.releases.probe import sandbox


def begin(module: str, options: str) -> None:
    """Be a child: first what ends it with its parent, and bounds it; then what takes long.

    Args:
        module: its `main` is called with the `Service`.
        options: one JSON object, see `Service`.
    """
    service = Service(json.loads(options))
    import_module(module).main(service)


class Unconfined(Exception):  # noqa: N818 - it says what there is
    """Nothing confines this process, and the request is for one that is confined."""


def failure(kind: str, error: BaseException, *, bare: bool = False) -> dict[str, Any]:
    """The answer that says what went wrong; `bare`: the error's text says it by itself."""
    traceback.print_exc(file=sys.stderr)
    said = str(error).strip() or repr(error)
    return {"ok": False, "kind": kind, "reason": said if bare else f"{type(error).__name__}: {said}"}


class Service:
    """The child's side of the protocol.

    Args:
        options: what the parent said; `parent`, its process number; `files`, the socket that
            files come by; `memory`, address space in bytes, 0 for no limit; `file`, bytes of each
            file written.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        sandbox.die_with_parent(int(options["parent"]))
        self._requests, self._answers = sandbox.take_streams()
        self._files = socket.socket(fileno=int(options["files"]))
        if options["memory"]:
            sandbox.limit(int(options["memory"]), int(options["file"]))
        sandbox.block_network()
        self._wall: wall.Wall | None = None

    def confine(self, request: Mapping[str, Any], *, gpu: bool = False, unpickling: bool = False) -> None:
        """Build the wall, unless it stands; everything that is needed was imported.

        Args:
            gpu: see `wall.build`.
            unpickling: see `sandbox.seal`.

        Raises:
            Unconfined: there can be none, and the request insists.
        """
        if self._wall is None:
            tempfile.gettempdir()  # tried out by writing a file; later it is only asked for
            sandbox.seal(unpickling=unpickling)
            came = request["descriptor"]
            keep = {0, 1, 2, self._requests, self._answers, *([] if came is None else [came])}
            self._wall = wall.build(keep, files=self._files.fileno(), gpu=gpu)
        self._insist(request)

    def stay_open(self, request: Mapping[str, Any], reason: str) -> None:
        """Do without the wall, for this reason; raises as `confine`."""
        self._wall = wall.Wall("", reason)
        self._insist(request)

    def _insist(self, request: Mapping[str, Any]) -> None:
        assert self._wall is not None
        if request.get("confined") and not self._wall.kind:
            raise Unconfined(self._wall.reason)

    def run(self, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Answer requests until they end, and end."""
        status = 0
        try:
            self._answer_all(answer)
        except BaseException:  # such as SystemExit, of the code of a model
            traceback.print_exc()
            status = 1
        sys.stderr.flush()
        # Tearing down torch takes a second; and Python would look at sockets, which the wall ends.
        os._exit(status)

    def _answer_all(self, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        with open(self._requests, "rb", closefd=False) as stream:
            for line in stream:
                request = json.loads(line)
                came = self._received() if request.get("descriptor") else None
                self.send(answer({**request, "descriptor": came}))
                if came is not None:
                    os.close(came)

    def send(self, answer: dict[str, Any]) -> None:
        told = {} if self._wall is None else {"wall": dataclasses.asdict(self._wall)}
        data = json.dumps({**answer, **told}).encode() + b"\n"
        while data:
            data = data[os.write(self._answers, data) :]

    def _received(self) -> int:
        """The descriptor of a file that came along with a request."""
        size = array.array("i", [0]).itemsize
        ancillary = self._files.recvmsg(1, socket.CMSG_LEN(size))[1]
        return array.array("i", ancillary[0][2][:size])[0]
