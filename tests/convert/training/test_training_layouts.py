"""The order of the parameters of real models: old index to new index, for every shipped config."""

from __future__ import annotations

import pytest
from layouts import tables
from layouts.tables import DET2, DET_NEW, DET_OLD, NEW, OLD, all_names, configs, family_of, layout
from support.training import new_name, new_order

from mm_ckpt_migrate.convert.training.parameters import Parameters, is_buffer, match_parameters
from mm_ckpt_migrate.mapping.plan import make_plan
from mm_ckpt_migrate.mapping.rules.order import reorder
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.schema import TargetModel

Pair = tuple[str, str, str, str]
PAIRS = tables.pairs()


@pytest.fixture(params=PAIRS, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def pair(request: pytest.FixtureRequest) -> Pair:
    found: Pair = request.param
    return found


def matched(pair: Pair, families: dict[str, RuleSet], *, target: bool) -> Parameters:
    """As `decide` has it matched."""
    old_release, old_config, new_release, new_config = pair
    rules = families[family_of(old_config)]
    source, wanted = layout(old_release, old_config), layout(new_release, new_config)
    plan = make_plan(source, rules)
    order = reorder(plan.targets.values(), rules.order)
    model = None
    if target:
        parameters = tuple(tables.parameters(configs(new_release)[new_config]))
        model = TargetModel(schema=wanted, parameters=parameters, frozen=(), stack={}, device="cpu")
        order = wanted.names
    return match_parameters(source, plan, order, model)


def permutation(found: Parameters) -> list[int]:
    """The new index of each old one."""
    return [found.rank[found.table[name]] for name in found.old]


def test_there_are_17_and_13_pairs_and_13_older_ones() -> None:
    releases = [(old, new) for old, _, new, _ in PAIRS]
    assert releases.count((OLD, NEW)) == 17
    assert releases.count((DET_OLD, DET_NEW)) == releases.count((DET2, DET_NEW)) == 13


@pytest.mark.parametrize("target", [False, True], ids=["without a target", "with one"])
def test_every_index_goes_where_the_real_models_have_it(
    pair: Pair, target: bool, families: dict[str, RuleSet]
) -> None:
    """Against the two lists of `named_parameters()` that were read off the releases."""
    old_release, old_config, new_release, new_config = pair
    old = tables.parameters(configs(old_release)[old_config])
    new = tables.parameters(configs(new_release)[new_config])
    found = matched(pair, families, target=target)
    place = {name: number for number, name in enumerate(new)}
    assert list(found.old) == old
    assert permutation(found) == [place[new_name(name, family_of(old_config))] for name in old]
    assert sorted(permutation(found)) == list(range(len(new)))
    assert (found.frozen is None) == (not target)


@pytest.mark.parametrize(
    ("config", "moved", "count"),
    [
        ("mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py", 72, 451),
        ("maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py", 0, 303),
    ],
)
def test_how_many_indices_move(config: str, moved: int, count: int, families: dict[str, RuleSet]) -> None:
    for target in (False, True):
        places = permutation(matched((OLD, config, NEW, config), families, target=target))
        assert len(places) == count
        assert sum(new != old for old, new in enumerate(places)) == moved


def test_only_mask2former_moves(pair: Pair, families: dict[str, RuleSet]) -> None:
    """What moves lies in the decoder's attentions: each layer has 4 tensors in either of two."""
    found = matched(pair, families, target=False)
    moved = [n for old, n in enumerate(found.old) if found.rank[found.table[n]] != old]
    layers = {name.partition(".attentions.")[0] for name in moved}
    assert len(moved) == 8 * len(layers)
    assert all(".transformer_decoder.layers." in name for name in moved)
    assert bool(moved) == (family_of(pair[1]) == "mask2former")


def test_every_move_is_onto_a_tensor_of_the_same_shape(families: dict[str, RuleSet]) -> None:
    """Which is why torch says nothing where the state stays behind."""
    config = "mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py"
    found = matched((OLD, config, NEW, config), families, target=False)
    shapes = [found.shapes[name] for name in found.old]
    assert all(shapes[new] == shapes[old] for old, new in enumerate(permutation(found)))


def test_the_new_state_dict_has_the_order_of_the_rules(pair: Pair, families: dict[str, RuleSet]) -> None:
    old_release, old_config, new_release, new_config = pair
    family = family_of(old_config)
    source, wanted = layout(old_release, old_config), layout(new_release, new_config)
    plan = make_plan(source, families[family])
    assert reorder(plan.targets.values(), families[family].order) == wanted.names
    assert tuple(new_order(source.names, family)) == wanted.names


def test_buffers_are_told_by_their_names_in_every_layout() -> None:
    """All 820, of whatever model; tied parameters count once, by the name that comes first."""
    assert len(all_names()) == 820
    tied = 0
    for name, keys in all_names().items():
        later = {key for group in tables.ties(name) for key in group[1:]}
        tied += bool(later)
        ours = [key for key in keys if not is_buffer(key) and key not in later]
        assert ours == tables.parameters(name), name
    assert tied > 0
