"""What is called certain, likely, decided or undecided."""

from __future__ import annotations

from typing import Any

import pytest
from layout_pairs import derived, loaded, plan_of, schema

from mm_ckpt_migrate.derive.assignment import Level
from mm_ckpt_migrate.derive.match import assign
from mm_ckpt_migrate.schema import Schema, TensorSpec

# For the control: two tensors that could be exchanged, and stay.
STAY = {"stay.a.w": (99,), "stay.b.w": (99,)}


def levels(old: dict[str, tuple[int, ...]], new: dict[str, tuple[int, ...]]) -> dict[str, Level]:
    return {pair.old: pair.level for pair in assign(schema(old), schema(new)).pairs}


def test_shapes_alone_make_certain() -> None:
    assert levels({"a.w": (2, 3), "b.w": (4,)}, {"c.w": (4,), "d.w": (2, 3)}) == {
        "a.w": Level.CERTAIN,
        "b.w": Level.CERTAIN,
    }


def test_weight_and_bias_of_one_shape_go_by_name_and_are_not_certain() -> None:
    old, new = {"a.weight": (3,), "a.bias": (3,)}, {"b.bias": (3,), "b.weight": (3,)}
    assert set(levels(old, new).values()) == {Level.LIKELY}
    assert assign(schema(old), schema(new)).table == {"a.weight": "b.weight", "a.bias": "b.bias"}


def test_numbers_make_likely() -> None:
    old = {f"a.layers.{i}.w": (3,) for i in range(3)}
    new = {f"b.layers.{i}.w": (3,) for i in range(3)}
    assert set(levels(old, new).values()) == {Level.LIKELY}


def test_what_is_left_over_is_likely() -> None:
    old = {"a.x.w": (3,), "a.y.w": (3,)}
    new = {"b.x.w": (3,), "b.z.w": (3,)}
    found = assign(schema(old), schema(new))
    assert found.table == {"a.x.w": "b.x.w", "a.y.w": "b.z.w"}
    assert {pair.level for pair in found.pairs} == {Level.LIKELY}


@pytest.mark.parametrize(
    ("stays", "old", "new"),
    [
        ("a.x.w", "a.y.w", "a.z.w"),
        ("norms.0.w", "norms.1.w", "post_norm.w"),
        ("norm.w", "norms.1.w", "norms.2.w"),
        ("a.x.w", "b.y.w", "a.z.w"),
        ("w", "v", "u"),
    ],
)
def test_what_could_be_exchanged_with_one_that_stays_is_not_certain(stays: str, old: str, new: str) -> None:
    assert levels({stays: (3,), old: (3,)}, {stays: (3,), new: (3,)}) == {old: Level.LIKELY}


def test_what_stays_elsewhere_is_no_matter() -> None:
    old, new = {"a.b.w": (3,), "c.d.w": (3,)}, {"a.b.w": (3,), "e.f.w": (3,)}
    old, new = old | {"a.v": (1,), "c.v": (2,)}, new | {"a.v": (1,), "e.v": (2,)}
    assert levels(old, new)["c.d.w"] == Level.CERTAIN


@pytest.mark.parametrize(
    ("olds", "news"),
    [
        (("attentions.0", "attentions.1"), ("self_attn", "cross_attn")),
        (("conv_a", "conv_b"), ("proj_a", "proj_b")),
        (("query_proj", "key_proj"), ("proj_query", "proj_key")),
        (("x", "y", "z"), ("p", "q", "r")),
    ],
)
def test_similar_names_leave_it_undecided(olds: tuple[str, ...], news: tuple[str, ...]) -> None:
    old = {f"m.{name}.w": (3, 3) for name in olds}
    new = {f"n.{name}.w": (3, 3) for name in news}
    found = assign(schema(old), schema(new))
    assert {pair.level for pair in found.pairs} == {Level.UNDECIDED}
    [tie] = found.open_ties
    assert set(tie.olds) == {f"m.{name}" for name in olds}
    assert set(tie.news) == {f"n.{name}" for name in news}


def test_the_guess_follows_the_words_of_the_names() -> None:
    old = schema({"m.query_proj.w": (3, 3), "m.key_proj.w": (3, 3)})
    new = schema({"n.proj_key.w": (3, 3), "n.proj_query.w": (3, 3)})
    assert assign(old, new).table["m.query_proj.w"] == "n.proj_query.w"


def test_equal_names_in_modules_that_tie_stay_undecided() -> None:
    """Two branches of equal layers: the names inside are equal, and tell nothing of the branch."""
    old = {f"{branch}.{i}.w": (3,) for branch in ("a", "b") for i in range(2)}
    new = {f"{branch}.{i}.w": (3,) for branch in ("p", "q") for i in range(2)}
    assert set(levels(old, new).values()) == {Level.UNDECIDED}


def test_doubt_is_handed_down() -> None:
    """Inside a module that is a guess nothing is better than a guess."""
    old = {f"{m}.{part}": shape for m in "ab" for part, shape in (("w", (3, 2)), ("b", (3,)))}
    new = {f"{m}.{part}": shape for m in "pq" for part, shape in (("w", (3, 2)), ("b", (3,)))}
    assert set(levels(old, new).values()) == {Level.UNDECIDED}


def test_dtypes_count_as_shapes() -> None:
    old = Schema((TensorSpec("a.x", (3,), "float32"), TensorSpec("a.y", (3,), "int64")))
    new = Schema((TensorSpec("b.p", (3,), "int64"), TensorSpec("b.q", (3,), "float32")))
    assert assign(old, new).table == {"a.x": "b.q", "a.y": "b.p"}


@pytest.mark.parametrize("shape", [(2, 3), (3, 2, 1), (6,), ()])
def test_no_tensor_goes_where_another_shape_is(shape: tuple[int, ...]) -> None:
    found = assign(schema({"a.w": (3, 2)}), schema({"a.w": shape}))
    assert (found.lost, found.missing, found.pairs) == (("a.w",), ("a.w",), ())


def test_more_old_ones_than_new_are_all_named() -> None:
    old = {"m.conv_a.w": (3, 3), "m.conv_b.w": (3, 3)}
    found = assign(schema(old), schema({"n.conv.w": (3, 3)}))
    [tie] = found.open_ties
    assert {*tie.olds, *tie.spare} == {"m.conv_a", "m.conv_b"}
    assert len(found.lost) == 1


def test_the_text_says_how_sure_it_is() -> None:
    old = {"h.in.w": (5, 5), "h.layers.0.x.w": (3, 3), "h.layers.0.y.w": (3, 3), "h.n.w": (7,), "h.n.v": (7,)}
    new = {"in.w": (5, 5), "layers.0.p.w": (3, 3), "layers.0.q.w": (3, 3), "n.w": (7,), "n.v": (7,)}
    text = derived(schema(old | STAY), schema(new | STAY)).text
    assert '# certain: nothing else in its place has these shapes.\n  - from: "h.in' in text
    assert "# likely: tensors of one shape go by their own names." in text
    assert "# UNDECIDED: " in text
    assert "#   h.layers.0.x -> layers.0.p\n#   h.layers.0.y -> layers.0.q\n" in text
    assert "not proven" in text
    assert not [line for line in text.splitlines() if "proven" in line and "not" not in line]


ATTENTIONS = {f"h.dec.layers.{i}.attentions.{k}.w": (4, 4) for i in range(2) for k in range(2)}
ROLES = {f"dec.layers.{i}.{role}.w": (4, 4) for i in range(2) for role in ("self_attn", "cross_attn")}


def orders(layers: Any) -> Any:
    return {"model": {"h": {"dec": {"num_layers": 2, "blocks": layers}}}}


@pytest.mark.parametrize("first", ["self_attn", "cross_attn"])
def test_the_config_decides_whatever_its_settings_are_called(first: str) -> None:
    second = "cross_attn" if first == "self_attn" else "self_attn"
    config = orders({"operation_order": (first, "norm", second, "norm", "ffn")})
    old = schema(ATTENTIONS)
    found = derived(old, schema(ROLES), config)
    assert not found.assignment.open_ties
    targets = plan_of(found, old).targets
    assert targets["h.dec.layers.1.attentions.0.w"] == f"dec.layers.1.{first}.w"
    assert "decided" in found.text
    [role] = loaded(found).roles
    assert (role.layers.text, role.config.text) == ("h.dec.layers.{i}", "h.dec.blocks")


def test_layers_may_differ() -> None:
    config = orders(
        [{"operation_order": ["self_attn", "cross_attn"]}, {"operation_order": ["cross_attn", "self_attn"]}]
    )
    old = schema(ATTENTIONS)
    targets = plan_of(derived(old, schema(ROLES), config), old).targets
    assert targets["h.dec.layers.0.attentions.0.w"] == "dec.layers.0.self_attn.w"
    assert targets["h.dec.layers.1.attentions.0.w"] == "dec.layers.1.cross_attn.w"


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"model": None},
        {"model": {"h": {"dec": []}}},
        orders(None),
        orders([]),
        orders({"operation_order": None}),
        orders({"operation_order": ["self_attn"]}),
        orders({"operation_order": ["self_attn", "self_attn"]}),
        {
            "model": {
                "h": {
                    "dec": {
                        "a": {"operation_order": ["self_attn", "cross_attn"]},
                        "b": {"operation_order": ["cross_attn", "self_attn"]},
                    }
                }
            }
        },
    ],
)
def test_a_config_that_does_not_tell_decides_nothing(config: Any) -> None:
    assert derived(schema(ATTENTIONS), schema(ROLES), config).assignment.open_ties
