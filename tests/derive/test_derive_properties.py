"""Any model whose modules got other names: what is derived is complete, and says what it says."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layout_pairs import derived, plan_of

from mm_ckpt_migrate.derive.assignment import Derivation, Level
from mm_ckpt_migrate.derive.generalise import make_rules, planned
from mm_ckpt_migrate.derive.match import assign
from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.schema import Schema, TensorSpec

SEGMENTS = st.sampled_from(["a", "b", "head", "conv", "attn", "self_attn", "0", "1", "2", "layers"])
LEAVES = st.sampled_from(["weight", "bias", "w", "running_mean"])
SHAPES = st.sampled_from([(2,), (3,), (2, 3), (3, 3), ()])
PATHS = st.lists(SEGMENTS, max_size=4).map(tuple)
KEYS = st.tuples(PATHS, LEAVES).map(lambda key: ".".join((*key[0], key[1])))
MODELS = st.dictionaries(KEYS, SHAPES, min_size=2, max_size=14)
# For the control, which needs two tensors that can be exchanged.
STAY = (TensorSpec("stay.x.w", (9, 9), "float32"), TensorSpec("stay.y.w", (9, 9), "float32"))


def layout(tensors: dict[str, tuple[int, ...]]) -> Schema:
    return Schema((*(TensorSpec(n, shape, "float32") for n, shape in tensors.items()), *STAY))


@st.composite
def renamed_models(draw: st.DrawFn) -> tuple[Schema, Schema]:
    """A model, and the same with segments renamed: each segment of a place alike for all below."""
    old = draw(MODELS)
    names = draw(st.dictionaries(SEGMENTS, SEGMENTS | st.just("x.y"), max_size=6))
    new: dict[str, tuple[int, ...]] = {}
    for key, shape in old.items():
        *path, leaf = key.split(".")
        target = ".".join((*(names.get(part, part) for part in path), leaf))
        while target in new:
            target = f"more.{target}"
        new[target] = shape
    order = draw(st.permutations(list(new)))
    return layout(old), layout({name: new[name] for name in order})


def found_or_refused(old: Schema, new: Schema) -> Derivation | None:
    """None where a rule file has no words for it: all names both old and new, or no wrong one."""
    try:
        return derived(old, new)
    except PlanError as error:
        if "no name is old alone" in error.message or "no wrong mapping" in error.message:
            return None
        raise


def shape_of(schema: Schema, name: str) -> tuple[object, ...]:
    return schema[name].shape, schema[name].dtype


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(renamed_models())
def test_a_renamed_model_is_assigned_completely(models: tuple[Schema, Schema]) -> None:
    old, new = models
    found = assign(old, new)
    assert found.covers
    assert sorted(found.table) == sorted(old.names)
    assert sorted(found.table.values()) == sorted(new.names)
    assert all(shape_of(old, one) == shape_of(new, other) for one, other in found.table.items())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(renamed_models())
def test_the_rules_say_what_was_assigned(models: tuple[Schema, Schema]) -> None:
    old, new = models
    found = assign(old, new)
    rules = make_rules(found)
    assert planned([(rule.source, rule.target) for rule in rules], old.names) == found.table
    derivation = found_or_refused(old, new)
    if derivation is not None and derivation.text:
        assert plan_of(derivation, old).targets == found.table


@settings(max_examples=100, deadline=None)
@given(MODELS, MODELS)
def test_shapes_are_never_bent(old: dict[str, tuple[int, ...]], new: dict[str, tuple[int, ...]]) -> None:
    one, other = layout(old), layout(new)
    found = assign(one, other)
    assert all(shape_of(one, p.old) == shape_of(other, p.new) for p in found.pairs)
    assert len({pair.new for pair in found.pairs}) == len(found.pairs)
    assert sorted((*found.kept, *found.lost, *(p.old for p in found.pairs))) == sorted(one.names)
    assert sorted((*found.kept, *found.missing, *(p.new for p in found.pairs))) == sorted(other.names)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(SEGMENTS, SHAPES), min_size=1, max_size=8, unique_by=lambda item: item[0]))
def test_in_a_flat_module_only_what_has_a_shape_alone_is_certain(
    children: list[tuple[str, tuple[int, ...]]],
) -> None:
    old = layout({f"m.{name}": shape for name, shape in children})
    new = layout({f"n.{name}x": shape for name, shape in children})
    counts = Counter(shape for _, shape in children)
    for pair in assign(old, new).pairs:
        alone = counts[old[pair.old].shape] == 1
        assert (pair.level is Level.CERTAIN) is alone
