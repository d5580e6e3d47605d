"""Decide whether a tensor can be folded into another one, where that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mm_ckpt_migrate.convert.decide.family import Choice
from mm_ckpt_migrate.convert.options import Options, Purpose
from mm_ckpt_migrate.convert.write.folded import FoldError, check_fold
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.mapping.plan import Plan
from mm_ckpt_migrate.mapping.rules.detect import matches_any
from mm_ckpt_migrate.mapping.rules.operations import Fold
from mm_ckpt_migrate.mapping.rules.ruleset import Need, RuleSet
from mm_ckpt_migrate.schema import TargetModel


def decide_fold(checkpoint: Checkpoint, choice: Choice, options: Options) -> Fold | None:
    """The fold of the family; None where none was asked for.

    Raises:
        FoldError: it was asked for and cannot be.
    """
    if not options.fold:
        return None
    if options.purpose is not Purpose.INFERENCE:
        raise FoldError(
            checkpoint,
            "a training cannot go on from a folded tensor",
            hint="Add --for inference, or leave --fold out.",
        )
    rule = choice.rules.fold
    if rule is None:
        family = choice.rules.family
        raise FoldError(checkpoint, f"the rules of {family} name nothing that can be folded")
    parts = [tuple(name.split(".")) for name in checkpoint.schema.names]
    if found := [pattern.text for pattern in rule.unless if matches_any(pattern, parts)]:
        raise FoldError(checkpoint, f"it has {found[0]}, which comes after {rule.fold.source}")
    check_fold(checkpoint, rule.fold)
    _check_embedded(checkpoint, choice, rule.fold)
    return rule.fold


def check_place(checkpoint: Checkpoint, plan: Plan, model: TargetModel) -> None:
    """Raises FoldError where the target model has a place for what would be folded."""
    if plan.fold is not None and plan.fold.source in model.schema:
        raise FoldError(checkpoint, f"the model of the config has {plan.fold.source}, too")


def _check_embedded(checkpoint: Checkpoint, choice: Choice, fold: Fold) -> None:
    """The config inside goes along, and must not ask for what is gone."""
    for need in choice.rules.needs:
        if need.key.text == fold.source and choice.config and _is_met(choice, need):
            settings = ", ".join(f"{name}={value!r}" for name, value in need.settings.items())
            raise FoldError(checkpoint, f"the config inside says {settings}: its model has {fold.source}")


def _is_met(choice: Choice, need: Need) -> bool:
    from mm_ckpt_migrate.configs.values import lookup  # only where there is a config inside

    settings = lookup(choice.config, ".".join(need.place))
    return isinstance(settings, dict) and all(
        settings.get(name) == value for name, value in need.settings.items()
    )


def without_folded(checkpoint: Checkpoint, families: Sequence[RuleSet]) -> Checkpoint:
    """The checkpoint as its new config sees it: without the keys that are folded."""
    folded = {rules.fold.fold.source for rules in families if rules.fold}
    kept = tuple(spec for spec in checkpoint.schema.tensors if spec.name not in folded)
    return replace(checkpoint, schema=replace(checkpoint.schema, tensors=kept))
