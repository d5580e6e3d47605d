"""How the parent checks each kind of class, and how a child makes one: models, and all the rest.

What is no model is built by its registry, as mmengine builds it, with the arguments that mmengine
hands over beside the config; and it is called where that is all that it is for.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Final

from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.releases.allowed import classes
from mm_ckpt_migrate.releases.allowed.parts import evaluation_config, training_text
from mm_ckpt_migrate.releases.allowed.request import TargetRequest, make_request
from mm_ckpt_migrate.releases.current.child import build

REGISTRIES: Final[Mapping[str, str]] = {
    "model": "MODELS",
    "task_util": "TASK_UTILS",
    "weight_initializer": "WEIGHT_INITIALIZERS",
    "optim_wrapper": "OPTIM_WRAPPERS",
    "optimizer": "OPTIMIZERS",
    "optimizer_wrapper_constructor": "OPTIM_WRAPPER_CONSTRUCTORS",
    "parameter_scheduler": "PARAM_SCHEDULERS",
    "dataset": "DATASETS",
    "transform": "TRANSFORMS",
    "metric": "METRICS",
    "evaluator": "EVALUATOR",
    "data_sampler": "DATA_SAMPLERS",
    "loop": "LOOPS",
}
"""Kinds of registries on the list, by what they are called in `mmengine.registry` and elsewhere.

Not `op`, whose names are words of mmcv's own, and not `function`, which has no settings.
"""

_MODULES: Final = ("datasets", "evaluation", "engine")


def import_parts(scope: str) -> None:
    """Import what an evaluation and a training need, as a child does before the wall."""
    for name in _MODULES:
        import_module(f"{scope}.{name}")
    import_module("mmengine.runner")
    _optimizer()  # torch imports for the first what later ones need


def builder(config: Mapping[str, Any], registry: str, scope: str) -> Callable[[], None]:
    """What a child would do with a config that the parent lets pass.

    Raises:
        ConfigError: the parent refuses it.
    """
    if registry in classes.MODEL:
        request = make_request(config, scope)
        return partial(_build_model, request.model, request.scope)
    text = repr(_checked(dict(config), registry, scope))
    return partial(_build_part, text, registry, scope)


def _checked(config: dict[str, Any], registry: str, scope: str) -> Any:
    """The config as a child gets it."""
    if registry in classes.INITIALIZERS:
        model = ast.literal_eval(_request(scope, init_cfg=config).model)
        if not model["init_cfg"]:
            raise ConfigError("the config", "the initializer is left out")
        return model["init_cfg"]
    if registry in classes.TRAINING:
        name = "param_scheduler" if registry == "parameter_scheduler" else "optim_wrapper"
        return ast.literal_eval(training_text({name: config}, _request(scope)))[name]
    return evaluation_config({"test_evaluator": config}, _request(scope))["test_evaluator"]


def _request(scope: str, **settings: Any) -> TargetRequest:
    return make_request({"type": "mmseg.FCNHead", **settings}, scope)


def _build_model(text: str, scope: str) -> None:
    with build.unfilled():
        build.build(text, scope)


def _build_part(text: str, registry: str, scope: str) -> None:
    from mmengine.config import ConfigDict
    from mmengine.registry import init_default_scope

    init_default_scope(scope)
    config = ConfigDict(ast.literal_eval(text))
    for key, value in ALONGSIDE.get(registry, dict)().items():
        config.setdefault(key, value)
    made = getattr(import_module(f"{scope}.registry"), REGISTRIES[registry]).build(config)
    with suppress(Exception):
        _CALLS.get(registry, lambda _: None)(made)


def _optimizer() -> Any:
    import torch

    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1, momentum=0.9)


def _loop() -> dict[str, Any]:
    from mmengine.evaluator import Evaluator

    data = SimpleNamespace(dataset=SimpleNamespace(metainfo={}))
    runner = SimpleNamespace(visualizer=SimpleNamespace(dataset_meta=None))
    return {"runner": runner, "dataloader": data, "evaluator": Evaluator([]), "max_epochs": 1}


ALONGSIDE: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "optim_wrapper": lambda: {"optimizer": _optimizer()},
    "optimizer": lambda: {"params": _optimizer().param_groups[0]["params"]},
    "optimizer_wrapper_constructor": lambda: {
        "optim_wrapper_cfg": {"type": "OptimWrapper", "optimizer": {"type": "SGD", "lr": 0.1}}
    },
    "parameter_scheduler": lambda: {"optimizer": _optimizer()},
    "data_sampler": lambda: {"dataset": [0, 1, 2]},
    "dataset": lambda: {"lazy_init": True},  # or the first thing that it does is to miss a file
    "loop": _loop,
}
"""What mmengine hands over beside the config."""


def _transform(made: Callable[[dict[str, Any]], object]) -> None:
    import numpy as np

    image: Any = np.zeros((8, 8, 3), np.uint8)
    made({"img": image, "img_shape": (8, 8), "img_path": "/nowhere.png", "seg_fields": []})


def _constructor(made: Callable[[Any], object]) -> None:
    import torch

    made(torch.nn.Linear(2, 2))


_CALLS: Final[Mapping[str, Callable[[Any], object]]] = {
    "transform": _transform,
    "optimizer_wrapper_constructor": _constructor,
}
