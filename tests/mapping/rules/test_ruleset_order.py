"""Names in the order in which the new release registers its modules."""

from __future__ import annotations

from itertools import permutations

import pytest

from mm_ckpt_migrate.mapping.rules.order import reorder
from mm_ckpt_migrate.mapping.rules.pattern import compile_pattern
from mm_ckpt_migrate.mapping.rules.ruleset import ModuleOrder

NAMES = ("a.1.w", "b.x", "a.0.w", "c.l.0.y.w", "c.l.0.x.w", "c.l.1.y.w", "c.l.1.x.w", "d")


def order(layers: str | None, *children: str) -> ModuleOrder:
    return ModuleOrder(compile_pattern(layers, {}) if layers else None, children)


def test_without_an_order_nothing_moves() -> None:
    assert reorder(NAMES, ()) == NAMES
    assert reorder((), [order(None, "a")]) == ()
    assert reorder(iter(NAMES), [order("z.{i}", "w")]) == NAMES


def test_the_children_of_the_model_itself() -> None:
    """Inside of each child all stays as it was."""
    found = reorder(NAMES, [order(None, "d", "c", "b", "a")])
    assert found == ("d", *NAMES[3:7], "b.x", "a.1.w", "a.0.w")


def test_children_that_are_not_named_stay_in_front() -> None:
    assert reorder(NAMES, [order(None, "c", "b")]) == ("a.1.w", "a.0.w", "d", *NAMES[3:7], "b.x")


def test_a_named_child_that_is_not_there_means_nothing() -> None:
    orders = [order(None, "gone", "d", "c", "also_gone", "b", "a")]
    assert reorder(NAMES, orders) == reorder(NAMES, [order(None, "d", "c", "b", "a")])


def test_the_children_of_each_layer_stay_in_their_layer() -> None:
    found = reorder(NAMES, [order("c.l.{i}", "x", "y")])
    assert found == (*NAMES[:3], "c.l.0.x.w", "c.l.0.y.w", "c.l.1.x.w", "c.l.1.y.w", "d")


@pytest.mark.parametrize("number", range(6))
def test_an_order_inside_of_an_order(number: int) -> None:
    """Which one is stated first means nothing."""
    orders = [order(None, "d", "c", "a", "b"), order("c.l.{i}", "x", "y"), order("a", "0", "1")]
    shuffled = list(permutations(orders))[number]
    names = ("b.x", "a.1.w", "a.0.w", *NAMES[3:])
    assert reorder(names, shuffled) == (
        "d",
        "c.l.0.x.w",
        "c.l.0.y.w",
        "c.l.1.x.w",
        "c.l.1.y.w",
        "a.0.w",
        "a.1.w",
        "b.x",
    )


def test_module_paths_stand_before_what_is_in_them() -> None:
    paths = ("", "a", "a.1", "a.0", "b", "c", "c.l", "c.l.0", "c.l.0.y", "c.l.0.x")
    found = reorder(paths, [order(None, "c", "b", "a"), order("c.l.{i}", "x", "y")])
    assert found == ("", "c", "c.l", "c.l.0", "c.l.0.x", "c.l.0.y", "b", "a", "a.1", "a.0")


def test_nothing_is_lost_or_doubled() -> None:
    found = reorder(NAMES, [order(None, "d", "a"), order("c.l.{i}", "y")])
    assert sorted(found) == sorted(NAMES)


def test_to_order_again_changes_nothing() -> None:
    orders = [order(None, "d", "c", "b", "a"), order("c.l.{i}", "x", "y")]
    once = reorder(NAMES, orders)
    assert reorder(once, orders) == once != NAMES


def test_a_layer_in_two_pieces_comes_together_in_its_parent() -> None:
    """As where a tied tensor stands first under another module."""
    names = ("b.0.y", "a.w", "b.0.x")
    orders = [order(None, "a", "b"), order("b.{i}", "x", "y")]
    assert reorder(names, orders) == ("a.w", "b.0.x", "b.0.y")


def test_a_segment_is_a_whole_one() -> None:
    names = ("bb.w", "b.w", "ab.w", "a.w")
    assert reorder(names, [order(None, "a", "b")]) == ("bb.w", "ab.w", "a.w", "b.w")
