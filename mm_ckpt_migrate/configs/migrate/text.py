"""Migrate the source of a config, and prove that the new source says what it is to say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from mm_ckpt_migrate.configs.migrate.values import MigratedConfig, migrate_config
from mm_ckpt_migrate.configs.read.config import read_config_text
from mm_ckpt_migrate.configs.static.budget import UnreadableError
from mm_ckpt_migrate.configs.values import Config
from mm_ckpt_migrate.configs.write.edit_source import edited_source
from mm_ckpt_migrate.configs.write.literals import NotEditableError
from mm_ckpt_migrate.configs.write.plain import UnwritableError, config_source
from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet

Form: TypeAlias = Literal["unchanged", "edited", "flattened"]
Reader: TypeAlias = Callable[[str], Config]


@dataclass(frozen=True, slots=True)
class MigratedText:
    """The source of a config for the current release.

    Attributes:
        text: it.
        config: its values.
        changes: what was changed, a sentence each.
        family: the family whose rules were used, or None where nothing had to change.
        form: whether the old source was edited, or the values written anew, as what they depend
            on could not be edited.
        notices: what else the user should know, one sentence each.
    """

    text: str
    config: Config
    changes: tuple[str, ...]
    family: str | None
    form: Form
    notices: tuple[str, ...] = ()


def migrate_text(
    text: str, origin: str, families: Sequence[RuleSet], keys: Iterable[str] | None = None
) -> MigratedText:
    """Migrate the source of a whole config, such as the dump in a checkpoint.

    `keys` are those of the state dict that it is for.
    The result was read back, and has exactly the values that `migrate_config` gives.

    Raises:
        ConfigError: as `read_config_text` and `migrate_config`.
    """

    def read(source: str) -> Config:
        return read_config_text(source, origin)

    migrated = migrate_config(read(text), families, origin, keys)
    return written(migrated, text, read, origin)


def written(
    migrated: MigratedConfig, text: str | None, read: Reader, origin: str, adapt: Callable[[str], str] = str
) -> MigratedText:
    """Find a source for `migrated`: the edited old one, or else its values written anew.

    Args:
        text: the old source, or None where it is not Python.
        read: gives the values of a source.
        adapt: what else has to be done to the old source.

    Raises:
        ConfigError: there is no such source.
    """
    changes, family = migrated.changes, migrated.family
    if text is not None:
        try:
            edited = adapt(edited_source(text, migrated.edits))
        except (NotEditableError, UnreadableError):
            edited = None
        if edited is not None and _says(edited, migrated.config, read):
            form: Form = "unchanged" if edited == text else "edited"
            return MigratedText(
                text=edited, config=migrated.config, changes=changes, family=family, form=form
            )
    try:
        flat = config_source(migrated.config)
    except UnwritableError as error:
        raise ConfigError(origin, f"its values cannot be written as Python: {error}") from error
    if not _says(flat, migrated.config, read):
        raise ConfigError(origin, "its values cannot be written as Python that reads the same")
    return MigratedText(text=flat, config=migrated.config, changes=changes, family=family, form="flattened")


def _says(source: str, config: Config, read: Reader) -> bool:
    """Whether a source reads as exactly `config`: order and types too, and `nan` as `nan`."""
    try:
        return repr(read(source)) == repr(config)
    except ConfigError:
        return False
