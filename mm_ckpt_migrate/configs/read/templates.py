"""The `{{ ... }}` that mmengine replaces in a config's text before it parses it.

`{{ fileDirname }}` and its three siblings are text. `{{ _base_.name }}` is a value: it becomes
a marked string, which is replaced when the config has been read and the bases are known.
`{{ $NAME:default }}` would put the environment into the output, and is refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.configs.static.budget import Budget, UnreadableError
from mm_ckpt_migrate.configs.static.tree import plain_dict
from mm_ckpt_migrate.configs.values import Config, ConfigValue

_ENVIRONMENT: Final = re.compile(r"\{\{['\"]?\s*\$")
_FILE: Final = re.compile(r"\{\{\s*(fileDirname|fileBasenameNoExtension|fileBasename|fileExtname)\s*\}\}")
_BASE: Final = re.compile(r"\{\{\s*_base_\.([\w.]+)\s*\}\}")

# Text that is put into a config must not be able to end the string it stands in.
_HARMLESS: Final = re.compile(r"[\w./ @+=~,:-]*")

# A character that no config has, written as an escape that Python, JSON and YAML all know.
_MARK: Final = "\x00"
_MARK_ESCAPE: Final = r"\u0000"
_MARKED: Final = re.compile(rf"{_MARK}([\w.]+){_MARK}")


class TemplateError(UnreadableError):
    """A `{{ ... }}` that is not replaced, with the line it stands on."""

    def __init__(self, reason: str, text: str, position: int) -> None:
        super().__init__(reason)
        self.line = text.count("\n", 0, position) + 1


def refuse_environment(text: str) -> None:
    """Check that no template asks for an environment variable.

    Raises:
        TemplateError: one does.
    """
    if match := _ENVIRONMENT.search(text):
        reason = "a {{ $ }} template reads the environment of whoever runs it, and is not read"
        raise TemplateError(reason, text, match.start())


def fill_file_templates(text: str, path: Path) -> str:
    """Replace `{{ fileDirname }}`, `{{ fileBasename }}` and the like by parts of `path`.

    Raises:
        TemplateError: the path has characters that would change how the config is parsed.
    """
    parts = {
        "fileDirname": str(path.parent).replace("\\", "/"),
        "fileBasename": path.name,
        "fileBasenameNoExtension": path.stem,
        "fileExtname": path.suffix,
    }

    def fill(match: re.Match[str]) -> str:
        part = parts[match[1]]
        if not _HARMLESS.fullmatch(part):
            reason = f"{{{{ {match[1]} }}}} stands for a path with unusual characters"
            raise TemplateError(reason, text, match.start())
        return part

    return _FILE.sub(fill, text)


def mark_base_templates(text: str) -> str:
    """Turn every `{{ _base_.name }}` into a string that `fill_base_templates` recognises."""
    return _BASE.sub(lambda match: f'"{_MARK_ESCAPE}{match[1]}{_MARK_ESCAPE}"', text)


def fill_base_templates(own: Config, bases: Config, budget: Budget) -> Config:
    """Replace the marked strings in `own` by copies of what they name in `bases`.

    Raises:
        OverBudgetError: the result is too large.
        UnreadableError: the bases have no such value, or a template is part of a longer string.
    """
    return plain_dict({key: _filled(value, bases) for key, value in own.items()}, budget)


def _filled(value: ConfigValue, bases: Config) -> ConfigValue:
    if isinstance(value, str):
        return _named(value, bases) if _MARK in value else value
    if isinstance(value, dict):
        return {key: _filled(item, bases) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, bases) for item in value]
    if isinstance(value, tuple):
        return tuple(_filled(item, bases) for item in value)
    return value


def _named(text: str, bases: Config) -> ConfigValue:
    match = _MARKED.fullmatch(text)
    if match is None:
        raise UnreadableError("{{ _base_.name }} stands between quotes, or is part of a sum")
    value: ConfigValue = bases
    for key in match[1].split("."):
        if not isinstance(value, dict) or key not in value:
            raise UnreadableError(f"the base configs have no {match[1]!r:.80}")
        value = value[key]
    return value
