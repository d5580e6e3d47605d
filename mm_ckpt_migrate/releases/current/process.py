"""The parent's side: a child that builds the target model while we do something else."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mm_ckpt_migrate.errors import ConfigError, MissingSoftwareError
from mm_ckpt_migrate.releases.allowed.request import TargetRequest
from mm_ckpt_migrate.releases.child import Child, ChildGone, ChildOwner, ChildStopped, ChildUnborn
from mm_ckpt_migrate.releases.current import fork_server, wire
from mm_ckpt_migrate.releases.refusals import stopped, unconfined
from mm_ckpt_migrate.schema import TargetModel

Format = Literal["torch", "safetensors"]

_MEMORY = 16 * 1024**3
_MAX_FILE = 64 * 1024**2
_BUILD_SECONDS = 300.0
_LOAD_SECONDS = 900.0
_MAX_REASON = 400
_STACK = ("mmcv", "mmdet", "mmengine", "mmseg")


@dataclass(frozen=True, slots=True)
class LoadOutcome:
    """What torch said when it loaded a file into the target model, strictly.

    Attributes:
        ok: every name, shape and dtype is the model's.
        missing: names that the model has and the file lacks.
        unexpected: names that the file has and the model lacks.
        errors: torch's own complaints, line by line, and dtypes that differ.
        refused: why `weights_only` would not load the file at all; None where it did.
        torch: the version that judged.
        odd: values that no training should leave, where they were looked at.
    """

    ok: bool
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    errors: tuple[str, ...]
    refused: str | None
    torch: str
    odd: tuple[str, ...] = ()


class TargetProcess(ChildOwner):
    """Builds a model in a child process, which starts at once and is never waited for unasked.

    Use as a context manager: leaving it kills the child.
    """

    def __init__(
        self,
        request: TargetRequest,
        *,
        memory: int = _MEMORY,
        build_seconds: float = _BUILD_SECONDS,
        interpreter: Sequence[str] = (sys.executable,),
    ) -> None:
        self._request = request
        self._memory = memory
        self._build_seconds = build_seconds
        self._interpreter = tuple(interpreter)
        self._payload: Mapping[str, Any] | None = None
        self._child = self._start(fast=True)

    @property
    def unconfined(self) -> str:
        """Why no wall of the kernel stands around the child; empty where one does."""
        return self._child.unconfined

    def payload(self) -> Mapping[str, Any]:
        """The schema as JSON, for the cache; waits for the build.

        Raises:
            MissingSoftwareError: torch or an OpenMMLab package is missing, or releases clash.
            ConfigError: the model cannot be built, or the child gave up, hung or was killed.
        """
        if self._payload is None:
            with self._understood():
                self._payload = self._built()
        return self._payload

    def _built(self) -> Mapping[str, Any]:
        answer = self._first_answer()
        if not answer["ok"] and answer.get("again"):
            self._child.close()
            self._child = self._start(fast=False)
            answer = self._child.receive(self._build_seconds)
        if not answer["ok"]:
            raise self._failure(answer)
        return dict(answer["schema"])

    def _first_answer(self) -> dict[str, Any]:
        try:
            return self._child.receive(self._build_seconds)
        except (ChildStopped, ChildUnborn):  # what is imported late may start programs
            return {"ok": False, "again": True}

    def schema(self) -> TargetModel:
        """What the target release builds; waits for the build.

        Raises:
            MissingSoftwareError: torch or an OpenMMLab package is missing, or releases clash.
            ConfigError: the model cannot be built, or the child gave up, hung or was killed.
        """
        with self._understood():
            return wire.decode(self.payload(), cached=False)

    def load(self, file: Path | str | int, kind: Format = "torch", *, values: bool = False) -> LoadOutcome:
        """Load a file into the built model.

        Args:
            file: a path, or the number of a descriptor that this process holds open.
            values: look at all values as well.

        Raises:
            MissingSoftwareError, ConfigError: as `schema` does; a file that does not load raises
                nothing.
        """
        self.payload()
        with contextlib.suppress(OSError):  # loading will say what is wrong with the file
            self._child.allow_memory(self._memory + 2 * os.stat(file).st_size)
        path = None if isinstance(file, int) else os.path.abspath(file)
        request = {"do": "load", "path": path, "format": kind, "values": values}
        with self._understood():
            self._hand_over(request, file if isinstance(file, int) else None)
            answer = self._child.receive(_LOAD_SECONDS)
            return LoadOutcome(
                ok=bool(answer["ok"]),
                missing=tuple(answer["missing"]),
                unexpected=tuple(answer["unexpected"]),
                errors=tuple(answer["errors"]),
                refused=answer["refused"],
                torch=str(answer["torch"]),
                odd=tuple(answer["odd"]),
            )

    def _hand_over(self, request: Mapping[str, object], file: int | None) -> None:
        if file is None:
            return self._child.send(request)
        again = os.open(f"/dev/fd/{file}", os.O_RDONLY)  # with a position of its own
        try:
            self._child.send(request, again)
        finally:
            os.close(again)

    def _start(self, *, fast: bool) -> Child:
        options = {"memory": self._memory, "file": _MAX_FILE, "fast": fast}
        fork = fork_server.fork_for(self._request.scope) if fast else None
        child = Child(options, interpreter=self._interpreter, fork=fork)
        try:
            with contextlib.suppress(ChildGone):  # `receive` says so, too
                child.send(self._request.message("build"))
        except BaseException:
            child.close()
            raise
        return child

    @contextlib.contextmanager
    def _understood(self) -> Iterator[None]:
        """An answer has what it must have, unless the code of a model wrote one of its own."""
        try:
            yield
        except ChildGone as error:
            raise self._impossible(error) from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise self._impossible(ChildGone("the child's answer is not understood")) from error

    def _impossible(self, error: ChildGone) -> ConfigError:
        if isinstance(error, ChildStopped):
            return stopped(self._request.source)
        return ConfigError(self._request.source, f"verification impossible: {error}")

    def _failure(self, answer: Mapping[str, Any]) -> MissingSoftwareError | ConfigError:
        reason = str(answer["reason"]).strip().splitlines()[-1][:_MAX_REASON]
        if answer["kind"] == "missing":
            return MissingSoftwareError(
                f"the target model cannot be built: {reason}", hint=_hint(answer["module"])
            )
        if answer["kind"] == "unconfined":
            return unconfined(self._request.source, reason)
        return ConfigError(self._request.source, f"the model cannot be built: {reason}")


def _hint(module: str | None) -> str:
    package = (module or "").partition(".")[0]
    if package.startswith("mm") and package not in _STACK:
        return f"pip install {package}"
    return "pip install 'mm-ckpt-migrate[mm]'"
