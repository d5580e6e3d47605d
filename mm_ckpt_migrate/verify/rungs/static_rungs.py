"""The rungs that need no run of a model: integrity, keys, roles."""

from __future__ import annotations

from mm_ckpt_migrate.convert.checks.digests import Digests
from mm_ckpt_migrate.convert.checks.integrity import check_integrity
from mm_ckpt_migrate.convert.checks.keys import check_keys, check_load
from mm_ckpt_migrate.convert.checks.roles import check_roles
from mm_ckpt_migrate.convert.checks.training import check_training, training_streams
from mm_ckpt_migrate.convert.decide.training_and_configs import optimizer_settings
from mm_ckpt_migrate.convert.training.follow import plan_training
from mm_ckpt_migrate.convert.training.parameters import UnknownOrderError, match_parameters
from mm_ckpt_migrate.files.archive.storages import storage_ref
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.pickles.emit import Label
from mm_ckpt_migrate.files.pickles.nodes import Persistent
from mm_ckpt_migrate.mapping.plan import Plan
from mm_ckpt_migrate.mapping.rules.order import reorder
from mm_ckpt_migrate.releases.current.resolve import Target
from mm_ckpt_migrate.schema import TargetModel
from mm_ckpt_migrate.verdicts import Rung, Status, Verdict, failed, passed, skipped
from mm_ckpt_migrate.verify.files import Files
from mm_ckpt_migrate.verify.whole.compare import Compared, compare_whole


def integrity(files: Files, target: TargetModel | None) -> Verdict:
    """Compare the new file with the old one: tensors, training state, and everything else.

    Args:
        target: the target model, where it is at hand.

    Raises:
        CheckpointError: the CRC of a storage does not match.
    """
    digests = Digests()
    if files.source is None or files.plan is None:
        digests.read([files.output])
        return skipped(Rung.INTEGRITY, "the old file was not given (--source)")
    digests.read([files.output, files.source])
    stated = files.output.stamp.get("source_sha256") if files.output.stamp else None
    if stated not in (None, files.source_digest):
        return failed(Rung.INTEGRITY, f"its stamp says that it was made from another file: sha256 {stated}")
    if unknown := [name for name in files.source.tensors if name not in files.plan.table]:
        return failed(Rung.INTEGRITY, "the plan does not know all tensors of the old file", unknown)
    verdict = check_integrity(files.source, files.output, files.plan, checksum=digests)
    if verdict.status is not Status.PASS:
        return verdict
    wrong = _training(files, files.source, files.plan, target, digests) if target else []
    if wrong:
        return failed(Rung.INTEGRITY, "the training state is not the old file's", wrong)
    return _with_the_rest(verdict, compare_whole(files, target, digests))


def _with_the_rest(tensors: Verdict, rest: Compared) -> Verdict:
    if rest.wrong:
        summary = f"the tensors are the old file's, but other entries are not: {len(rest.wrong)}"
        return failed(Rung.INTEGRITY, summary, (*rest.wrong, *rest.untold))
    if rest.untold:
        summary = f"{tensors.summary}; the rest cannot all be told"
        return Verdict(Rung.INTEGRITY, Status.SKIPPED, summary, rest.untold)
    summary = f"{tensors.summary}; every other entry is as it should be"
    return passed(Rung.INTEGRITY, summary, rest.said)


def _training(
    files: Files, source: Checkpoint, plan: Plan, target: TargetModel, digests: Digests
) -> list[str]:
    """What is wrong with the optimizers and schedulers of the new file."""
    if "optimizer" not in files.output.sections or "optimizer" not in source.sections:
        return []
    expected = reorder(plan.targets.values(), files.rules.last.order)
    parameters = match_parameters(source.schema, plan, expected, target)
    try:
        followers = plan_training(source, parameters, optimizer_settings(files.old_config))
    except UnknownOrderError as error:
        return [f"optimizer: its place cannot be known: {error}"]
    label = _by_content(source, digests)
    before = [training_streams(f.optimizer, f.schedulers, label) for f in followers]
    return check_training(followers, before, files.output, _by_content(files.output, digests))


def _by_content(checkpoint: Checkpoint, digests: Digests) -> Label:
    """Tells storages apart by what they hold."""

    def label(node: Persistent) -> bytes:
        extent = checkpoint.extents[storage_ref(node).key]
        return digests(checkpoint, extent)

    return label


def keys(files: Files, target: Target) -> tuple[Verdict, tuple[str, ...]]:
    """torch's own strict load, and the values in the file that no training should leave.

    Raises:
        MissingSoftwareError, ConfigError: the model cannot be built.
    """
    if files.output.prefix:
        return failed(Rung.KEYS, f"{files.output.prefix!r} stands before every key"), ()
    verdict = check_keys(files.output.schema, target.schema())
    if verdict.status is not Status.PASS or files.output.schema.ties:
        return verdict, ()
    loaded = target.load(files.output.source.path, files.kind, values=True)
    return check_load(loaded, verdict), loaded.odd


def roles(files: Files) -> Verdict:
    """Whether the plan agrees with the old config's operation order."""
    if files.config_fault:
        return skipped(Rung.ROLES, f"the old config cannot be read: {files.config_fault}")
    if files.plan is None:
        return skipped(Rung.ROLES, "how it was made is not known: it bears no stamp")
    if files.objection:
        return failed(Rung.ROLES, f"unproven, and forced: {files.objection}")
    return check_roles(files.old_config, files.plan, files.rules)
