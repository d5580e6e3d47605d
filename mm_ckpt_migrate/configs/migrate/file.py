"""Migrate a config file into a new one, which appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.configs.migrate.rebase import rebased_source
from mm_ckpt_migrate.configs.migrate.text import MigratedText, written
from mm_ckpt_migrate.configs.migrate.values import migrate_config
from mm_ckpt_migrate.configs.read.config import config_files, read_config, read_config_as
from mm_ckpt_migrate.configs.read.source import SourceError, read_source
from mm_ckpt_migrate.configs.static.budget import Budget
from mm_ckpt_migrate.configs.values import Config
from mm_ckpt_migrate.errors import ConfigError, DestinationError
from mm_ckpt_migrate.files.archive.outputs import Output, check_outputs
from mm_ckpt_migrate.files.archive.privacy import hidden_bits
from mm_ckpt_migrate.files.archive.publish import publish_bytes
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet

SUFFIX: Final = ".py"


def migrate_config_file(
    old: Path,
    new: Path | None,
    families: Sequence[RuleSet],
    *,
    keys: Iterable[str] | None = None,
    inputs: Sequence[Path] = (),
    force: bool = False,
) -> MigratedText:
    """Migrate the config at `old`, and write the result to `new` where one is given.

    The file at `old` and those that it inherits from stay as they are. Where nothing has to
    change, nothing is written. The new file is as private as all that was read for it.

    Args:
        inputs: what else was read, and is never written either.

    Raises:
        ConfigError: as `read_config` and `migrate_config`.
        DestinationError: `new` exists (without `force`), is what was read, or cannot be written.
    """
    old = Path(os.path.expanduser(old))
    said = _check_new(old, new, inputs, force=force) if new is not None else ()
    place = old.with_suffix(SUFFIX) if new is None else new
    result = migrated_config_file(old, place, families, keys)
    if new is not None and result.form != "unchanged":
        hidden = hidden_bits([*_files(old), *inputs])
        mode = old.stat().st_mode & 0o777 & ~hidden
        publish_bytes(new, result.text.encode(), mode, force=force)
    return replace(result, notices=said)


def _check_new(old: Path, new: Path, inputs: Iterable[Path], *, force: bool) -> tuple[str, ...]:
    check_suffix(new)
    if not os.path.exists(old):  # False, too, where a name cannot be one
        raise ConfigError(old, "no such file")
    return check_outputs(
        [Output("NEW", new, force)],
        lambda: {
            "the source": [old],
            "what the source inherits from": _files(old),
            "the file given beside it": inputs,
        },
    )


def check_suffix(new: Path) -> None:
    """Raises DestinationError where a config cannot have such a name."""
    if new.suffix != SUFFIX:
        raise DestinationError(new, f"a config is written as Python, in a file named *{SUFFIX}")


def _files(old: Path) -> list[Path]:
    with suppress(ConfigError):  # which is said when it is read
        return config_files(old)
    return []


def migrated_config_file(
    old: Path, new: Path, families: Sequence[RuleSet], keys: Iterable[str] | None
) -> MigratedText:
    """The text of a file `new` with the migrated config at `old`; nothing is written.

    It was read back from its place in the file tree, and has exactly the values that
    `migrate_config` gives for `old` and the `keys` of its state dict.

    Raises:
        ConfigError: as `read_config` and `migrate_config`.
        DestinationError: a config cannot have the name `new`.
    """
    check_suffix(new)
    migrated = migrate_config(read_config(old), families, old, keys)
    source = _text(old)
    if not migrated.edits:
        return MigratedText(text=source, config=migrated.config, changes=(), family=None, form="unchanged")

    def read(text: str) -> Config:
        return read_config_as(new, text)

    def adapt(text: str) -> str:
        return rebased_source(text, old, new)

    is_python = old.suffix == SUFFIX
    return written(migrated, source if is_python else None, read, str(old), adapt)


def _text(path: Path) -> str:
    """The source of a config that was read a moment ago."""
    try:
        return read_source(Path(os.path.expanduser(path)), Budget())
    except SourceError as error:
        raise ConfigError(path, str(error)) from error
