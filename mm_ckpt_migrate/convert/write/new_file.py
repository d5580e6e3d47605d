"""Write a migrated checkpoint: copy, stamp, read back, compare, publish."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mm_ckpt_migrate.convert.checks.integrity import check_integrity
from mm_ckpt_migrate.convert.checks.keys import check_keys, check_load
from mm_ckpt_migrate.convert.checks.training import TrainingStreams, check_training, training_streams
from mm_ckpt_migrate.convert.contents import Contents, additions, config_texts
from mm_ckpt_migrate.convert.decide.decision import Decision
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.convert.stamp import check_placeholders, make_stamp, put_digest
from mm_ckpt_migrate.convert.write.to_torch import rewrite
from mm_ckpt_migrate.convert.write.untouched import carried_streams, label_by_place
from mm_ckpt_migrate.errors import CheckpointError, DestinationError, IntegrityError, LimitError
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.archive.image import Composition, Extent, Image
from mm_ckpt_migrate.files.archive.progress import Progress
from mm_ckpt_migrate.files.archive.publish import Draft, check_space, publish_together
from mm_ckpt_migrate.files.archive.source import Source, read_exactly
from mm_ckpt_migrate.files.archive.transfer import Copies, Transfer, measure
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.files.checkpoint.remarks import check_digest
from mm_ckpt_migrate.files.pickles.build import Plain
from mm_ckpt_migrate.files.pickles.errors import PickleLimitError
from mm_ckpt_migrate.mapping.plan import Plan
from mm_ckpt_migrate.verdicts import Rung, Status, Verdict, failed, may_publish, skipped

if TYPE_CHECKING:
    from mm_ckpt_migrate.releases.current.resolve import Target


@dataclass(frozen=True, slots=True)
class Written:
    """What is known of a new file; `digest`: its SHA-256, where that was asked for."""

    verdicts: tuple[Verdict, ...]
    notices: tuple[str, ...]
    digest: str


def write_checkpoint(
    checkpoint: Checkpoint,
    decision: Decision,
    plan: Plan,
    target: Target | None,
    *,
    new: Path,
    beside: Sequence[Draft] = (),
    options: Options,
    progress: Progress,
) -> Written:
    """Write the new file, and publish it where integrity and keys hold, after those beside it.

    Raises:
        CheckpointError: the source is damaged, or changes meanwhile.
        DestinationError: the destination cannot be written.
        IntegrityError: the copy is not what the source holds.
    """
    try:
        before = _snapshot(checkpoint, decision.contents)
        composition, notices = _compose(checkpoint, decision, plan, options)
    except PickleLimitError as error:
        raise LimitError(checkpoint.source.path, str(error)) from error
    image = composition.compose(composition.head)
    check_space(new, image.size)
    with Draft(new, checkpoint.source.status.st_mode & 0o777) as draft, _reading_back(new):
        draft.resize(image.size)
        left_out = _left_out(checkpoint, image)
        with Transfer(checkpoint.source, image, draft, progress, left_out) as transfer:
            transfer.copied()
            _write_literals(image, draft)
            with Source(new, draft.fd) as written:
                output = open_checkpoint(written)
                _put_digest(checkpoint.source, composition, image, draft)
                copies = transfer.compared()
                digest = _flushed(transfer, draft, options)
                # The digest in the stamp may have been complete before the last storage was read.
                checkpoint.source.check_unchanged()
                check_digest(checkpoint, options.expected_digest)
                verdicts = (
                    _integrity(checkpoint, output, plan, copies, before, decision.contents),
                    _keys(output, decision, target, draft),
                    decision.roles,
                )
        if may_publish(verdicts):
            publish_together([*beside, draft], force=options.force)
    return Written(verdicts, notices, digest)


def _flushed(transfer: Transfer, draft: Draft, options: Options) -> str:
    """Wait for the disk; beside that, compute the digest where it is wanted."""
    if not options.digest_result:
        transfer.flushed()
        return ""
    with Source(draft.path, draft.fd) as written:
        written.start_digest()
        transfer.flushed()
        return written.digest()


@contextmanager
def _reading_back(new: Path) -> Iterator[None]:
    """What cannot be read of the new file is the fault of its disk, and not the source's."""
    try:
        yield
    except CheckpointError as error:
        if error.path != new:
            raise
        raise DestinationError(new, error.reason, hint="Choose another disk.") from error


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What of the source must arrive as it is."""

    carried: dict[str, bytes]
    training: list[TrainingStreams]


def _snapshot(checkpoint: Checkpoint, contents: Contents) -> _Snapshot:
    label = label_by_place(checkpoint, lambda offset: offset)
    training = [training_streams(f.optimizer, f.schedulers, label) for f in contents.followers]
    return _Snapshot(carried_streams(checkpoint, label, contents), training)


def _compose(
    checkpoint: Checkpoint, decision: Decision, plan: Plan, options: Options
) -> tuple[Composition, tuple[str, ...]]:
    stamp = None
    if decision.origin is None:
        stamp = stamp_of(checkpoint, plan, decision.contents)
    composition, notices = _lay_out(checkpoint, decision, plan, stamp, options.format or checkpoint.format)
    check_placeholders(composition.head, stamp)
    return composition, notices


def stamp_of(checkpoint: Checkpoint, plan: Plan, contents: Contents) -> dict[str, Plain]:
    """The stamp of the new file."""
    tree = checkpoint.tree
    texts = config_texts(tree.root) if tree else {}
    configs = {".".join(path): texts[path] for path in contents.configs}
    added = additions(tree, contents) if tree else {}
    return make_stamp(
        plan,
        checkpoint.stamp,
        tuple(map(".".join, contents.left_out)),
        configs,
        tuple(map(".".join, added)),
        wrapped=tree is not None and not tree.path,
        raw=contents.raw,
        inference=contents.inference,
        as_is=contents.keep_as_is,
    )


def _lay_out(
    checkpoint: Checkpoint, decision: Decision, plan: Plan, stamp: Mapping[str, Plain] | None, kind: Format
) -> tuple[Composition, tuple[str, ...]]:
    if kind is Format.SAFETENSORS:
        from mm_ckpt_migrate.convert.write.to_safetensors import export

        return export(checkpoint, plan, stamp, _prefix(decision, plan)), ()
    if checkpoint.tree is None or (kind is Format.LEGACY and checkpoint.format is not kind):
        raise CheckpointError(
            checkpoint.source.path,
            f"a {checkpoint.format.value} file cannot become a {kind.value} file",
            hint="Leave --format out.",
        )
    unwrap = decision.origin is not None and decision.origin.wrapped
    return rewrite(
        checkpoint,
        plan,
        decision.order,
        decision.modules,
        stamp,
        decision.contents,
        target_format=kind,
        unwrap=unwrap,
        prefix=_prefix(decision, plan),
    )


def _prefix(decision: Decision, plan: Plan) -> str:
    """What stands before every key of the new file: in reverse, what stood there once."""
    return plan.prefix if decision.origin is not None else ""


def _left_out(checkpoint: Checkpoint, image: Image) -> list[Extent]:
    """Storages that no part of the new file comes from: damage to them is damage to the file."""
    copied = {extent.offset for _, extent in image.extents()}
    return [e for e in checkpoint.extents.values() if e.crc is not None and e.offset not in copied]


def _write_literals(image: Image, draft: Draft) -> None:
    """Everything but the storages."""
    for offset, data in image.literals():
        draft.write(offset, data)


def _put_digest(source: Source, composition: Composition, written: Image, draft: Draft) -> None:
    """Write the head again with the source's digest, which takes the longest to be known.

    What does not change by it was read back when the new file was opened.

    Raises:
        CheckpointError: the source changed meanwhile.
        IntegrityError: what was written does not read back.
    """
    final = composition.compose(put_digest(composition.head, source.digest()))
    before = dict(written.literals())
    for offset, data in final.literals():
        if data == before.get(offset):
            continue
        draft.write(offset, data)
        if read_exactly(draft.fd, offset, len(data), draft.path) != data:
            raise IntegrityError(f"{draft.path}: what was written does not read back")


def _integrity(
    source: Checkpoint, output: Checkpoint, plan: Plan, copies: Copies, before: _Snapshot, contents: Contents
) -> Verdict:
    """Compare the files by what was measured while copying, and what was carried over whole."""

    def checksum(checkpoint: Checkpoint, extent: Extent) -> int:
        known = copies.output if checkpoint is output else copies.source
        crc = known.get((extent.offset, extent.size))
        if crc is None:
            file = checkpoint.source
            crc = measure(file.fd, extent.offset, extent.size, file.path)
        return crc

    verdict = check_integrity(source, output, plan, checksum=checksum, by=" by their CRC-32")
    if output.tree is None or verdict.status is not Status.PASS:
        return verdict
    label = label_by_place(output, lambda offset: copies.origin.get(offset, -1))
    arrived = carried_streams(output, label, contents)
    lost = [name for name, data in before.carried.items() if arrived.get(name) != data]
    wrong = check_training(contents.followers, before.training, output, label)
    if lost or wrong:
        return failed(
            Rung.INTEGRITY, f"{len(lost) + len(wrong)} parts did not arrive as they were", [*lost, *wrong]
        )
    return verdict


def _keys(output: Checkpoint, decision: Decision, target: Target | None, draft: Draft) -> Verdict:
    """Against the cached schema, or against the model itself where it was built just now."""
    if decision.target is None or target is None:
        return skipped(Rung.KEYS, "no target model was built")
    verdict = check_keys(output.schema, decision.target)
    if decision.target.cached or verdict.status is not Status.PASS or output.schema.ties:
        return verdict
    if output.format is Format.SAFETENSORS:
        return check_load(target.load(draft.fd, "safetensors"), verdict)
    return check_load(target.load(draft.fd, "torch"), verdict)
