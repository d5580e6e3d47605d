"""The way in: a target model from the cache where it is known, from a child process where not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from mm_ckpt_migrate.releases.allowed.request import TargetRequest, make_request
from mm_ckpt_migrate.releases.current import cache as schemas
from mm_ckpt_migrate.releases.current import stack
from mm_ckpt_migrate.releases.current.process import Format, LoadOutcome, TargetProcess
from mm_ckpt_migrate.schema import TargetModel


def resolve_target(
    model: Mapping[str, object],
    scope: str,
    *,
    imports: Sequence[str] | str = (),
    allow_imports: Sequence[str] = (),
    allow_unconfined: bool = False,
    cache: bool = True,
    source: Path | str = "target config",
) -> Target:
    """Look a model config up, or start building it. Returns at once; close what it returns.

    Args:
        model: the config's `model`, as plain values.
        scope: `mmdet` or `mmseg`.
        imports: the config's `custom_imports`.
        allow_imports: packages outside OpenMMLab that may be imported; this turns the cache off.
        allow_unconfined, source: see `make_request`.

    Raises:
        ConfigError: the config is no plain data, or would import what it may not.
    """
    request = make_request(
        model,
        scope,
        imports=imports,
        allow_imports=allow_imports,
        allow_unconfined=allow_unconfined,
        source=source,
    )
    return Target(request, schemas.key(request, stack.installed()) if cache else None)


class Target:
    """A target model: its schema, and a judge of files. A context manager.

    Where the schema is cached, no child runs until `load` or `start` asks for one.
    """

    def __init__(
        self,
        request: TargetRequest,
        key: str | None,
        *,
        launch: Callable[[TargetRequest], TargetProcess] = TargetProcess,
    ) -> None:
        self._request = request
        self._key = key
        self._launch = launch
        self._process: TargetProcess | None = None
        self._model = schemas.load(key) if key is not None else None
        if self._model is None:
            self.start()

    def __enter__(self) -> Target:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def unconfined(self) -> str:
        """Why no wall stands around the child; empty where one does, or where none was started."""
        return "" if self._process is None else self._process.unconfined

    def start(self) -> TargetProcess:
        """Have the child ready soon, for a caller who knows that a `load` will come.

        Raises:
            ConfigError: the child died at once.
        """
        if self._process is None:
            self._process = self._launch(self._request)
        return self._process

    def close(self) -> None:
        """Kill the child, if there is one."""
        if self._process is not None:
            self._process.close()

    def schema(self) -> TargetModel:
        """What the target release builds.

        Raises:
            MissingSoftwareError, ConfigError: see `TargetProcess.schema`.
        """
        if self._model is None:
            self._model = self._built()
        return self._model

    def load(self, file: Path | str | int, kind: Format = "torch", *, values: bool = False) -> LoadOutcome:
        """Load a file into the model, in a child that builds it anew where it was cached.

        Raises:
            MissingSoftwareError, ConfigError: see `TargetProcess.load`.
        """
        process = self.start()
        if self._model is not None and self._model.cached:
            self._model = self._built()  # a stale entry must not outlive the discovery
        return process.load(file, kind, values=values)

    def _built(self) -> TargetModel:
        process = self.start()
        model = process.schema()
        if self._key is not None and (self._model is None or self._model.schema != model.schema):
            schemas.store(self._key, process.payload())
        return model
