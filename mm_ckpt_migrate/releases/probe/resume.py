"""Child only: take a training's next steps, with the optimizer and the schedulers of a file.

The model's own loss, mmengine's own optimizer wrapper and schedulers, on one made-up batch. Loss
and dropout draw random numbers, so every step starts from a seed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch

from mm_ckpt_migrate.releases.current.child import build
from mm_ckpt_migrate.releases.probe import loaded_model, reading
from mm_ckpt_migrate.releases.probe.noise import made_batch
from mm_ckpt_migrate.releases.probe.precision import computing_in

# The rest is of half precision (AmpOptimWrapper, ApexOptimWrapper) and of accumulated gradients.
_OF_A_STEP = ("optimizer", "constructor", "paramwise_cfg", "clip_grad")


def run(request: dict[str, Any], confine: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Answer a `resume` request.

    Request, besides model, scope, imports, packages, needs and checkpoint:
        training: literal of the config's `optim_wrapper` and `param_scheduler`.
        steps, seed, size: how many steps, and of what batch: one image of height x width.
        exchange: give state of the optimizer to wrong parameters, as a deliberate error.
        dtype: `float32` or `float64`, which is computed in.

    Args:
        confine: see `loaded_model.import_for`.

    Returns:
        `losses`, one a step; `draws`, what this build of torch draws from the seed; `exchanged`,
        how many pairs of parameters got each other's state.
    """
    torch.set_num_threads(1)
    _import_late_parts()
    loaded_model.import_for(request, confine)
    content = reading.read_content(request["checkpoint"])
    dtype = getattr(torch, request.get("dtype", "float32"))
    with loaded_model.running(), computing_in(dtype):
        return _run(request, content, dtype)


def _run(request: dict[str, Any], content: dict[str, Any], dtype: Any) -> dict[str, Any]:
    state = content["optimizer"]
    if "param_groups" not in state:
        raise RuntimeError(f"the file holds {len(state)} optimizers, and one can be stepped here")
    network = build.build(request["model"], request["scope"])
    network = import_module("mmengine.model").revert_sync_batchnorm(network)
    loaded_model.load_strictly(network, reading.state_dict_of(content))
    training = ast.literal_eval(request["training"])
    wrapper, schedulers = _trainer(network.to(dtype), training, _epoch_length(content))
    exchanged = _exchange(state["state"]) if request.get("exchange") else 0
    wrapper.load_state_dict(state)
    saved = content.get("param_schedulers") or []
    if len(saved) > len(schedulers):
        raise RuntimeError(f"the file holds {len(saved)} schedules, the config {len(schedulers)}")
    for scheduler, values in zip(schedulers, saved):  # noqa: B905
        scheduler.load_state_dict(values)
    losses = _steps(network, wrapper, schedulers, request)
    return {"losses": losses, "draws": _draws(int(request["seed"])), "exchanged": exchanged}


def _import_late_parts() -> None:
    """torch imports its compiler with the first optimizer, from 2.1 on; before the wall, then."""
    import_module("mmengine.optim")
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    weight.sum().backward()  # type: ignore[no-untyped-call, unused-ignore]
    optimizer.step()


def _epoch_length(content: dict[str, Any]) -> int:
    """Iterations of an epoch: a Runner that counts epochs saves at the end of one."""
    meta = content.get("meta") or {}
    epoch, iteration = int(meta.get("epoch") or 0), int(meta.get("iter") or 0)
    return max(1, iteration // epoch if epoch > 0 else iteration)


def _trainer(network: Any, training: dict[str, Any], epoch_length: int) -> tuple[Any, list[Any]]:
    """Before `train()`, as the Runner does it: only there does Swin freeze its stages.

    A schedule with `convert_to_iter_based` asks for the length of an epoch, and takes all that
    it makes of it from the file.
    """
    registry = import_module("mmengine.registry")
    config = import_module("mmengine.config").ConfigDict
    plain = {k: v for k, v in training["optim_wrapper"].items() if k in _OF_A_STEP}
    wrapper = import_module("mmengine.optim").build_optim_wrapper(
        network, config({**plain, "type": "OptimWrapper"})
    )
    found = training.get("param_scheduler") or []
    schedulers = [
        registry.PARAM_SCHEDULERS.build(
            config(entry), default_args={"optimizer": wrapper, "epoch_length": epoch_length}
        )
        for entry in (found if isinstance(found, (list, tuple)) else [found])
    ]
    return wrapper, schedulers


def _steps(network: Any, wrapper: Any, schedulers: list[Any], request: dict[str, Any]) -> list[float]:
    import_module("mmengine.logging").MessageHub.get_instance("mm_ckpt_migrate")
    _mend(network)
    network.train()
    losses = []
    for step in range(int(request["steps"])):
        torch.manual_seed(int(request["seed"]) + step)
        batch = made_batch(network, int(request["seed"]), request["size"])
        data = network.data_preprocessor(batch, True)
        loss, _ = network.parse_losses(network(**data, mode="loss"))
        wrapper.update_params(loss)
        for scheduler in schedulers:
            scheduler.step()
        losses.append(loss.item())
    return losses


def _mend(network: Any) -> None:
    """Let an old two-stage Deformable DETR be trained, and do without what enlarges a batch."""
    head: Any = getattr(network, "bbox_head", None)
    if not hasattr(head, "loss_single") and hasattr(head, "loss_by_feat_single"):
        head.loss_single = head.loss_by_feat_single  # mmdet 3.0.0rc0 to rc4 call the old name
    network.data_preprocessor.batch_augments = None


def _exchange(state: dict[int, Any]) -> int:
    """Neighbours of one shape get each other's state; how many pairs there are."""
    shapes: dict[Any, list[int]] = {}
    for index, entry in state.items():
        tensors = [v for v in entry.values() if torch.is_tensor(v) and v.dim()]
        if tensors:  # without momentum SGD keeps an empty entry, or one that holds None
            shapes.setdefault(tuple(max(tensors, key=torch.numel).shape), []).append(index)
    pairs = [pair for group in shapes.values() for pair in zip(group[::2], group[1::2])]  # noqa: B905
    for first, second in pairs:
        state[first], state[second] = state[second], state[first]
    return len(pairs)


def _draws(seed: int) -> list[float]:
    torch.manual_seed(seed)
    mask = torch.nn.functional.dropout(torch.ones(64), 0.5)
    return [*torch.rand(4).tolist(), *mask.tolist()]
