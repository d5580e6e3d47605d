"""Fold a checkpoint's tensor into another one: the new values, and when that cannot be."""

from __future__ import annotations

import sys
from array import array
from typing import ClassVar, Final

from mm_ckpt_migrate.errors import ExitCode, MigrateError
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.tensors import Tensor
from mm_ckpt_migrate.mapping.plan import Plan
from mm_ckpt_migrate.mapping.rules.operations import OPERATIONS, Fold, Numbers

# Codes of the module `array`. Half precision would round a thousand times coarser.
_CODES: Final = {"float32": "f", "float64": "d"}


class FoldError(MigrateError):
    """A fold was asked for that cannot be."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE

    def __init__(self, checkpoint: Checkpoint, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{checkpoint.source.path}: {reason}", hint=hint or "Leave --fold out.")
        self.reason = reason


def check_fold(checkpoint: Checkpoint, fold: Fold) -> None:
    """Raises FoldError where the tensors are missing, do not fit, or share their bytes."""
    tensors = checkpoint.tensors
    if missing := [name for name in (fold.source, fold.into) if name not in tensors]:
        raise FoldError(checkpoint, f"it has no {missing[0]}")
    source, into = tensors[fold.source], tensors[fold.into]
    for spec in (source.spec, into.spec):
        if spec.dtype not in _CODES:
            said = f"{spec.name} is {spec.dtype}, and only float32 and float64 can be folded"
            raise FoldError(checkpoint, said)
    if source.spec.dtype != into.spec.dtype:
        raise FoldError(checkpoint, f"{source.spec} and {into.spec} differ in their type")
    if not OPERATIONS[fold.operation].fits(source.spec.shape, into.spec.shape):
        raise FoldError(checkpoint, f"{source.spec} does not fit {into.spec}")
    if not source.contiguous:
        raise FoldError(checkpoint, f"the elements of {fold.source} do not follow each other")
    _check_storage(checkpoint, into)


def _check_storage(checkpoint: Checkpoint, into: Tensor) -> None:
    """The storage is written anew: it must hold this tensor as it is, and nothing else."""
    name, size = into.spec.name, checkpoint.extents[into.storage].size
    if not into.contiguous or into.offset or into.nbytes != size:
        raise FoldError(checkpoint, f"{name} is not its whole storage, element after element")
    others = (n for n, t in checkpoint.tensors.items() if t.storage == into.storage and n != name)
    if other := next(others, None):
        raise FoldError(checkpoint, f"{name} shares its storage with {other}")


def folded_storages(checkpoint: Checkpoint, plan: Plan) -> dict[str, bytes]:
    """The new bytes of each storage that the plan does not carry over as it stands.

    Args:
        checkpoint: the old file.

    Raises:
        FoldError: it has no such tensors, or they do not fit.
    """
    if plan.fold is None:
        return {}
    check_fold(checkpoint, plan.fold)
    source, into = (checkpoint.tensors[name] for name in (plan.fold.source, plan.fold.into))
    operation = OPERATIONS[plan.fold.operation]
    made = operation.apply(_numbers(checkpoint, source), _numbers(checkpoint, into))
    return {into.storage: _little(made).tobytes()}


def _numbers(checkpoint: Checkpoint, tensor: Tensor) -> Numbers:
    start = checkpoint.extents[tensor.storage].offset + tensor.byte_offset
    data = checkpoint.source.read(start, tensor.nbytes)
    return _little(array(_CODES[tensor.spec.dtype], data))


def _little(numbers: Numbers) -> Numbers:
    """To little-endian bytes, or from them."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
