"""`plan` and `convert`: read, decide, then act."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from mm_ckpt_migrate.archive.publish import check_destination
from mm_ckpt_migrate.archive.source import Source
from mm_ckpt_migrate.archive.transfer import Progress
from mm_ckpt_migrate.checkpoint.model import Checkpoint
from mm_ckpt_migrate.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.choose import Library
from mm_ckpt_migrate.decide import Decision, decide, decide_reverse, open_target
from mm_ckpt_migrate.errors import DestinationError
from mm_ckpt_migrate.options import Options
from mm_ckpt_migrate.plan import Plan, migrated_schema
from mm_ckpt_migrate.report import ConvertReport, Rung, Status, Verdict, skipped
from mm_ckpt_migrate.rewrite import training_state
from mm_ckpt_migrate.ruleset.library import load_known_lookalikes, load_library, rules_folder
from mm_ckpt_migrate.target.resolve import Target
from mm_ckpt_migrate.verify.keys import check_keys
from mm_ckpt_migrate.write import write_checkpoint


def no_progress(size: int) -> None:
    """Report to nobody."""


def load_rules() -> Library:
    """All rule files; raises RuleError where one is malformed."""
    folder = rules_folder()
    return Library(load_library(folder), load_known_lookalikes(folder))


def plan(family: str, cfg: str, old: Path, options: Options) -> tuple[Plan | None, ConvertReport]:
    """Decide what `convert` would do; nothing is written but the plan file, where one is asked for.

    Raises:
        MigrateError: as `convert` does, but for the writing.
    """
    with ExitStack() as stack:
        source = stack.enter_context(Source(old))
        checkpoint, decision, _ = _decide(stack, source, family, cfg, options)
        _save_plan(decision, options)
        integrity = skipped(Rung.INTEGRITY, "nothing was written")
        verdicts = (integrity, _planned_keys(checkpoint, decision), decision.roles)
        return decision.plan, _report(checkpoint, decision, None, verdicts, "")


def convert(
    family: str,
    cfg: str,
    old: Path,
    new: Path,
    options: Options,
    *,
    progress: Progress = no_progress,
) -> ConvertReport:
    """Migrate one checkpoint.

    Args:
        family: a family's name or number, or `auto`.
        cfg: the target config: a path, or the name of one that mmseg or mmdet ships.
        old: the checkpoint to read; it is never written.
        new: the file to make.
        progress: told the bytes of each storage that was copied.

    Raises:
        CheckpointError: the checkpoint is damaged, hostile, or not one.
        FamilyError, PlanError, TargetMismatchError, ConfigError, MissingSoftwareError: `decide`.
        DestinationError: the destination must not or cannot be written.
        IntegrityError: the copy is not what the source holds.
    """
    with ExitStack() as stack:
        source = stack.enter_context(Source(old))
        check_destination(new, source.status, force=options.force)
        source.start_digest()
        checkpoint, decision, target = _decide(stack, source, family, cfg, options)
        if decision.plan is None:
            return _report(checkpoint, decision, None, _nothing_written(decision), source.digest())
        _save_plan(decision, options)
        verdicts = write_checkpoint(
            checkpoint,
            decision,
            decision.plan,
            target,
            new=new,
            options=options,
            progress=progress,
        )
        made = all(v.status is not Status.FAIL or v.rung is Rung.ROLES for v in verdicts)
        return _report(checkpoint, decision, new if made else None, verdicts, source.digest())


def _decide(
    stack: ExitStack, source: Source, family: str, cfg: str, options: Options
) -> tuple[Checkpoint, Decision, Target | None]:
    library = load_rules()
    target = None
    if options.build and not options.reverse:
        # Where the model is not in the cache it is built in a child, while this process reads.
        target = stack.enter_context(open_target(cfg, library.families, options))
    checkpoint = open_checkpoint(source, check_crc=options.check_crc)
    if options.reverse:
        return checkpoint, decide_reverse(checkpoint, options), None
    return checkpoint, decide(checkpoint, family, library, target, options), target


def _planned_keys(checkpoint: Checkpoint, decision: Decision) -> Verdict:
    if decision.plan is None or decision.target is None:
        return skipped(Rung.KEYS, "no target model was built")
    return check_keys(migrated_schema(decision.plan, checkpoint.schema), decision.target)


def _nothing_written(decision: Decision) -> tuple[Verdict, ...]:
    reason = "there was nothing to do"
    return skipped(Rung.INTEGRITY, reason), skipped(Rung.KEYS, reason), decision.roles


def _save_plan(decision: Decision, options: Options) -> None:
    if options.plan_file is None or options.reverse or decision.plan is None:
        return
    text = json.dumps(decision.plan.to_json(), indent=1) + "\n"
    try:
        options.plan_file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DestinationError(
            options.plan_file, f"the plan cannot be saved: {error.strerror}"
        ) from error


def _report(
    checkpoint: Checkpoint,
    decision: Decision,
    new: Path | None,
    verdicts: Sequence[Verdict],
    digest: str,
) -> ConvertReport:
    table = decision.plan
    moved = len(table.renamed) if table else 0
    targets = len(table.targets) if table else 0
    unreached = [
        skipped(rung, "not run by this command")
        for rung in (Rung.FORWARD, Rung.RESUME, Rung.METRIC)
    ]
    return ConvertReport(
        source=str(checkpoint.source.path),
        destination=str(new) if new else None,
        family=decision.family,
        moved=moved,
        kept=targets - moved,
        dropped=len(table.moves) - targets if table else 0,
        plan_digest=table.digest if table else "",
        source_digest=digest,
        verdicts=(*verdicts, *unreached),
        notices=(*decision.notices, *_dropped(checkpoint, decision)),
    )


def _dropped(checkpoint: Checkpoint, decision: Decision) -> list[str]:
    if decision.plan is None:
        return []
    return [
        f"{name} is left out: it is indexed by the order of the parameters, which changes"
        for name in training_state(checkpoint)
    ]
