"""Looking values up, and setting them from options."""

from __future__ import annotations

import pytest

from mm_ckpt_migrate.configs.read.merge import override
from mm_ckpt_migrate.configs.values import lookup
from mm_ckpt_migrate.errors import ConfigError

CONFIG = {"model": {"head": {"layers": [{"type": "A"}, {"type": "B"}], "shape": (3, 4)}}, "x": None}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model.head.layers.1.type", "B"),
        ("model.head.shape", (3, 4)),
        ("model.head.shape.0", 3),
        ("x", None),
        ("x.y", None),
        ("model.nothing.head", None),
        ("model.head.layers.2", None),
        ("model.head.layers.-1", None),
        ("model.head.layers." + "9" * 5000, None),
        ("model.head.layers.type", None),
        ("", None),
    ],
)
def test_lookup(path: str, value: object) -> None:
    assert lookup(CONFIG, path) == value


@pytest.mark.parametrize(
    ("path", "new", "value"),
    [
        ("model.head.layers.1.type", "C", "C"),
        ("model.head.layers.0", {"depth": 2}, {"type": "A", "depth": 2}),
        ("model.head.layers.0", {"_delete_": True, "depth": 2}, {"depth": 2}),
        ("model.head.layers", [1], [1]),
        ("model.neck.type", "N", "N"),
        ("y", 1, 1),
        ("x", 2, 2),
    ],
)
def test_override(path: str, new: object, value: object) -> None:
    changed = override(CONFIG, {path: new})
    assert lookup(changed, path) == value
    assert lookup(changed, "model.head.shape") == (3, 4)
    assert lookup(CONFIG, "model.head.layers.1.type") == "B"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("model.head.layers.2.type", "there is no '2' in a list"),
        ("model.head.layers.first", "there is no 'first' in a list"),
        ("model.head.shape.0", "there is no '0' in a tuple"),
        ("x.y", "there is no 'y' in a NoneType"),
    ],
)
def test_refused_override(path: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(CONFIG, {path: 1})
    assert str(caught.value) == f"{path}: {reason}"
