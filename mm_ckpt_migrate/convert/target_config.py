"""The config that the new file is for: given, or the one inside the checkpoint; migrated if old."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.configs.contradict import differing_settings
from mm_ckpt_migrate.configs.edits import Put, dotted, edited_config
from mm_ckpt_migrate.configs.migrate.file import migrated_config_file
from mm_ckpt_migrate.configs.migrate.needs import needed, open_in
from mm_ckpt_migrate.configs.migrate.text import MigratedText, migrate_text
from mm_ckpt_migrate.configs.migrate.values import is_old, migrate_config
from mm_ckpt_migrate.configs.read.config import read_config, read_config_text
from mm_ckpt_migrate.configs.read.find import config_scope, find_config
from mm_ckpt_migrate.configs.values import Config, custom_imports
from mm_ckpt_migrate.convert.options import EMBEDDED, Options
from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.releases.current.resolve import Target, resolve_target

_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class TargetConfig:
    """A config of the current release.

    Attributes:
        origin: the file, or what to call the config inside a checkpoint.
        open: whether the keys of the checkpoint decide some of its settings.
        needed: settings that it lacks for them, each with the reason.
    """

    origin: Path | str
    config: Config
    open: bool = False
    needed: tuple[str, ...] = ()


def read_target_config(cfg: str, checkpoint: Checkpoint | None, families: Sequence[RuleSet]) -> TargetConfig:
    """Read the config, and migrate it where it is for the old release.

    Args:
        cfg: a path, a shipped config's name, or `embedded`.
        checkpoint: the one that `embedded` means, and whose keys decide some settings.

    Raises:
        ConfigError: the config is missing or unreadable, or a setting has no counterpart.
    """
    origin: Path | str
    if cfg == EMBEDDED and checkpoint is not None:
        origin, text = _embedded(checkpoint)
        config = read_config_text(text, origin)
    else:
        origin = find_config(cfg)
        config = read_config(origin)
    _check_model(config, origin)
    if is_old(config, families):
        config = migrate_config(config, families, origin).config
    puts = needed(config, checkpoint.schema.names, families) if checkpoint else []
    return TargetConfig(
        origin, edited_config(config, puts), bool(open_in(config, families)), tuple(map(_sentence, puts))
    )


def _check_model(config: Config, origin: Path | str) -> None:
    if not isinstance(config.get("model"), dict):
        raise ConfigError(origin, "it has no `model`", hint="Give the config of the target model.")


def contradictions(
    cfg: str, config: Config, checkpoint: Checkpoint, families: Sequence[RuleSet]
) -> tuple[str, ...]:
    """What a given config says otherwise than the one inside a checkpoint, as a sentence or none.

    Args:
        cfg: what to call the given one.
        config: that, migrated where it was for the old release.
    """
    keys = checkpoint.schema.names
    try:
        inside = read_target_config(EMBEDDED, checkpoint, families).config
        given = edited_config(config, needed(config, keys, families))
    except ConfigError:
        return ()
    found = differing_settings(given, inside)
    if not found:
        return ()
    said = "; ".join(f"{path} is {value}, inside {other}" for path, value, other in found[:_SHOWN])
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return (f"{cfg} says otherwise than the config inside the checkpoint: {said}{more}",)


def _sentence(put: Put) -> str:
    return f"{dotted(put.path, put.key)} = {put.value!r}: {put.reason}"


def _embedded(checkpoint: Checkpoint) -> tuple[str, str]:
    """What to call the config inside a checkpoint, and its text."""
    origin = f"the config inside {checkpoint.source.path}"
    if checkpoint.config is None:
        raise ConfigError(origin, "there is none", hint="Give the config as a file.")
    return origin, checkpoint.config


def target_config_text(
    cfg: str, checkpoint: Checkpoint, new: Path, families: Sequence[RuleSet]
) -> MigratedText:
    """The target config as the text of a file `new`.

    Raises:
        ConfigError: as `read_target_config`.
        DestinationError: a config cannot have the name `new`.
    """
    keys = checkpoint.schema.names
    origin: Path | str
    if cfg == EMBEDDED:
        origin, text = _embedded(checkpoint)
        made = migrate_text(text, origin, families, keys)
    else:
        origin = find_config(cfg)
        made = migrated_config_file(origin, new, families, keys)
    _check_model(made.config, origin)
    return made


def open_target(target: TargetConfig, options: Options) -> Target:
    """Look the model up, or start to build it where it is not cached; raises ConfigError."""
    config = target.config
    model = config["model"]
    assert isinstance(model, dict)
    path = target.origin if isinstance(target.origin, Path) else None
    return resolve_target(
        model,
        config_scope(path, config),
        imports=custom_imports(config),
        allow_imports=options.allow_imports,
        allow_unconfined=options.allow_unconfined,
        cache=options.cache,
        source=target.origin,
    )
