"""Decide the way back, from what a migrated file's stamp or a saved plan says."""

from __future__ import annotations

import json
from pathlib import Path

from mm_ckpt_migrate.convert.contents import ADDITION_PATHS, CONFIG_PATHS, Contents
from mm_ckpt_migrate.convert.decide.decision import Decision, check_foreign, orders
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.convert.stamp import Origin, read_stamp
from mm_ckpt_migrate.convert.training.follow import training_sections
from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.mapping.plan import Plan, invert, plan_from_json
from mm_ckpt_migrate.verdicts import Rung, skipped


def decide_reverse(checkpoint: Checkpoint, options: Options) -> Decision:
    """Read the table backwards: the one in the file's stamp, or the one in `plan_file`.

    Raises:
        PlanError: there is no table, or it does not fit this file.
        CheckpointError: the checkpoint names classes that must not be passed on.
    """
    check_foreign(checkpoint, options)
    origin = _origin(checkpoint, options.plan_file)
    plan = invert(origin.plan)
    if set(plan.targets) != set(checkpoint.schema.names):
        raise PlanError(
            f"{checkpoint.source.path}: its keys are not those that the plan made",
            hint="The file was changed since; only the file that the plan made can be reversed.",
        )
    notices = [f"{name} was dropped by the migration and stays lost" for name in origin.dropped]
    notices += [f"{plan.prefix!r} is put before every key again"] if plan.prefix else []
    sections = training_sections(checkpoint)
    notices += [f"{name} is left out: its state belongs to the new order" for name in sections]
    configs = {tuple(path.split(".")): text for path, text in origin.configs.items()}
    added = [tuple(path.split(".")) for path in origin.added]
    if not configs.keys() <= set(CONFIG_PATHS) or not set(added) <= set(ADDITION_PATHS):
        raise PlanError(f"{checkpoint.source.path}: its stamp speaks of entries that no migration touches")
    left_out = (*((name,) for name in sections), *added)
    contents = Contents(configs=configs, left_out=left_out, keep_as_is=True)
    verdict = skipped(Rung.ROLES, "the old names are given back as they were")
    order, modules = orders(plan)
    return Decision(
        family=plan.family,
        plan=plan,
        order=order,
        modules=modules,
        target=None,
        origin=origin,
        roles=verdict,
        contents=contents,
        notices=tuple(notices),
    )


def _origin(checkpoint: Checkpoint, plan_file: Path | None) -> Origin:
    if plan_file is not None:
        plan = read_plan(plan_file)
        return Origin(plan=plan, sha256="", dropped=(), wrapped=False, configs={}, added=(), raw=False)
    if checkpoint.stamp is None:
        raise PlanError(
            f"{checkpoint.source.path}: it bears no stamp, so the way back is unknown",
            hint="Give the plan that was saved when it was migrated: --plan FILE.",
        )
    return read_stamp(checkpoint.stamp)


def read_plan(path: Path) -> Plan:
    """Raises PlanError where the file is missing or no plan."""
    try:
        return plan_from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise PlanError(f"{path}: cannot be read as a plan: {error}") from error
