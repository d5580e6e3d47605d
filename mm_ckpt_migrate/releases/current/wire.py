"""How a target model travels between processes and lies in the cache: one JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from mm_ckpt_migrate.schema import Schema, TargetModel, TensorSpec


class Payload(TypedDict):
    """A `TargetModel` as JSON.

    Attributes:
        tensors: `[name, shape, dtype]` in state-dict order.
        modules: `_metadata`, module path to version.
    """

    tensors: list[tuple[str, list[int], str]]
    modules: dict[str, int | None]
    ties: list[list[str]]
    parameters: list[str]
    frozen: list[str]
    stack: dict[str, str]
    device: str


def decode(payload: Mapping[str, object], *, cached: bool) -> TargetModel:
    """The model that a payload describes.

    Raises:
        ValueError: the payload is not of this format.
    """
    try:
        return _decode(payload, cached=cached)  # type: ignore[arg-type]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a target schema: {error!r}") from error


def _decode(payload: Payload, *, cached: bool) -> TargetModel:
    specs = tuple(
        TensorSpec(str(name), tuple(map(int, shape)), str(dtype)) for name, shape, dtype in payload["tensors"]
    )
    modules = {str(path): _version(version) for path, version in payload["modules"].items()}
    ties = tuple(tuple(map(str, group)) for group in payload["ties"])
    return TargetModel(
        schema=Schema(specs, modules, ties),
        parameters=tuple(map(str, payload["parameters"])),
        frozen=tuple(map(str, payload["frozen"])),
        stack={str(name): str(version) for name, version in payload["stack"].items()},
        device=str(payload["device"]),
        cached=cached,
    )


def _version(value: object) -> int | None:
    if value is None or type(value) is int:
        return value
    raise TypeError(f"a module version cannot be {value!r}")
