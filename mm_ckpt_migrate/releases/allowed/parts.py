"""The other parts of a config that a release is handed: how to go on training, how to test.

`request` sees to the model. What stands here is checked in the same way before a child gets it, and
what a child does not need for its task (hooks, loggers, the training's own data) is left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from mm_ckpt_migrate.configs.values import Config
from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.releases.allowed import classes
from mm_ckpt_migrate.releases.allowed.listed import Rules, check
from mm_ckpt_migrate.releases.allowed.literal import literal
from mm_ckpt_migrate.releases.allowed.request import TargetRequest

_TESTED: Final = ("test_dataloader", "test_evaluator", "test_cfg")
_PLAIN: Final = ("data_preprocessor", "custom_imports", "default_scope", "env_cfg", "randomness")
_BACKENDS: Final = ("backend_args", "file_client_args")
_LOCAL: Final = frozenset({"disk", "local"})


def training_text(config: Mapping[str, object], model: TargetRequest) -> str:
    """The literal of a config's optimizer and schedules, for a child that takes further steps.

    Raises:
        ConfigError: there is no optimizer, a type is not on the list, or a value is no plain
            literal.
    """
    settings = {name: config.get(name) for name in ("optim_wrapper", "param_scheduler")}
    text = literal(settings, model.source)
    rules = _rules(model, classes.TRAINING)
    wrapper = settings["optim_wrapper"]
    if not isinstance(wrapper, Mapping):
        raise ConfigError(model.source, "it has no `optim_wrapper`: it tells of no training")
    constructor = wrapper.get("constructor")
    if constructor is not None:
        check({"type": constructor}, "optim_wrapper.constructor", rules)
    for name, value in settings.items():
        check(value, name, rules)
    return text


def evaluation_config(config: Config, model: TargetRequest) -> Config:
    """What mmengine's test loop needs of a config, with the model as it is built elsewhere.

    Raises:
        ConfigError: a data set, transform, metric, sampler or loop is not on the list, or a setting
            fetches what it names from elsewhere.
    """
    rules = _rules(model, classes.EVALUATION)
    for name in (*_TESTED, "data_preprocessor"):
        literal(config.get(name), model.source)  # bounds the depth that the walks recurse to
        check(config.get(name), name, rules)
        for where, value in _remote(config.get(name), name):
            raise ConfigError(
                model.source,
                f"{where}: {value!r} would be fetched from elsewhere",
                hint="Give a config whose data lie in a folder.",
            )
    kept: Config = {name: config[name] for name in (*_PLAIN, *_TESTED) if name in config}
    return {"model": ast.literal_eval(model.model), **kept}


def _rules(model: TargetRequest, registries: tuple[str, ...]) -> Rules:
    return Rules(model.scope, registries, model.packages, model.source)


def _remote(value: object, where: str) -> Iterator[tuple[str, object]]:
    """Settings that are a URL, or name a storage other than the disk."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in _BACKENDS and not _is_local(item):
                yield f"{where}.{key}", item
            yield from _remote(item, f"{where}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, item in enumerate(value):
            yield from _remote(item, f"{where}[{index}]")
    elif isinstance(value, str) and ("://" in value or value.startswith("s3:")):
        yield where, value


def _is_local(storage: object) -> bool:
    return storage is None or (isinstance(storage, Mapping) and storage.get("backend") in _LOCAL)
