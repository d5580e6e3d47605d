"""`derive`: what the command of this name does, with the same arguments."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from mm_ckpt_migrate.configs.read.config import read_config, read_config_text
from mm_ckpt_migrate.configs.read.find import find_config
from mm_ckpt_migrate.configs.values import Config
from mm_ckpt_migrate.convert.beside import config_inputs
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.convert.target_config import TargetConfig, open_target, read_target_config
from mm_ckpt_migrate.derive.assignment import Derivation, Layouts
from mm_ckpt_migrate.derive.options import DeriveOptions
from mm_ckpt_migrate.derive.propose import derive
from mm_ckpt_migrate.derive.settle import OldModel, settle
from mm_ckpt_migrate.errors import ConfigError, MissingSoftwareError
from mm_ckpt_migrate.files.archive.outputs import Inputs, Output, check_outputs
from mm_ckpt_migrate.files.archive.publish import publish_bytes
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.mapping.rules.detect import detect
from mm_ckpt_migrate.mapping.rules.library import Library, load_rules
from mm_ckpt_migrate.releases.old.environment import auto, environment_of
from mm_ckpt_migrate.releases.refusals import notice


def derive_rules(old: Path, cfg: str, options: DeriveOptions) -> Derivation:
    """Propose a rule file for a checkpoint and the model of a config, and write it to `out`.

    Args:
        cfg: the target config: a path, a shipped config's name, or `embedded`.

    Raises:
        CheckpointError: the checkpoint is damaged, hostile, or not one.
        ConfigError, MissingSoftwareError: a config cannot be read, or its model cannot be built.
        TargetMismatchError: the two are different models.
        PlanError: the mapping cannot be said in a rule file.
        DestinationError: `out` must not or cannot be written.
    """
    library = load_rules()
    with ExitStack() as stack:
        source = stack.enter_context(Source(old))
        outputs = [Output("--out", options.out, options.force)] if options.out is not None else []
        swept = check_outputs(outputs, lambda: _inputs(old, cfg, options))
        checkpoint = open_checkpoint(source, check_crc=options.check_crc)
        target = read_target_config(cfg, checkpoint, library.families)
        build = Options(
            allow_imports=options.allow_imports,
            allow_unconfined=options.allow_unconfined,
            cache=options.cache,
        )
        built = stack.enter_context(open_target(target, build))
        model = built.schema()
        said = (notice(built.unconfined),) if built.unconfined else ()
        config, fault = _old_config(checkpoint, options)
        layouts = Layouts(checkpoint.schema, model.schema, old.name, _name(target, old))
        found = derive(layouts, options.family, config)
        if options.legacy and found.assignment.covers and found.assignment.open_ties:
            old_model = OldModel(old, _needed(config, old), _origin(options), _python(options))
            found = settle(found, layouts, config, old_model, target, model, build)
    notices = (*_covered(checkpoint, library), *fault, *said, *found.notices, *swept)
    if options.out is not None and found.text:
        publish_bytes(options.out, found.text.encode(), force=options.force)
    return replace(found, notices=notices)


def _inputs(old: Path, cfg: str, options: DeriveOptions) -> Inputs:
    python = options.legacy_python
    return {
        "the source": [old],
        "the config": [*config_inputs(cfg), *config_inputs(options.old_config)],
        "the interpreter": [python] if python is not None else [],
    }


def _name(target: TargetConfig, old: Path) -> str:
    """Without the folder: where a file lay on one machine is nothing to put into another."""
    inside = f"the config inside {old.name}"
    return target.origin.name if isinstance(target.origin, Path) else inside


def _old_config(checkpoint: Checkpoint, options: DeriveOptions) -> tuple[Config | None, tuple[str, ...]]:
    """The config of the old model, and what is to be said where there is none."""
    if options.old_config is not None:
        return read_config(find_config(options.old_config)), ()
    if checkpoint.config is None:
        return None, ("there is no config in the checkpoint that could tell attentions apart",)
    try:
        return read_config_text(checkpoint.config, "the config inside the checkpoint"), ()
    except ConfigError as error:
        return None, (f"the config inside cannot be read: {error.message}",)


def _origin(options: DeriveOptions) -> Path | str:
    return find_config(options.old_config) if options.old_config else "the config inside OLD"


def _needed(config: Config | None, old: Path) -> Config:
    if config is None:
        raise ConfigError(
            old,
            "the old release needs the config that it was trained with",
            hint="Give it with --old-config.",
        )
    return config


def _python(options: DeriveOptions) -> Path:
    """An interpreter with the old release."""
    python = options.legacy_python
    environment = environment_of(python) if python is not None else auto()
    if environment is None:
        raise MissingSoftwareError(
            "there is no old release here",
            hint="`mm-ckpt-migrate legacy create` makes one; --legacy-python names one.",
        )
    return environment.python


def _covered(checkpoint: Checkpoint, library: Library) -> tuple[str, ...]:
    names = [found.rules.family for found in detect(checkpoint.schema.names, library.families)]
    return (f"by its keys it is a {' or a '.join(names)}, which has rules",) if names else ()
