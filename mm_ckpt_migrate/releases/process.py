"""The parent's side: a release's Python in a child process that measures what it is told to."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from mm_ckpt_migrate.errors import CheckpointError, ConfigError, MissingSoftwareError
from mm_ckpt_migrate.files.archive.scratch import Scratch
from mm_ckpt_migrate.releases.child import Child, ChildGone, ChildOwner, ChildStopped
from mm_ckpt_migrate.releases.refusals import stopped, unconfined
from mm_ckpt_migrate.releases.spawn import bootstrap, quiet_environment

_MEMORY: Final = 64 * 1024**3
_MAX_FILE: Final = 4 * 1024**3
_SECONDS: Final = 1800.0
_FOREIGN: Final = ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "__PYVENV_LAUNCHER__")
_MAX_REASON: Final = 600

# Work that one child can do in turn.
_KINDS: Final = {"evaluate": "evaluation", "resume": "training", "forward": "model", "unseen": "model"}


class ReleaseProcess(ChildOwner):
    """A child process of some Python, which starts at once. A context manager: leaving it kills.

    Attributes:
        folder: a temporary one, for what this process writes of the answers.
        unconfined: why no wall of the kernel stood around a child that ran a model; empty where
            one did.

    Args:
        python: an interpreter that has mmengine, mmcv, mmdet and mmseg, of either release.
        seconds: how long one answer may take.
        memory: address space in bytes; ignored with a GPU, whose driver reserves all there is.
        gpu: whether the child may see the GPUs.
    """

    def __init__(
        self,
        python: Path = Path(sys.executable),
        *,
        seconds: float = _SECONDS,
        memory: int = _MEMORY,
        gpu: bool = False,
    ) -> None:
        # Not resolved: a link in a virtual environment says which one it is.
        self.python = Path(os.path.abspath(python))
        self._seconds = seconds
        self._temporary = Scratch()
        self.folder = self._temporary.folder
        self._options = {"memory": 0 if gpu else memory, "file": _MAX_FILE}
        self.unconfined = ""
        self._config = "the config"
        self._gpu = gpu
        self._measures = ""
        self._spent = False
        try:
            self._child = self._start()
        except MissingSoftwareError:
            self._temporary.cleanup()
            raise

    def _start(self) -> Child:
        ours = self.python == Path(os.path.abspath(sys.executable))
        try:
            return Child(
                self._options,
                interpreter=[str(self.python)] if ours else [str(self.python), "-I"],
                bootstrap=bootstrap("probe.main"),
                environment=_environment(ours=ours, gpu=self._gpu),
            )
        except OSError as error:
            reason = f"{self.python} cannot be run: {error.strerror}"
            raise MissingSoftwareError(reason) from error

    def close(self) -> None:
        """Kill the child and what it started, and remove its files."""
        super().close()
        self._temporary.cleanup()

    def send(self, request: Mapping[str, object], out: Path | None = None) -> None:
        """Hand a request over; `receive` waits for its answer. Answers come in order.

        Args:
            request: `source`, if it is there, is what to call the config in messages.
            out: a file that the child shall write; it gets it opened.

        Raises:
            MissingSoftwareError: the child has ended.
            ConfigError: the kernel ended it.
        """
        self._begin(str(request["do"]))
        self._config = str(request.get("source", self._config))
        try:
            if out is None:
                self._child.send(request)
            else:
                with out.open("wb") as file:
                    self._child.send(request, file.fileno())
        except ChildGone as error:
            raise self._gone(error) from error

    def _begin(self, what: str) -> None:
        """Start anew for other work: what it has to import first lies behind the wall by then.

        And where a request had no answer: a late one must not be taken for that to another.
        """
        kind = _KINDS.get(what, "")
        if self._spent or (kind and self._measures and kind != self._measures):
            self._child.close()
            self._child = self._start()
            self._measures, self._spent = "", False
        self._measures = kind or self._measures

    def receive(self, progress: Callable[[Mapping[str, Any]], None] | None = None) -> dict[str, Any]:
        """The answer to the first request that has none, whether it has `ok` or not.

        Args:
            progress: is told what the child says about its progress.

        Raises:
            MissingSoftwareError: the child ended, was killed, or took too long.
            ConfigError: the kernel ended it, at the wall; or there is no wall, and must be.
        """
        while True:
            try:
                answer = self._child.receive(self._seconds)
            except ChildGone as error:
                self._spent = True
                raise self._gone(error) from error
            self.unconfined = self._child.unconfined or self.unconfined
            if answer.get("kind") == "unconfined":
                self._spent = True
                raise unconfined(self._config, str(answer["reason"])[:_MAX_REASON])
            if "progress" not in answer:
                return answer
            if progress is not None:
                progress(answer["progress"])

    def ask(
        self, request: Mapping[str, object], progress: Callable[[Mapping[str, Any]], None] | None = None
    ) -> dict[str, Any]:
        """`send` and `receive`."""
        self.send(request)
        return self.receive(progress)

    def demand(
        self, request: Mapping[str, object], config: str = "the config", file: str = "the file"
    ) -> dict[str, Any]:
        """`ask`, where anything but success is an error: see `checked`."""
        return self.checked(self.ask(request), config, file)

    def checked(
        self, answer: dict[str, Any], config: str = "the config", file: str = "the file"
    ) -> dict[str, Any]:
        """The answer, if it is a success.

        Args:
            config, file: what to call them in messages.

        Raises:
            MissingSoftwareError: a package is missing there, or releases do not fit together.
            CheckpointError: the file cannot be read, or its weights do not fit the model.
            ConfigError: the model cannot be built or run.
        """
        if answer["ok"]:
            return answer
        kind, reason = str(answer["kind"]), str(answer["reason"])[:_MAX_REASON]
        if kind == "missing":
            raise self._missing(reason)
        if kind in ("checkpoint", "record"):
            raise CheckpointError(str(answer.get("path", file)), reason)
        raise ConfigError(config, f"the model cannot be built or run: {reason}")

    def versions(self) -> dict[str, str]:
        """Releases of Python, torch and the OpenMMLab packages; all were imported.

        Raises:
            MissingSoftwareError: it has them not, or they do not work.
        """
        try:
            return dict(self.demand({"do": "versions"})["versions"])
        except ConfigError as error:
            raise MissingSoftwareError(f"{self.python}: {error.reason}") from error

    def _missing(self, reason: str) -> MissingSoftwareError:
        return MissingSoftwareError(
            f"{self.python} has not what is needed: {reason}",
            hint="`mm-ckpt-migrate legacy create` makes an old release's environment; "
            "`mm-ckpt-migrate doctor` looks at this one.",
        )

    def _gone(self, error: ChildGone) -> MissingSoftwareError | ConfigError:
        if isinstance(error, ChildStopped):
            return stopped(self._config)
        if "No module named" in str(error):
            return self._missing(str(error))
        return MissingSoftwareError(f"{self.python} gave no answer: {error}")


def _environment(*, ours: bool, gpu: bool) -> dict[str, str]:
    """Ours; another Python gets nothing that is meant for this one."""
    environment = quiet_environment()
    if gpu:
        del environment["CUDA_VISIBLE_DEVICES"]
        if "CUDA_VISIBLE_DEVICES" in os.environ:
            environment["CUDA_VISIBLE_DEVICES"] = os.environ["CUDA_VISIBLE_DEVICES"]
    if not ours:
        environment = {k: v for k, v in environment.items() if k not in _FOREIGN}
    # mmengine says where its own `torch.load` may run what a file names: nowhere.
    environment.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)
    return environment
