"""Integrity: every byte of the output's storages is the source's, each tensor in one place.

The two files are compared as they lie on disk, each storage by a checksum of its bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from mm_ckpt_migrate.convert.checks.digests import Digests
from mm_ckpt_migrate.files.archive.image import Extent
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.tensors import Tensor, gather
from mm_ckpt_migrate.mapping.plan import Plan, averaged_table
from mm_ckpt_migrate.names import fold
from mm_ckpt_migrate.verdicts import Rung, Verdict, failed, passed

# Of a range of a file; two ranges have equal ones where, and only where, their bytes are equal, as
# far as the kind of checksum goes.
Checksum: TypeAlias = Callable[[Checkpoint, Extent], object]


def check_integrity(
    source: Checkpoint, output: Checkpoint, plan: Plan, *, checksum: Checksum | None = None, by: str = ""
) -> Verdict:
    """Compare two files tensor by tensor under a plan.

    Args:
        checksum: of a storage's bytes; SHA-256 where none is given.
        by: what the verdict says of a weaker one.
    """
    tables = [(source.tensors, output.tensors, plan.table)]
    if output.averaged or (source.averaged and output.tree):
        tables.append((source.averaged, output.averaged, averaged_table(plan)))
    comparer = _Comparer(source, output, checksum or Digests())
    wrong = [line for table in tables for line in _differences(comparer, *table)]
    size = sum(extent.size for extent in output.extents.values())
    if {source.prefix, output.prefix} != {plan.prefix, ""}:
        wrong.append(f"a prefix before every key: {output.prefix!r} for {source.prefix!r}")
    if wrong:
        return failed(Rung.INTEGRITY, f"{len(wrong)} differences from the source", wrong)
    count = sum(len(tensors) for _, tensors, _ in tables)
    return passed(
        Rung.INTEGRITY,
        f"{count} tensors, each in one place; {len(output.extents)} storages with "
        f"{size:,} bytes equal to the source's{by}",
    )


def _differences(
    comparer: _Comparer,
    before: Mapping[str, Tensor],
    after: Mapping[str, Tensor],
    table: Mapping[str, str | None],
) -> list[str]:
    """Tensors that did not arrive, that came from nowhere, or that are not what they were."""
    targets = {old: new for old in before if (new := table.get(old)) is not None}
    expected = set(targets.values())
    lost = [new for new in targets.values() if new not in after]
    invented = [name for name in after if name not in expected]
    changed = [
        old for old, new in targets.items() if new in after and not comparer.same(before[old], after[new])
    ]
    return [
        *(f"lost: {line}" for line in fold(lost)),
        *(f"from nowhere: {line}" for line in fold(invented)),
        *(f"changed: {line}" for line in fold(changed)),
    ]


class _Comparer:
    """Compares tensors, and pairs the storages that they view: one to one, or something is off."""

    def __init__(self, source: Checkpoint, output: Checkpoint, checksum: Checksum) -> None:
        self.source = source
        self.output = output
        self.checksum = checksum
        self.pairs: dict[str, str] = {}
        self.partners: dict[str, str] = {}

    def same(self, before: Tensor, after: Tensor) -> bool:
        if (before.spec.shape, before.spec.dtype) != (after.spec.shape, after.spec.dtype):
            return False
        if self.source.tree and self.output.tree:
            view = (before.offset, before.stride) == (after.offset, after.stride)
            return view and self._same_storage(before.storage, after.storage)
        if before.contiguous and after.contiguous:
            first, second = self._range(self.source, before), self._range(self.output, after)
            return self.checksum(self.source, first) == self.checksum(self.output, second)
        return _elements(self.source, before) == _elements(self.output, after)

    def _same_storage(self, old: str, new: str) -> bool:
        """Equal bytes, and sharing kept: storages stay as many as they were."""
        if old in self.pairs or new in self.partners:
            return self.pairs.get(old) == new and self.partners.get(new) == old
        self.pairs[old], self.partners[new] = new, old
        before, after = self.source.extents[old], self.output.extents[new]
        return before.size == after.size and self.checksum(self.source, before) == self.checksum(
            self.output, after
        )

    def _range(self, checkpoint: Checkpoint, tensor: Tensor) -> Extent:
        """The bytes of a tensor whose elements follow each other."""
        extent = checkpoint.extents[tensor.storage]
        if (tensor.byte_offset, tensor.nbytes) == (0, extent.size):
            return extent
        return Extent(extent.key, extent.offset + tensor.byte_offset, tensor.nbytes)


def _elements(checkpoint: Checkpoint, tensor: Tensor) -> bytes:
    """A tensor's elements in row-major order."""
    extent = checkpoint.extents[tensor.storage]
    return gather(checkpoint.source.read(extent.offset, extent.size), tensor)
