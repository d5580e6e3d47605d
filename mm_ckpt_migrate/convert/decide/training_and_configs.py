"""Decide what becomes of a checkpoint's configs and training state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mm_ckpt_migrate.configs.values import Config, lookup
from mm_ckpt_migrate.convert.contents import AVERAGED, Contents, EntryPath, config_texts, outside_inference
from mm_ckpt_migrate.convert.options import Options, Purpose
from mm_ckpt_migrate.convert.training.follow import (
    Follower,
    others_training,
    plan_training,
    training_sections,
)
from mm_ckpt_migrate.convert.training.parameters import UnknownOrderError, match_parameters
from mm_ckpt_migrate.errors import CheckpointError, ConfigError, PlanError
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint, Tree
from mm_ckpt_migrate.files.pickles.build import pairs, text_value
from mm_ckpt_migrate.mapping.plan import Plan
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.schema import TargetModel

if TYPE_CHECKING:
    from mm_ckpt_migrate.configs.migrate.text import MigratedText

_OF_MMCV_1: Final = "meta.config"


def decide_contents(
    checkpoint: Checkpoint,
    plan: Plan,
    order: Sequence[str],
    target: TargetModel | None,
    config: Config | None,
    families: Sequence[RuleSet],
    options: Options,
) -> tuple[Contents, tuple[str, ...]]:
    """What will be edited, and what the user should know of it.

    Args:
        order: the new keys in the order that the rules make of the source's.
        config: the config inside the checkpoint, where it can be read.

    Raises:
        PlanError: the training state cannot follow the parameters, and was asked for.
        CheckpointError: it was asked for, and there is none.
    """
    if checkpoint.tree is None or not checkpoint.tree.path:
        _training(checkpoint, options)
        return _untouched(options), ()
    configs, notices = _configs(checkpoint, tuple(plan.targets), families)
    if options.format is Format.SAFETENSORS:
        return _for_safetensors(checkpoint, checkpoint.tree, configs, options)
    if checkpoint.tree.ema is not None and AVERAGED not in checkpoint.sections:
        notices += (f"the raw weights in `ema_` buffers go to {AVERAGED}, where mmengine has them",)
    contents = Contents(configs=configs, adds=True, keep_as_is=options.keep_as_is)
    if options.purpose is Purpose.INFERENCE:
        gone = outside_inference(checkpoint.tree)
        said = (f"for inference: left out are {', '.join(gone)}",) if gone else ()
        return _for_inference(contents, gone, options), (*notices, *said)
    sections = _training(checkpoint, options)
    if others := others_training(checkpoint):
        contents = replace(contents, left_out=tuple((name,) for name in others))
        notices += (f"{' and '.join(others)} left out: no rule says which parameters they are of",)
    if not sections:
        return contents, notices
    try:
        parameters = match_parameters(checkpoint.schema, plan, order, target)
        followers = plan_training(checkpoint, parameters, optimizer_settings(config))
    except UnknownOrderError as error:
        left_out = (*contents.left_out, *((name,) for name in sections))
        unknown = _left_out(checkpoint, sections, error, options)
        return replace(contents, left_out=left_out), (*notices, unknown)
    notices += tuple(map(_followed, followers))
    if "param_schedulers" not in sections:
        notices += ("it has no state of learning-rate schedules: resumed, they start anew",)
    return replace(contents, followers=followers), notices


def _untouched(options: Options) -> Contents:
    """Of a state dict alone there is nothing to edit, but what was asked for is noted."""
    return Contents(
        inference=options.purpose is Purpose.INFERENCE, raw=options.raw_weights, keep_as_is=options.keep_as_is
    )


def _for_safetensors(
    checkpoint: Checkpoint, tree: Tree, configs: Mapping[EntryPath, str], options: Options
) -> tuple[Contents, tuple[str, ...]]:
    """A format that holds tensors and texts: the state dict, and the config as it was."""
    names = [text_value(key) or "" for key, _ in pairs(tree.root)]
    gone = [name for name in names if name != tree.path[0]]
    contents = Contents(
        configs=configs,
        left_out=tuple((name,) for name in gone),
        inference=options.purpose is Purpose.INFERENCE,
        raw=options.raw_weights,
    )
    if not gone:
        return contents, ()
    text = f"a safetensors file holds tensors and text alone: left out are {', '.join(gone)}"
    if checkpoint.config is not None:
        text += "; the config goes along as it was, for the old release"
    return contents, (text,)


def _for_inference(contents: Contents, gone: Sequence[str], options: Options) -> Contents:
    left_out = tuple((name,) for name in gone)
    return replace(contents, left_out=left_out, inference=True, raw=options.raw_weights)


def _training(checkpoint: Checkpoint, options: Options) -> tuple[str, ...]:
    """The sections of the training state."""
    sections = training_sections(checkpoint)
    if options.purpose is Purpose.RESUME and "optimizer" not in sections:
        raise CheckpointError(
            checkpoint.source.path,
            "it holds no optimizer, so no training can resume from it",
            hint="Leave --for resume out.",
        )
    return sections


def _configs(
    checkpoint: Checkpoint, keys: Sequence[str], families: Sequence[RuleSet]
) -> tuple[dict[EntryPath, str], tuple[str, ...]]:
    """Migrated texts of the configs inside; `keys` are those that are not dropped."""
    assert checkpoint.tree is not None
    texts = config_texts(checkpoint.tree.root)
    if not texts:
        return {}, ()
    # Not at the top: it takes a while to import, and many files have no config inside.
    from mm_ckpt_migrate.configs.migrate.text import migrate_text

    done: dict[str, MigratedText] = {}
    migrated: dict[EntryPath, str] = {}
    notices: list[str] = []
    for path, text in texts.items():
        name = ".".join(path)
        try:
            if text not in done:
                origin = f"{checkpoint.source.path}: {name}"
                done[text] = migrate_text(text, origin, families, keys)
                notices += _said(name, done[text])
        except ConfigError as error:
            notices.append(f"{name} stays as it was: {error.message}")
        else:
            migrated[path] = done[text].text
    return {path: text for path, text in migrated.items() if text != texts[path]}, tuple(notices)


def _said(name: str, result: MigratedText) -> Iterator[str]:
    """What a user of the migrated config should know."""
    if result.family is None:
        yield from (f"{name}: {change}" for change in result.changes)
    elif name == _OF_MMCV_1:
        yield (
            f"{name} is of mmcv 1.x: its model is migrated, but not its data pipelines, which "
            "normalise the images"
        )


def optimizer_settings(config: Config | None) -> Mapping[str, object]:
    """What a config says of the optimizer."""
    settings = lookup(config, "optim_wrapper.optimizer") if config is not None else None
    return settings if isinstance(settings, dict) else {}


def _followed(follower: Follower) -> str:
    move = follower.move
    name = follower.optimizer.name or "optimizer"
    if not follower.optimizer.state:
        return "no optimizer was saved; the schedulers follow the param groups that it will have"
    text = f"{name}: {len(move.names)} parameters keep their state, {move.moved} in other places"
    if move.left_out:
        text += f"; groups of {len(move.left_out)} frozen parameters go, as mmengine makes none now"
    return text


def _left_out(
    checkpoint: Checkpoint, sections: Sequence[str], error: UnknownOrderError, options: Options
) -> str:
    reason = f"the new place of its state cannot be known: {error}"
    if options.purpose is Purpose.RESUME:
        raise PlanError(
            f"{checkpoint.source.path}: {reason}", hint="--for inference makes a file without training state."
        )
    return f"{' and '.join(sections)} left out: {reason}"
