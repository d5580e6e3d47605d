"""Child only: the model of a config, in mmengine's Runner, with the weights of a checkpoint."""

from __future__ import annotations

import ast
import collections
import os
import pickle
from importlib import import_module
from itertools import count
from types import SimpleNamespace
from typing import Any

import torch

from mm_ckpt_migrate.releases.current.child import build
from mm_ckpt_migrate.releases.probe.evaluate_data import ProblemError

PACKAGES = ("torch", "numpy", "cv2", "mmengine", "mmcv", "mmdet", "mmseg")
RUNS = count()
NEEDED = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("builtins", "dict"): dict,
    ("builtins", "list"): list,
    ("builtins", "tuple"): tuple,
    ("builtins", "set"): set,
}
REBUILD = ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter")


def import_stack() -> None:
    """Import what these families need; mmseg itself would pass over a failed import of mmdet.

    Raises:
        ProblemError: something is not installed.
    """
    try:
        if build.stand_in_for_operators():  # deformable attention has a way in plain torch
            attention: Any = import_module("mmcv.ops.multi_scale_deform_attn")
            attention.IS_CUDA_AVAILABLE = False
        import_module("mmdet.models.dense_heads")
        import_module("mmseg.utils").register_all_modules(init_default_scope=False)
    except (ImportError, AssertionError) as error:
        raise ProblemError("missing", f"the stack cannot be imported: {error}") from error


def read_config(request: dict[str, Any]) -> Any:
    """The config, without what must not differ between two releases, and what writes files.

    Its text is a literal, not a file: mmengine copies a file before it reads it, and behind the
    wall nothing is written.

    Raises:
        ProblemError: it cannot be read, or does not say how to test.
    """
    try:
        config = import_module("mmengine.config").Config(ast.literal_eval(request["config"]))
        if config.get("custom_imports"):
            import_module("mmengine.utils").import_modules_from_strings(**config.custom_imports)
    except Exception as error:
        reason = f"the config cannot be read: {type(error).__name__}: {error}"
        raise ProblemError("config", reason) from error
    for name in ("model", "test_dataloader", "test_evaluator"):
        if not config.get(name):
            raise ProblemError("config", f"the config has no {name}")
    config.work_dir = os.getcwd()
    config.experiment_name = f"evaluate_{os.getpid()}_{next(RUNS)}"
    config.launcher = request.get("launcher") or "none"
    config.load_from, config.resume = None, False
    config.default_scope = config.get("default_scope") or "mmseg"
    import_module("mmengine.registry").init_default_scope(config.default_scope)
    # Half precision, and kernels chosen by the clock, would make two runs differ.
    config.test_cfg = {**(config.get("test_cfg") or {"type": "TestLoop"}), "fp16": False}
    config.env_cfg = {**(config.get("env_cfg") or {}), "cudnn_benchmark": False}
    hooks = {**(config.get("default_hooks") or {}), "logger": None, "checkpoint": None}
    hooks.pop("visualization", None)
    config.default_hooks = hooks
    workers = int(request.get("workers") or 0)
    config.test_dataloader.num_workers = workers
    config.test_dataloader.persistent_workers = workers > 0
    return config


def build_runner(config: Any, request: dict[str, Any]) -> Any:
    """mmengine's Runner, on the device that was asked for; it makes no folder and no file.

    Raises:
        ProblemError: there is no such device.
    """
    device = device_of(request)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    if config.launcher == "pytorch" and "RANK" not in os.environ:
        raise ProblemError("config", "the launcher pytorch is for processes that torchrun starts")
    if config.launcher != "none" and device.type == "cpu":
        _join_on_cpu(config.launcher)
    runner_class = import_module("mmengine.runner").Runner

    def wrap_model(_self: Any, _settings: Any, model: Any) -> Any:
        """Move it, unwrapped: without gradients there is nothing that processes would share."""
        revert = import_module("mmengine.model").revert_sync_batchnorm
        return revert(model).to(device)

    watched: Any = type("EvaluationRunner", (runner_class,), {"wrap_model": wrap_model, **_writing_nothing()})
    package: Any = import_module("mmengine")
    package.mkdir_or_exist = lambda *_arguments: None
    return watched.from_cfg(config)


def _writing_nothing() -> dict[str, Any]:
    """Methods for a Runner that logs into no file, draws nothing, and asks no program for versions."""

    def build_logger(runner: Any, log_level: Any = "INFO", **_more: Any) -> Any:
        logger = import_module("mmengine.logging").MMLogger
        return logger.get_instance(runner.experiment_name, log_level=log_level)

    def nothing(*_arguments: Any, **_options: Any) -> None:
        """Do nothing."""

    return {
        "build_logger": build_logger,
        "build_visualizer": lambda *_arguments: SimpleNamespace(add_config=nothing),
        "dump_config": nothing,
        "_log_env": nothing,
    }


def device_of(request: dict[str, Any]) -> Any:
    """The device, which works; CUDA is up then, as it must be before the wall.

    Raises:
        ProblemError: there is no such device.
    """
    name = str(request.get("device") or "cpu")
    if name == "cuda" and (request.get("launcher") or "none") != "none":
        local = os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0"))
        name = f"cuda:{int(local) % max(1, torch.cuda.device_count())}"
    try:
        device = torch.device(name)
        picture = torch.ones(1, 1, 8, 8, device=device)
        if device.type != "cpu":  # have the libraries of both opened, too
            torch.nn.functional.conv2d(picture, picture) @ picture[..., :1, :]
            torch.cuda.synchronize(device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ProblemError("missing", f"there is no device {name} here: {error}") from error
    return device


def _join_on_cpu(launcher: str) -> None:
    """mmengine's own way of joining asks for a GPU."""
    if launcher != "pytorch":
        raise ProblemError("missing", f"the launcher {launcher} needs a GPU; torchrun does not")
    distributed = torch.distributed
    if not distributed.is_initialized():
        distributed.init_process_group("gloo")


def load(model: Any, path: str, names: dict[str, str]) -> None:
    """Fill the model with torch's own strict load, which heeds `_metadata`; mmengine's does not.

    Raises:
        ProblemError: the weights do not fit.
    """
    state = read_weights(path)
    metadata = getattr(state, "_metadata", None)
    state = collections.OrderedDict((key, state[names.get(key, key)]) for key in state)
    if metadata is not None:
        state._metadata = metadata  # type: ignore[attr-defined]
    try:
        torch.nn.Module.load_state_dict(model, state, strict=True)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ProblemError("weights", f"{path} does not fit the config: {lines[1][:300]}") from error


def read_weights(path: str) -> Any:
    """The state dict of a checkpoint; nothing that its pickle names is imported or called."""
    if str(path).endswith(".safetensors"):
        return import_module("safetensors.torch").load_file(path)
    inert = SimpleNamespace(Unpickler=_Unpickler, load=None, __name__="inert")
    try:
        content = torch.load(path, map_location="cpu", pickle_module=inert, weights_only=False)
    except Exception as error:
        reason = f"{path} cannot be read: {type(error).__name__}: {error}"
        raise ProblemError("weights", reason) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not state:
        raise ProblemError("weights", f"{path} holds no state dict")
    return state


class _Unpickler(pickle.Unpickler):
    """Knows tensors and plain containers; everything else is a thing that does nothing."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in NEEDED:
            return NEEDED[module, name]
        if module == "torch._utils" and name in REBUILD:
            return getattr(torch._utils, name)
        if module == "torch.nn.parameter" and name == "Parameter":
            return torch.nn.Parameter
        if module == "torch" and isinstance(getattr(torch, name, None), (torch.dtype, torch.Size)):
            return getattr(torch, name)
        return _Inert


class _Inert:
    """Stands for whatever a pickle names: it takes anything, keeps nothing, and can be called."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Any:
        return object.__new__(cls)

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        pass

    def __call__(self, *_args: Any, **_kwargs: Any) -> _Inert:
        return self

    def __setstate__(self, _state: Any) -> None:
        pass

    def append(self, _item: Any) -> None:
        pass

    def extend(self, _items: Any) -> None:
        pass

    def __setitem__(self, _key: Any, _value: Any) -> None:
        pass


def versions() -> dict[str, str]:
    """The releases that computed this."""
    return {name: str(import_module(name).__version__) for name in PACKAGES}
