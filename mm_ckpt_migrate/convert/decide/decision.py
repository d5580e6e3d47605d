"""Everything that is decided before a byte is written."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from mm_ckpt_migrate.convert.checks.roles import check_roles
from mm_ckpt_migrate.convert.contents import ADDITION_PATHS, CONFIG_PATHS, Contents, for_inference
from mm_ckpt_migrate.convert.decide.family import Choice, choose_family
from mm_ckpt_migrate.convert.decide.parts import check_parts, unshipped_names
from mm_ckpt_migrate.convert.decide.training_and_configs import decide_contents
from mm_ckpt_migrate.convert.options import Options, Purpose
from mm_ckpt_migrate.convert.stamp import Origin, read_stamp
from mm_ckpt_migrate.convert.training.follow import training_sections
from mm_ckpt_migrate.errors import (
    CheckpointError,
    FamilyError,
    PlanError,
    TargetMismatchError,
    UnknownFamilyError,
)
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.policy import foreign_globals
from mm_ckpt_migrate.mapping.plan import (
    Plan,
    compare_layouts,
    fit_modules,
    invert,
    keep_all,
    make_plan,
    migrated_schema,
    plan_from_json,
)
from mm_ckpt_migrate.mapping.rules.detect import Layout, detect
from mm_ckpt_migrate.mapping.rules.library import Library
from mm_ckpt_migrate.mapping.rules.order import reorder
from mm_ckpt_migrate.names import PARALLEL
from mm_ckpt_migrate.schema import TargetModel
from mm_ckpt_migrate.verdicts import Rung, Verdict, failed, skipped


class Modelled(Protocol):
    """What a target model can be asked of: a `target.resolve.Target`, or one that is known."""

    def schema(self) -> TargetModel: ...


@dataclass(frozen=True, slots=True)
class Decision:
    """What will be done.

    Attributes:
        plan: the table; None where there is nothing to do.
        order, modules: the new keys and module paths in the order of the new file.
        target: the model that the new file is for; None where it was not built.
        origin: the stamp that is taken off, in reverse.
        roles: verdict of the roles rung.
        contents: what becomes of everything beside the weights.
        notices: what the user should know, one sentence each.
    """

    family: str
    plan: Plan | None
    order: tuple[str, ...]
    modules: tuple[str, ...]
    target: TargetModel | None
    origin: Origin | None
    roles: Verdict
    contents: Contents
    notices: tuple[str, ...]


def decide(
    checkpoint: Checkpoint, family: str, library: Library, target: Modelled | None, options: Options
) -> Decision:
    """Choose the family, make the plan, and hold it against the target model.

    Raises:
        FamilyError: the checkpoint is not of that family.
        PlanError: a guarantee of the plan is broken.
        TargetMismatchError: the plan's result is not what the target model asks for.
        CheckpointError: the checkpoint names classes that must not be passed on.
        ConfigError, MissingSoftwareError: the target cannot be built.
    """
    _check_foreign(checkpoint, options)
    try:
        choice = choose_family(checkpoint, family, library, force=options.force_family)
    except UnknownFamilyError:
        nothing = _nothing_to_rename(checkpoint, library)
        if nothing is None:
            raise
        return nothing
    plan = _plan(checkpoint, choice)
    done = checkpoint.stamp is not None and not plan.renamed
    if not plan.prefix and (done or choice.layout is Layout.NEW):
        return _nothing_to_do(checkpoint, choice)
    model = target.schema() if target else None
    order, modules = (reorder(names, choice.rules.last.order) for names in _orders(plan))
    expected = order
    if model is not None:
        _check_covering(checkpoint, choice, plan, model, library)
        plan = fit_modules(plan, model.schema)
        order, modules = model.schema.names, tuple(model.schema.modules or ())
    elif not options.force_family:
        check_parts(checkpoint, choice, plan, library)
    contents, notices = decide_contents(
        checkpoint, plan, expected, model, choice.config, library.families, options
    )
    return Decision(
        choice.rules.family,
        plan,
        order,
        modules,
        model,
        None,
        _roles(choice, plan),
        contents,
        (*_notices(choice, plan, model), *notices),
    )


def _plan(checkpoint: Checkpoint, choice: Choice) -> Plan:
    """The family's plan, behind the prefix that is taken off; or that alone, where it is all."""
    make, rules = make_plan, choice.rules
    if choice.layout is Layout.NEW:
        make, rules = keep_all, choice.rules.last
    return replace(make(checkpoint.schema, rules), prefix=checkpoint.prefix)


def _nothing_to_rename(checkpoint: Checkpoint, library: Library) -> Decision | None:
    """Where the current release loads it as it is."""
    # Not at the top: the table of layouts takes a while to load, and few files need it.
    from mm_ckpt_migrate.identify.diagnosis.advice import prefixed
    from mm_ckpt_migrate.identify.diagnosis.diagnosis import Finding
    from mm_ckpt_migrate.identify.diagnosis.judge import diagnose
    from mm_ckpt_migrate.identify.diagnosis.written import read_written
    from mm_ckpt_migrate.identify.layouts.table import load_table

    diagnosis = diagnose(
        checkpoint.schema, library, load_table(), [checkpoint.source.path.name], read_written(checkpoint)
    )
    if diagnosis.finding is not Finding.CURRENT:
        return None
    notices = [diagnosis.advice.rstrip(".")]
    if checkpoint.prefix:
        notices.append(prefixed(checkpoint.prefix, None).rstrip("."))
    if checkpoint.prefix not in ("", PARALLEL):
        raise FamilyError(f"{checkpoint.source.path}: {notices[0]}", hint=f"{notices[1]}.")
    verdict = skipped(Rung.ROLES, "there was nothing to rename")
    return Decision("no family", None, (), (), None, None, verdict, Contents(), tuple(notices))


def _check_foreign(checkpoint: Checkpoint, options: Options) -> None:
    tree = checkpoint.tree
    foreign = tree.foreign if tree else ()
    if foreign and tree and options.purpose is Purpose.INFERENCE:
        foreign = tuple(foreign_globals(for_inference(tree)))  # the rest is not passed on
    if foreign and not options.keep_opaque:
        raise CheckpointError(
            checkpoint.source.path,
            f"it names {', '.join(foreign[:5])}, which no checkpoint of OpenMMLab needs; nothing "
            "was imported or called",
            hint="Where you know where it comes from, --keep-opaque carries it over unchanged.",
        )


def _nothing_to_do(checkpoint: Checkpoint, choice: Choice) -> Decision:
    if checkpoint.stamp:
        tool = str(checkpoint.stamp.get("tool"))
        notice = f"it was migrated before, by {tool}: nothing to do"
    else:
        notice = "its names are the current release's already: nothing to do"
    verdict = skipped(Rung.ROLES, "there was nothing to rename")
    return Decision(choice.rules.family, None, (), (), None, None, verdict, Contents(), (notice,))


def _check_covering(
    checkpoint: Checkpoint, choice: Choice, plan: Plan, model: TargetModel, library: Library
) -> None:
    different = compare_layouts(migrated_schema(plan, checkpoint.schema), model.schema)
    if not different:
        return
    families = [d.rules.family for d in detect(model.schema.names, library.families)]
    if families and choice.rules.last.family not in families:
        raise TargetMismatchError(
            f"the config builds a {families[0]} model, and {checkpoint.source.path} is a "
            f"{choice.rules.family} checkpoint",
            hint=f"Give a {choice.rules.family} config of the current release.",
        )
    shown = "\n  ".join(different[:20]) + ("\n  …" if len(different) > 20 else "")
    raise TargetMismatchError(
        f"the model of the config is not the one in {checkpoint.source.path}: "
        f"{len(different)} differences\n  {shown}",
        hint="Give the config it was trained with: number of classes, queries and layers, "
        "and the backbone must be the same.",
    )


def _orders(plan: Plan) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """New keys and module paths in the plan's own order, which is the source's."""
    modules = (move.target for move in plan.modules)
    return tuple(plan.targets.values()), tuple(path for path in modules if path is not None)


def _roles(choice: Choice, plan: Plan) -> Verdict:
    if choice.objection:
        return failed(Rung.ROLES, f"unproven, and forced: {choice.objection}")
    if choice.config_fault:
        return skipped(Rung.ROLES, f"the config inside cannot be read: {choice.config_fault}")
    return check_roles(choice.config, plan, choice.rules)


def _notices(choice: Choice, plan: Plan, model: TargetModel | None) -> tuple[str, ...]:
    notices: tuple[str, ...] = ()
    if plan.prefix:
        notices = (f"{plan.prefix!r} stood before every key, and is taken off",)
    if choice.objection:
        notices += ("UNPROVEN: the family was forced; the file may load and compute garbage",)
    if model is None:
        notices += unshipped_names(choice, plan)
    return notices


def decide_reverse(checkpoint: Checkpoint, options: Options) -> Decision:
    """Read the table backwards: the one in the file's stamp, or the one in `plan_file`.

    Raises:
        PlanError: there is no table, or it does not fit this file.
        CheckpointError: the checkpoint names classes that must not be passed on.
    """
    _check_foreign(checkpoint, options)
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
    return Decision(plan.family, plan, *_orders(plan), None, origin, verdict, contents, tuple(notices))


def _origin(checkpoint: Checkpoint, plan_file: Path | None) -> Origin:
    if plan_file is not None:
        return Origin(read_plan(plan_file), "", (), wrapped=False, configs={}, added=(), raw=False)
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
