"""Everything that is decided before a byte is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from mm_ckpt_migrate.convert.checks.roles import check_roles
from mm_ckpt_migrate.convert.contents import Contents, for_inference
from mm_ckpt_migrate.convert.decide.family import Choice, choose_family
from mm_ckpt_migrate.convert.decide.parts import check_parts, unshipped_names
from mm_ckpt_migrate.convert.decide.training_and_configs import decide_contents
from mm_ckpt_migrate.convert.options import Options, Purpose
from mm_ckpt_migrate.convert.stamp import Origin
from mm_ckpt_migrate.errors import CheckpointError, FamilyError, TargetMismatchError, UnknownFamilyError
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.policy import foreign_globals
from mm_ckpt_migrate.mapping.plan import (
    Plan,
    compare_layouts,
    fit_modules,
    keep_all,
    make_plan,
    migrated_schema,
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
    check_foreign(checkpoint, options)
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
    order, modules = (reorder(names, choice.rules.last.order) for names in orders(plan))
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
        family=choice.rules.family,
        plan=plan,
        order=order,
        modules=modules,
        target=model,
        origin=None,
        roles=_roles(choice, plan),
        contents=contents,
        notices=(*_notices(choice, plan, model), *notices),
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
    return Decision(
        family="no family",
        plan=None,
        order=(),
        modules=(),
        target=None,
        origin=None,
        roles=verdict,
        contents=Contents(),
        notices=tuple(notices),
    )


def check_foreign(checkpoint: Checkpoint, options: Options) -> None:
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
    return Decision(
        family=choice.rules.family,
        plan=None,
        order=(),
        modules=(),
        target=None,
        origin=None,
        roles=verdict,
        contents=Contents(),
        notices=(notice,),
    )


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


def orders(plan: Plan) -> tuple[tuple[str, ...], tuple[str, ...]]:
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
