"""Raw outputs of one model with one file, measured in a release's own process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mm_ckpt_migrate.configs.read.find import config_scope
from mm_ckpt_migrate.configs.values import Config, custom_imports
from mm_ckpt_migrate.errors import ConfigError, MissingSoftwareError
from mm_ckpt_migrate.files.archive.publish import publish_bytes
from mm_ckpt_migrate.releases.allowed.request import TargetRequest, make_request
from mm_ckpt_migrate.releases.current.process import Format
from mm_ckpt_migrate.releases.process import ReleaseProcess

RECORD_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class OutputDifference:
    """One output of two runs.

    Attributes:
        largest: the largest absolute difference; NaN where a number is none, infinite where one
            run lacks the output or has another shape.
        scale: the largest absolute value of the first run.
    """

    name: str
    largest: float
    scale: float


def largest_of(values: Iterable[float]) -> float:
    """The largest; NaN where one is NaN, which no comparison with a limit passes."""
    found = list(values)
    return next((value for value in found if value != value), max(found, default=0.0))  # noqa: PLR0124


@dataclass(frozen=True, slots=True)
class Image:
    """The input: made from a seed, or the one of a record."""

    seed: int = 0
    size: tuple[int, int] = (128, 192)
    record: Path | None = None

    def another(self) -> Image:
        """One of other content, made from the next seed."""
        return Image(self.seed + 1, self.size)

    def request(self) -> dict[str, object]:
        where = str(self.record.absolute()) if self.record is not None else None
        return {"seed": self.seed, "size": list(self.size), "image": where}


@dataclass(frozen=True, slots=True)
class Side:
    """A config's model with a file's weights, in one release.

    Attributes:
        model: see `model_request`.
    """

    process: ReleaseProcess
    model: TargetRequest
    file: Path
    kind: Format = "torch"

    def request(self, what: str, **more: object) -> dict[str, object]:
        return {
            **self.model.message(what),
            "checkpoint": str(self.file.absolute()),
            "format": self.kind,
            **more,
        }

    def send(self, image: Image, out: str, **more: object) -> Path:
        """Ask for a run, without waiting; the path is where its outputs will lie."""
        path = self.process.folder / out
        self._hand_over(self.request("forward", **image.request(), **more), path)
        return path

    def ask(self, what: str, **more: object) -> None:
        """Hand any request over, without waiting."""
        self._hand_over(self.request(what, **more))

    def _hand_over(self, request: dict[str, object], out: Path | None = None) -> None:
        # Of a child that has ended `receive` says so, and why.
        with contextlib.suppress(MissingSoftwareError, ConfigError):
            self.process.send(request, out)

    def receive(self, count: int) -> list[dict[str, Any]]:
        """Wait for so many answers; all are taken before the first failure is raised.

        Raises:
            MissingSoftwareError, CheckpointError, ConfigError: see `ReleaseProcess.checked`.
        """
        answers = [self.process.receive() for _ in range(count)]
        return [self.process.checked(a, self.model.source, str(self.file)) for a in answers]

    def demand(self, what: str, **more: object) -> dict[str, Any]:
        """`send` and `receive` of any request; raises as `receive`."""
        self.ask(what, **more)
        return self.receive(1)[0]


def model_request(
    config: Config, origin: Path | str, allow_imports: tuple[str, ...] = (), *, allow_unconfined: bool = False
) -> TargetRequest:
    """The model of a config of either release, which was read without running it.

    Args:
        origin, allow_imports, allow_unconfined: see `make_request`.

    Raises:
        ConfigError: it has no model, or would import what it may not.
    """
    model = config.get("model")
    if not isinstance(model, dict):
        raise ConfigError(origin, "it has no `model`")
    return make_request(
        model,
        config_scope(origin if isinstance(origin, Path) else None, config),
        imports=custom_imports(config),
        allow_imports=allow_imports,
        allow_unconfined=allow_unconfined,
        source=origin,
    )


def compare(
    process: ReleaseProcess, first: Path, second: Path, **more: object
) -> tuple[tuple[OutputDifference, ...], dict[str, Any]]:
    """How far two files of outputs differ.

    Raises:
        CheckpointError: the first is no file of outputs.
    """
    answer = process.demand(
        {"do": "compare", "first": str(first.absolute()), "second": str(second), **more}, file=str(first)
    )
    differences = tuple(OutputDifference(*line) for line in answer["differences"])
    return differences, answer


def record_outputs(
    side: Side, image: Image, destination: Path, versions: Mapping[str, str], *, force: bool
) -> None:
    """Write an image, a side's outputs for it, and the releases, for a later `Recorded`.

    Raises:
        DestinationError: the file must not or cannot be written.
        MissingSoftwareError, CheckpointError, ConfigError: see `ReleaseProcess.checked`.
    """
    about = {"format": RECORD_FORMAT, "versions": dict(versions), "file": side.file.name}
    made = side.send(image, "record.npz", about=about, compress=True)
    side.receive(1)
    publish_bytes(destination, made.read_bytes(), force=force)
