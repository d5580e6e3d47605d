"""The layout of a state dict: names, shapes and dtypes in order, without values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One entry of a state dict.

    Attributes:
        name: the key.
        shape: sizes in elements, outermost first; `()` for a scalar.
        dtype: torch's name without the prefix, such as `float32`.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}{list(self.shape)}"


HALF: Final = ("float16", "bfloat16")
"""Element types all of whose numbers float32 holds exactly: torch widens them without loss."""


def fits(have: str, want: str) -> bool:
    """Whether a model's tensor of type `want` takes what a file holds as `have`, exactly."""
    return have == want or (have in HALF and want == "float32")


@dataclass(frozen=True, slots=True)
class Schema:
    """A state dict's layout.

    Attributes:
        tensors: the entries in state-dict order.
        modules: `state_dict._metadata`: module path to `version` (None where a module has none);
            None where the state dict carries no `_metadata`.
        ties: groups of two or more names that share one tensor.
    """

    tensors: tuple[TensorSpec, ...]
    modules: Mapping[str, int | None] | None = None
    ties: tuple[tuple[str, ...], ...] = ()
    _by_name: dict[str, TensorSpec] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {spec.name: spec for spec in self.tensors})

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self.tensors)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> TensorSpec:
        return self._by_name[name]

    def __len__(self) -> int:
        return len(self.tensors)


@dataclass(frozen=True, slots=True)
class TargetModel:
    """What the target release builds from a config.

    Attributes:
        schema: the model's state dict.
        parameters: names of `named_parameters()`, the order that optimizer state is indexed by.
        frozen: those of them that are not trained (`requires_grad` is False).
        stack: package name to version of everything that shaped the model.
        device: `meta` or `cpu`, where the model was built.
        cached: whether this was read from the schema cache rather than built now.
    """

    schema: Schema
    parameters: tuple[str, ...]
    frozen: tuple[str, ...]
    stack: Mapping[str, str]
    device: str
    cached: bool = False
