"""Small models of either family, trained by torch's own optimizers, and their migration."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from support.equal import same
from support.training import by_name, is_parameter, new_name, new_order

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.convert.training.follow import plan_training
from mm_ckpt_migrate.convert.training.optimizer import OptimizerMove
from mm_ckpt_migrate.convert.training.parameters import match_parameters
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.mapping.plan import make_plan, migrated_schema
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.schema import Schema, TargetModel
from mm_ckpt_migrate.verdicts import ConvertReport

FAMILIES = ("maskformer", "mask2former")
SIZE = 4
HEAD = {
    "maskformer": ["pixel_decoder.mask_feature.weight", "pixel_decoder.mask_feature.bias"],
    "mask2former": ["pixel_decoder.level_encoding.weight"],
}
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
ATTENTION = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
Groups = list[dict[str, Any]]
# Makes groups of all parameters that are given by name.
Grouping = Callable[[dict[str, Any]], Groups]


def old_names(family: str, layers: int) -> list[str]:
    """The keys of an old state dict, in its order."""
    layer = [
        *(f"attentions.{n}.attn.{part}" for n in range(2) for part in ATTENTION),
        *(f"ffns.0.layers.0.0.{part}" for part in ("weight", "bias")),
        *(f"norms.{n}.{part}" for n in range(3) for part in ("weight", "bias")),
    ]
    encoder = ["attentions.0.attn.weight", "ffns.0.layers.0.0.weight", "norms.0.weight"]
    head = [
        *(f"pixel_decoder.encoder.layers.0.{part}" for part in encoder),
        *HEAD[family],
        *(f"transformer_decoder.layers.{n}.{part}" for n in range(layers) for part in layer),
        "transformer_decoder.post_norm.weight",
        "query_embed.weight",
        *(["query_feat.weight"] if family == "mask2former" else []),
        "cls_embed.weight",
    ]
    backbone = ["conv1.weight", *(f"bn1.{part}" for part in NORM), "conv2.weight"]
    return [f"backbone.{name}" for name in backbone] + [f"decode_head.{name}" for name in head]


def shape_of(name: str) -> tuple[int, ...]:
    if name.endswith("num_batches_tracked"):
        return ()
    return (SIZE, SIZE) if name.endswith(("weight", "in_proj_weight")) else (SIZE,)


@dataclass(frozen=True)
class Model:
    """A model's tensors by their old names; all values differ."""

    family: str
    state_dict: Any
    parameters: dict[str, Any]

    @property
    def names(self) -> list[str]:
        return list(self.parameters)

    def after(self, names: Iterable[str]) -> list[str]:
        """New names in the new order."""
        return new_order(names, self.family)

    def new(self, name: str) -> str:
        return new_name(name, self.family)


def make_model(family: str = "mask2former", layers: int = 2) -> Model:
    import torch

    state = OrderedDict(
        (name, torch.full(shape_of(name), float(number)))
        for number, name in enumerate(old_names(family, layers))
    )
    parameters = {n: torch.nn.Parameter(t.clone()) for n, t in state.items() if is_parameter(n)}
    return Model(family, state, parameters)


def one_group(parameters: dict[str, Any]) -> Groups:
    return [{"params": list(parameters.values())}]


def group_each(parameters: dict[str, Any]) -> Groups:
    """As mmengine makes them where a `paramwise_cfg` is set."""
    return [
        {"params": [tensor], "lr": 1e-3 * (1 + number % 7), "weight_decay": 0.01 * (number % 3)}
        for number, tensor in enumerate(parameters.values())
    ]


def by_layers(parameters: dict[str, Any]) -> Groups:
    """As the constructors with a decay by layers: a few groups, in the order they are met in."""
    groups: dict[str, dict[str, Any]] = {}
    for name, tensor in parameters.items():
        stage = "head" if "decode_head" in name else "backbone"
        kind = "no_decay" if tensor.ndim == 1 or "norm" in name else "decay"
        settings = {"lr": 1e-3 * (1 + len(groups)), "weight_decay": 0.1 * (kind == "decay")}
        group = groups.setdefault(
            f"{stage}_{kind}", {"params": [], "param_names": [], "group_name": f"{stage}_{kind}", **settings}
        )
        group["params"].append(tensor)
        group["param_names"].append(name)
    return list(groups.values())


def step(optimizer: Any, parameters: dict[str, Any], untrained: Sequence[str] = ()) -> None:
    """Two steps; no two parameters have the same state after them."""
    import torch

    for turn in range(2):
        for number, (name, tensor) in enumerate(parameters.items()):
            value = 1.0 + number + 100 * turn
            tensor.grad = None if name in untrained else torch.full_like(tensor, value)
        optimizer.step()


def content_of(model: Model, optimizer: Any, **sections: Any) -> dict[str, Any]:
    """What a checkpoint holds; `optimizer` is one, or what it says."""
    state = optimizer if isinstance(optimizer, dict) else optimizer.state_dict()
    return {"meta": {"iter": 2}, "state_dict": model.state_dict, "optimizer": state, **sections}


def migrated(folder: Path, content: dict[str, Any], **options: Any) -> tuple[ConvertReport, dict[str, Any]]:
    """Save, which is at pickle protocol 2; convert without a target; load."""
    import torch

    old, new = folder / "old.pth", folder / "new.pth"
    new.unlink(missing_ok=True)
    torch.save(content, old)
    report = convert("auto", "-", old, new, Options(build=False, **options))
    return report, torch.load(new, weights_only=True) if new.exists() else {}


def listed(groups: Groups, names: Sequence[str]) -> list[str]:
    """Names of the parameters in the order of a loaded optimizer's indices."""
    return [names[index] for group in groups for index in group["params"]]


def assert_followed(model: Model, before: Any, after: Any, old: Sequence[str], new: Sequence[str]) -> None:
    """Settings and state of each parameter are the same, by value.

    Args:
        old, new: the names of the parameters in the order of the indices.
    """
    first, second = by_name(before, old), by_name(after, new)
    assert set(second) <= {model.new(name) for name in first}
    for name in first:
        if model.new(name) in second:
            assert same(first[name], second[model.new(name)]), name


def assert_torch_gives_it_to_the_right_ones(
    kind: Callable[[Groups], Any],
    before: Any,
    after: Any,
    old: Sequence[str],
    new: Sequence[str],
    model: Model,
) -> None:
    """A new optimizer of torch's, with the new groups, loads it; each parameter has its state."""
    import torch

    parameters = {model.new(name): torch.nn.Parameter(model.state_dict[name]) for name in old}
    names = iter(new)
    sizes = [len(group["params"]) for group in after["param_groups"]]
    members = [[next(names) for _ in range(size)] for size in sizes]
    assert sorted(chain.from_iterable(members)) == sorted(new)
    optimizer = kind([{"params": [parameters[name] for name in group]} for group in members])
    optimizer.load_state_dict(after)
    for number, name in enumerate(old):
        if model.new(name) in new:
            state = optimizer.state.get(parameters[model.new(name)], {})
            assert same(dict(state), dict(before["state"].get(number, {}))), name


def planned(
    folder: Path,
    content: dict[str, Any],
    rules: RuleSet,
    model: Model,
    frozen: Sequence[str] = (),
    ties: tuple[tuple[str, ...], ...] = (),
) -> OptimizerMove:
    """What would become of the optimizer, for a target with these frozen parameters and ties."""
    import torch

    torch.save(content, folder / "old.pth")
    with Source(folder / "old.pth") as source:
        checkpoint = open_checkpoint(source)
    plan = make_plan(checkpoint.schema, rules)
    made = migrated_schema(plan, checkpoint.schema)
    names = model.after(model.state_dict)
    schema = Schema(tuple(made[name] for name in names), ties=ties)
    later = {name for group in ties for name in group[1:]}
    trained = tuple(n for n in names if is_parameter(n) and n not in later)
    target = TargetModel(schema=schema, parameters=trained, frozen=tuple(frozen), stack={}, device="cpu")
    expected = model.after(content["state_dict"])
    parameters = match_parameters(checkpoint.schema, plan, expected, target)
    (follower,) = plan_training(checkpoint, parameters, {})
    assert checkpoint.tree is not None
    assert emit(checkpoint.tree.root)
    return follower.move
