"""A state dict whose keys stand in another order than the model's says nothing of the indices."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.equal import same
from toy_trainings import by_layers, content_of, make_model, migrated, planned, step

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options, Purpose
from mm_ckpt_migrate.convert.training import parameters
from mm_ckpt_migrate.convert.training.order import order_fault
from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.identify.layouts.table import load_table
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.names import is_buffer
from mm_ckpt_migrate.schema import Schema, TensorSpec

pytestmark = pytest.mark.mm

TRAINING = Path(__file__).parents[2] / "resume" / "mask2former_r18.pth"
LAYER = "decode_head.transformer_decoder.layers.0"
QUERIES = ("decode_head.query_embed.weight", "decode_head.query_feat.weight")
# Of one shape each, so that no shape tells; in two modules, in one, in a list, in what rules sort.
EXCHANGED = {
    "two modules": QUERIES,
    "one module": (f"{LAYER}.norms.0.weight", f"{LAYER}.norms.0.bias"),
    "a list": (f"{LAYER}.norms.0.weight", f"{LAYER}.norms.1.weight"),
    "what the rules sort": (f"{LAYER}.ffns.0.layers.1.bias", f"{LAYER}.norms.2.bias"),
    "a list that the rules rename": (
        f"{LAYER}.attentions.0.attn.in_proj_weight",
        f"{LAYER}.attentions.1.attn.in_proj_weight",
    ),
    "the backbone": ("backbone.layer1.0.bn1.weight", "backbone.layer1.0.bn2.weight"),
}
Change = Callable[[Any], Any]


def exchange(first: str, second: str) -> Change:
    """Exchange the places of two keys, or of two modules, in any mapping that has their names."""

    def change(mapping: Any) -> Any:
        other = {first: second, second: first}
        return OrderedDict((other.get(k, k), mapping[other.get(k, k)]) for k in mapping)

    return change


def modules(change: tuple[str, str]) -> tuple[str, str]:
    first, second = (name.rpartition(".")[0] for name in change)
    return first, second


@pytest.fixture(params=["kept", "exchanged, too", "gone"])
def metadata(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def rebuilt(folder: Path, names: tuple[str, str], metadata: str) -> Path:
    """The genuine training, after a script took its state dict apart."""
    import torch

    content = torch.load(TRAINING, weights_only=False)
    state = content["state_dict"]
    content["state_dict"] = exchange(*names)(state)
    if metadata != "gone":
        as_keys = metadata != "kept" and modules(names)[0] != modules(names)[1]
        kept = exchange(*modules(names))(state._metadata) if as_keys else state._metadata
        content["state_dict"]._metadata = kept
    torch.save(content, folder / "old.pth")
    return folder / "old.pth"


def attempt(old: Path, *, build: bool, **options: Any) -> tuple[Any, Any]:
    import torch

    new = old.with_name("new.pth")
    cfg = "embedded" if build else "-"
    report = convert("auto", cfg, old, new, Options(build=build, force=True, **options))
    return report, torch.load(new, weights_only=False)


@pytest.mark.parametrize("build", [True, False], ids=["built", "not built"])
@pytest.mark.parametrize("names", EXCHANGED.values(), ids=EXCHANGED)
def test_no_state_goes_on_by_another_order(
    names: tuple[str, str], build: bool, metadata: str, tmp_path: Path
) -> None:
    old = rebuilt(tmp_path, names, metadata)
    report, content = attempt(old, build=build)
    assert "optimizer" not in content
    assert any("optimizer and param_schedulers left out" in notice for notice in report.notices)
    with pytest.raises(PlanError, match="cannot be known"):
        attempt(old, build=build, purpose=Purpose.RESUME)


@pytest.mark.parametrize("build", [True, False], ids=["built", "not built"])
def test_as_it_was_trained_it_goes_on(build: bool) -> None:
    """The control, without which nothing ever going on would pass."""
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        old = Path(shutil.copy(TRAINING, f"{folder}/old.pth"))
        report, content = attempt(old, build=build, purpose=Purpose.RESUME)
    assert content["optimizer"]["state"]
    assert "optimizer: 149 parameters keep their state, 16 in other places" in report.notices


def test_without_the_check_moments_are_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameters, "order_fault", lambda *_: None)
    monkeypatch.setattr(parameters, "_unlike_target", lambda *_: None)
    _, wrong = attempt(rebuilt(tmp_path, QUERIES, "kept"), build=True)
    _, genuine = attempt(rebuilt(tmp_path, ("-", "-"), "kept"), build=True)
    state, other = wrong["optimizer"]["state"], genuine["optimizer"]["state"]
    assert [i for i in state if not same(state[i]["exp_avg"], other[i]["exp_avg"])]


@pytest.mark.parametrize("names", [QUERIES, EXCHANGED["a list"]])
def test_what_has_names_is_placed_by_them(
    names: tuple[str, str], families: dict[str, RuleSet], tmp_path: Path
) -> None:
    """The constructors with a decay by layers list `param_names` in each group."""
    import torch

    model = make_model()
    optimizer = torch.optim.AdamW(by_layers(model.parameters), lr=1e-4)
    step(optimizer, model.parameters)
    content = content_of(model, optimizer)
    right = planned(tmp_path, content, families["mask2former"], model)
    content["state_dict"] = exchange(*names)(content["state_dict"])
    assert planned(tmp_path, content, families["mask2former"], model) == right
    with pytest.raises(PlanError, match=r"the keys (of .*)?do not stand"):
        migrated(tmp_path, content, purpose=Purpose.RESUME)


def layouts() -> Iterator[Schema]:
    table = load_table()
    yield from (table.schema(number) for number in range(len(table)))


def test_no_model_of_any_release_is_doubted() -> None:
    assert [fault for s in layouts() if (fault := order_fault(s, s.names))] == []


def test_exchanges_in_models_of_all_releases_are_seen() -> None:
    """By the keys alone, without `_metadata` and without a target."""
    rng = random.Random(14)
    for schema in rng.sample(list(layouts()), 60):
        for _ in range(5):
            specs = list(schema.tensors)
            first, second = rng.choice(list(alike(specs, rng)))
            specs[first], specs[second] = specs[second], specs[first]
            names = (specs[first].name, specs[second].name)
            assert order_fault(Schema(tuple(specs)), [s.name for s in specs]), names


def alike(specs: list[TensorSpec], rng: random.Random) -> Iterator[tuple[int, int]]:
    """Two parameters of each shape that several have."""
    places: dict[tuple[int, ...], list[int]] = {}
    for number, spec in enumerate(specs):
        if not is_buffer(spec.name):
            places.setdefault(spec.shape, []).append(number)
    for group in places.values():
        if len(group) > 1:
            first, second = rng.sample(group, 2)
            yield first, second


def test_sorted_keys_are_seen() -> None:
    for schema in layouts():
        names = sorted(schema.names)
        if names != list(schema.names):
            assert order_fault(Schema(tuple(schema[n] for n in names)), names)


def test_a_module_of_many_names_is_no_trap() -> None:
    specs = tuple(TensorSpec(f"x.n{number}", (), "float32") for number in range(200_000))
    assert order_fault(Schema(specs), [spec.name for spec in specs]) is None
