"""A printed config reads back as what was printed: here, and in mmengine, which runs it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.files import new_configs, old_configs

from mm_ckpt_migrate.configs.read.config import read_config, read_config_text
from mm_ckpt_migrate.configs.write.plain import UnwritableError, config_source, value_source

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**100), 2**100)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["{{ fileDirname }}", "{{$HOME}}", "{{ _base_.x }}", "a\\{{b", "'\"\n", "\0"])
)
keys = st.sampled_from(["type", "_delete_", "x", "class", "a.b", "", "dict", "ü", "{{x}}", "1"])
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=30,
)
names = st.sampled_from(["model", "_x", "optimizer", "crop_size", "list", "tuple", "x1"])
configs = st.dictionaries(names, values, max_size=4)


@given(configs)
@settings(max_examples=300)
def test_it_reads_back_as_it_was(config: Any) -> None:
    text = config_source(config)
    assert repr(read_config_text(text, "printed")) == repr(config)
    text.encode()


@given(values)
def test_a_value_on_one_line(value: Any) -> None:
    line = value_source(value)
    assert "\n" not in line
    assert repr(read_config_text(f"x = {line}", "printed")["x"]) == repr(value)


@pytest.mark.mm
@given(st.dictionaries(names, values, max_size=4))
@settings(max_examples=100, deadline=None)
def test_mmengine_gets_the_same(config: Any) -> None:
    pytest.importorskip("mmengine")
    from mmengine.config import Config

    loaded = Config.fromstring(config_source(config), ".py").to_dict()
    assert repr(loaded) == repr(config)


@pytest.mark.parametrize("path", [*old_configs(), *new_configs()], ids=lambda p: f"{p.parent.name}/{p.name}")
def test_genuine_configs(path: Path) -> None:
    config = read_config(path)
    text = config_source(config)
    assert repr(read_config_text(text, "printed")) == repr(config)
    assert max(map(len, text.splitlines())) < 200


def test_as_a_person_would_write_it() -> None:
    config: Any = {
        "scale": (512,),
        "model": {
            "type": "X",
            "norm": {"type": "GN", "num_groups": 8},
            "weights": [1.0] * 30,
            "keys": {"a.b": {"lr": 1e-05}, "c": {}},
            "steps": [{"type": "A"}, {"type": "B", "deep": {"x": (None, True)}}, 3],
        },
        "odd": [math.inf, -math.inf],
    }
    assert (
        config_source(config)
        == """\
scale = (512,)
model = dict(
    type='X',
    norm=dict(type='GN', num_groups=8),
    weights=[
        1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0,
        1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0,
    ],
    keys={
        'a.b': dict(lr=1e-05),
        'c': dict(),
    },
    steps=[
        dict(type='A'),
        dict(
            type='B',
            deep=dict(x=(None, True)),
        ),
        3,
    ],
)
odd = [float('inf'), float('-inf')]
"""
    )


@pytest.mark.parametrize(
    "config",
    [
        {"a b": 1},
        {"a.b": 1},
        {"class": 1},
        {"": 1},
        {"ü": 1},
        {"1": 1},
        {"dict": 1},
        {"float": 1},
        {"_base_": []},
        {"__x": 1},
        {"x": {1, 2}},
        {"x": b"1"},
        {"x": 1j},
        {"x": object()},
        {"x": {1: 2}},
        {"x": [print]},
        {"x": Path("x")},
    ],
)
def test_what_no_config_can_hold_is_refused(config: Any) -> None:
    with pytest.raises(UnwritableError):
        config_source(config)
