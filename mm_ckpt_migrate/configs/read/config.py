"""Read a config of mmengine or mmcv without running it.

A config is a Python program, and one that comes with a checkpoint is a stranger's. So it is
parsed and its statements are followed one by one; what has no evident value is refused.
"""

from __future__ import annotations

import ast
import json
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.configs.read.data import load_json, load_yaml
from mm_ckpt_migrate.configs.read.merge import merge
from mm_ckpt_migrate.configs.read.shipped import shipped_config
from mm_ckpt_migrate.configs.read.source import parse_source, read_source
from mm_ckpt_migrate.configs.read.templates import (
    fill_base_templates,
    fill_file_templates,
    mark_base_templates,
    refuse_environment,
)
from mm_ckpt_migrate.configs.static.budget import MAX_BASE_DEPTH, Budget, OverBudgetError, UnreadableError
from mm_ckpt_migrate.configs.static.evaluator import Evaluator
from mm_ckpt_migrate.configs.static.handlers import HANDLERS
from mm_ckpt_migrate.configs.static.references import BASE_KEY
from mm_ckpt_migrate.configs.static.statements import base_assignment, execute
from mm_ckpt_migrate.configs.static.tree import BaseDict, plain_dict
from mm_ckpt_migrate.configs.values import Config, ConfigValue
from mm_ckpt_migrate.errors import ConfigError

_DATA_LOADERS: Final = {".json": load_json, ".yaml": load_yaml, ".yml": load_yaml}
_SUFFIXES: Final = (".py", *_DATA_LOADERS)
_TEXT_HINT: Final = "give the config as a file instead"


def read_config(path: Path) -> Config:
    """Read a `.py`, `.json`, `.yaml` or `.yml` config and those it inherits from.

    Raises:
        ConfigError: a file is missing or malformed, or has something that cannot be known
            without running it, or asks for more than any genuine config needs.
    """
    return _Reader(path).read(Path(os.path.abspath(os.path.expanduser(path))), ())


def config_files(path: Path) -> list[Path]:
    """The config at `path` and those that it inherits from; raises as `read_config`."""
    reader = _Reader(path)
    reader.read(Path(os.path.abspath(os.path.expanduser(path))), ())
    return reader.files


def read_config_text(text: str, origin: str) -> Config:
    """Read a config dumped into a checkpoint; `origin` names it in errors.

    Raises:
        ConfigError: as `read_config`; also where the text inherits from another config.
    """
    budget = Budget()
    evaluator = Evaluator({}, budget, HANDLERS)
    with _blaming(origin, evaluator, _TEXT_HINT):
        budget.file(len(text))
        refuse_environment(text)
        module = parse_source(text)
        if base_assignment(module) is not None:
            raise UnreadableError("this text inherits from a config that it does not contain")
        return _own_values(evaluator, module)


def read_config_as(path: Path, text: str) -> Config:
    """Read `text` as if it were the config at `path`, with the bases that it has from there.

    Raises:
        ConfigError: as `read_config`.
    """
    return _Reader(path, text).read(Path(os.path.abspath(os.path.expanduser(path))), ())


class MissingBaseError(UnreadableError):
    """A config inherits from a file that is not there."""

    hint: Final = (
        "put that file there, as it is in the release that the config was written for; or give "
        "the whole config, which training writes into its work_dir and into its checkpoints"
    )


class _Reader:
    """One read: the config that was asked for, and the allowance it shares with its bases."""

    def __init__(self, asked: Path, text: str | None = None) -> None:
        self._budget = Budget()
        self._hint = _dump_hint(asked)
        self._text = text
        self.files: list[Path] = []

    def read(self, path: Path, chain: tuple[str, ...]) -> Config:
        """Read the config at `path`, which the files in `chain` inherit from."""
        evaluator = Evaluator({}, self._budget, HANDLERS)
        with _blaming(path, evaluator, self._hint):
            if path.suffix not in _SUFFIXES:
                raise UnreadableError(f"a config is a file that ends in {', '.join(_SUFFIXES)}")
            chain = _extended(chain, path)
            text = self._source(path)
            marked = _with_templates(text, path) if "{{" in text else text
            if path.suffix == ".py":
                bases, own = self._read_python(marked, path, chain, evaluator)
            else:
                bases, own = self._read_data(marked, path, chain)
            own.pop("_deprecation_", None)
            if marked != text:
                own = fill_base_templates(own, bases, self._budget)
            return merge(bases, own)

    def _source(self, path: Path) -> str:
        text, self._text = self._text, None
        self.files.append(path)
        if text is None:
            return read_source(path, self._budget)
        self._budget.file(len(text))
        return text

    def _read_python(
        self, text: str, path: Path, chain: tuple[str, ...], evaluator: Evaluator
    ) -> tuple[Config, Config]:
        """The values that a config inherits, as it has changed them, and its own."""
        module = parse_source(text)
        assigned = base_assignment(module)
        names = None if assigned is None else evaluator.value(assigned.value)
        evaluator.line = None if assigned is None else assigned.lineno
        bases = self._read_bases(names, path, chain)
        evaluator.names[BASE_KEY] = bases
        own = _own_values(evaluator, module)
        return plain_dict(bases, self._budget), own

    def _read_data(self, text: str, path: Path, chain: tuple[str, ...]) -> tuple[Config, Config]:
        own = _DATA_LOADERS[path.suffix](text, self._budget)
        bases = self._read_bases(own.pop(BASE_KEY, None), path, chain)
        return plain_dict(bases, self._budget), own

    def _read_bases(self, names: ConfigValue, path: Path, chain: tuple[str, ...]) -> BaseDict:
        """Read the configs that `_base_ = names` says, as one dict."""
        bases = BaseDict()
        for name in names if isinstance(names, list) else [names] if names else []:
            if not isinstance(name, str):
                raise UnreadableError(f"_base_ holds a {type(name).__name__}, not a path")
            base_path, scope = _base_path(name, path)
            config = self.read(base_path, chain)
            if doubled := sorted(bases.keys() & config.keys()):
                raise UnreadableError(f"several base configs define {doubled[0]!r:.80}")
            for key, value in config.items():
                _set_scope(value, scope)
                bases.put(key, value, self._budget)
        return bases


def _with_templates(text: str, path: Path) -> str:
    refuse_environment(text)
    return mark_base_templates(fill_file_templates(text, path))


def _own_values(evaluator: Evaluator, module: ast.Module) -> Config:
    execute(evaluator, module)
    evaluator.line = None
    names = evaluator.names.items()
    own = {name: value for name, value in names if name != BASE_KEY and name[:2] != "__"}
    return plain_dict(own, evaluator.budget)


def _extended(chain: tuple[str, ...], path: Path) -> tuple[str, ...]:
    """`chain` with `path` at its end, unless the config inherits from itself or too deeply."""
    real = os.path.realpath(path)
    if real in chain:
        raise UnreadableError("the config inherits from itself")
    if len(chain) > MAX_BASE_DEPTH:
        raise OverBudgetError(f"configs inherit more than {MAX_BASE_DEPTH} deep")
    return (*chain, real)


def _base_path(name: str, child: Path) -> tuple[Path, str | None]:
    """The file that a `_base_` entry names, and the scope that its values get."""
    if "\x00" in name or "://" in name:
        raise UnreadableError("a base config is a local file")
    if "::" in name:
        return shipped_config(name), name.partition("::")[0]
    path = os.path.abspath(os.path.join(child.parent, name))
    if not os.path.isfile(path):
        raise MissingBaseError(f"the base config {name!r:.200} does not exist")
    return Path(path), None


def _set_scope(value: ConfigValue, scope: str | None) -> None:
    """Mark the outermost dicts that have a type, as mmengine does for `package::` bases."""
    if scope is None:
        return
    if isinstance(value, dict) and "type" in value:
        if value.get("_scope_") is None:
            value["_scope_"] = scope
        return
    if isinstance(value, (dict, list, tuple)):
        for item in value.values() if isinstance(value, dict) else value:
            _set_scope(item, scope)


@contextmanager
def _blaming(path: Path | str, evaluator: Evaluator, hint: str) -> Iterator[None]:
    """Turn what a reader says is wrong into an error that names file and line."""
    try:
        yield
    except UnreadableError as error:
        line = getattr(error, "line", evaluator.line)
        shown = "" if isinstance(error, OverBudgetError) else getattr(error, "hint", hint)
        raise ConfigError(path, str(error), line=line, hint=shown) from error


def _dump_hint(path: Path) -> str:
    code = f'from mmengine.config import Config; Config.fromfile({json.dumps(str(path))}).dump("plain.py")'
    return f"if you trust it, let mmengine run it: python -c {shlex.quote(code)}; use plain.py"
