"""Inheritance: `_base_`, `_delete_`, values of the bases, and what goes wrong with them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mm_ckpt_migrate.configs.read import shipped
from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.configs.values import lookup
from mm_ckpt_migrate.errors import ConfigError

BASE = """
model = dict(type='M', head=dict(type='H', channels=[1, 2], norm=None), neck=dict(type='N'))
pipeline = [dict(type='Load'), dict(type='Flip', prob=0.5)]
root = 'data/'
"""

READ = [
    # A dict is merged, everything else replaces.
    (
        "model = dict(head=dict(channels=[3]))",
        {"model.head.channels": [3], "model.head.type": "H", "model.neck.type": "N"},
    ),
    ("model = dict(head=dict(_delete_=True, type='X'))", {"model.head": {"type": "X"}}),
    (
        "model = dict(head=dict(_delete_=False, type='X'))",
        {"model.head": {"type": "X", "channels": [1, 2], "norm": None}},
    ),
    (
        "model = dict(head=dict(_delete_=True, a=dict(_delete_=True, b=1)))",
        {"model.head": {"a": {"_delete_": True, "b": 1}}},
    ),
    ("model = dict(extra=dict(_delete_=True, b=1))", {"model.extra": {"_delete_": True, "b": 1}}),
    ("model = None", {"model": None}),
    ("pipeline = []", {"pipeline": []}),
    # The bases as values.
    ("a = _base_.model.head.channels + [_base_.pipeline[1].prob]", {"a": [1, 2, 0.5]}),
    ("a = _base_['root'] + 'x'", {"a": "data/x"}),
    ("a = _base_.get('root')", {"a": "data/"}),
    ("a = {{_base_.model.neck}}", {"a": {"type": "N"}}),
    ("a = dict(b=[{{ _base_.root }}])", {"a": {"b": ["data/"]}}),
    ("a = {{_base_.pipeline}}", {"a": [{"type": "Load"}, {"type": "Flip", "prob": 0.5}]}),
    ("# {{_base_.nothing}} here is a comment\na = 1", {"a": 1}),
    ("a = dict(**_base_.model.neck, b=1)", {"a": {"type": "N", "b": 1}}),
    # Changing the bases changes what is inherited.
    ("_base_.model.head.channels = 5", {"model.head.channels": 5}),
    ("_base_.pipeline.append(dict(type='Pad'))", {"pipeline.2.type": "Pad"}),
    ("_base_.pipeline[1]['prob'] = 1.0", {"pipeline.1.prob": 1.0}),
    ("_base_.pipeline[1].prob = 1.0", {"pipeline.1.prob": 1.0}),
    ("del _base_.model.neck", {"model.neck": None, "model.type": "M"}),
    ("_base_.model.head.pop('nothing')", {"model.head.type": "H"}),
    ("head = _base_.model.head\nhead.update(dict(type='X'))", {"head.type": "X", "model.head.type": "X"}),
    # `update` of an inherited dict merges; that of a dict made here replaces.
    ("_base_.model.update(head=dict(type='X'))", {"model.head.channels": [1, 2]}),
    ("m = dict(_base_.model)\nm.update(head=dict(type='X'))", {"m.head": {"type": "X"}}),
    ("m = _base_.model.copy()\nm.update(head=dict(type='X'))", {"m.head.channels": [1, 2]}),
    ("_deprecation_ = dict(expected='x')", {"_deprecation_": None}),
]

REFUSED = [
    ("model = dict(head=dict(norm=dict(type='BN')))", None, "'norm' is a dict here"),
    ("pipeline = dict(a=1)", None, "'pipeline' is a dict here, but a list"),
    ("a = _base_.nothing", 2, "the base configs have no 'nothing'"),
    ("a = _base_.root.nothing", 2, "the attribute 'nothing' of a str"),
    ("a = _base_.__class__", 2, "the attribute '__class__' of a BaseDict"),
    ("a = _base_.model.items", 2, "the attribute 'items' of a BaseDict"),
    ("_base_.model.__class__ = 1", 2, "the attribute '__class__' of a BaseDict"),
    ("a = {{_base_.nothing}}", None, "the base configs have no 'nothing'"),
    ("a = '{{_base_.root}}'", None, "between quotes"),
    ("a = 'x/{{_base_.root}}'", None, "between quotes"),
    ('a = "x/{{_base_.root}}"', 2, "not valid Python"),
    ("a = {{_base_.root}} + 'x'", None, "part of a sum"),
    ("a = {{_base_.model}}['type']", 2, "there is no element 'type' in this str"),
]


@pytest.fixture
def read(tmp_path: Path):
    def read_child(source: str):
        (tmp_path / "base.py").write_text(BASE)
        child = tmp_path / "child.py"
        child.write_text(f"_base_ = './base.py'\n{source}\n")
        return read_config(child)

    return read_child


@pytest.mark.parametrize(("source", "values"), READ)
def test_read(read, source: str, values: dict[str, object]) -> None:
    config = read(source)
    for path, value in values.items():
        assert lookup(config, path) == value, path


def test_keys_of_the_base_come_first(read) -> None:
    config = read("a = 1\nmodel = dict(zzz=1, head=dict(aaa=1, channels=[3]))")
    assert list(config) == ["model", "pipeline", "root", "a"]
    assert list(config["model"]) == ["type", "head", "neck", "zzz"]
    assert list(config["model"]["head"]) == ["type", "channels", "norm", "aaa"]


def test_deprecation_notes_are_dropped(read) -> None:
    assert "_deprecation_" not in read("_deprecation_ = dict(expected='x')")


@pytest.mark.parametrize(("source", "line", "reason"), REFUSED)
def test_refused(read, source: str, line: int | None, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(source)
    assert reason in caught.value.reason
    assert caught.value.line == line


def test_several_bases_in_folders(tmp_path: Path, write) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.py").write_text("_base_ = '../a.py'\nb = _base_.a + 1")
    child = write(a__py="a = 1", c__py="c = 3", d__py="_base_ = ['sub/b.py', 'c.py']")
    assert read_config(child) == {"a": 1, "b": 2, "c": 3}


def test_fault_in_a_base_names_the_base_and_hints_at_the_config_asked_for(write) -> None:
    child = write(a__py="x = 1\nimport os", b__py="_base_ = 'a.py'")
    with pytest.raises(ConfigError) as caught:
        read_config(child)
    assert str(caught.value.path).endswith("a.py")
    assert caught.value.line == 2
    assert f'Config.fromfile("{child}").dump("plain.py")' in caught.value.hint


@pytest.mark.parametrize(
    ("base", "reason"),
    [
        ("'missing.py'", "the base config 'missing.py' does not exist"),
        ("'../../../../../../etc/passwd'", "ends in .py"),
        ("'.'", "does not exist"),
        ("'http://example.org/x.py'", "a base config is a local file"),
        ("'a\\0.py'", "a base config is a local file"),
        ("('a.py',)", "_base_ holds a tuple"),
        ("[1]", "_base_ holds a int"),
        ("'os::a/b.py'", "not a package of OpenMMLab"),
        ("'mmdet::../../setup.py'", "mmdet"),
        ("'mmdet::a::b'", "not of the form package::folder/name.py"),
        ("open('x')", "a call of open() is not read"),
        ("_base_", "the name '_base_' is not assigned"),
        ("['a.py', 'a2.py']", "several base configs define 'a'"),
    ],
)
def test_refused_base(write, base: str, reason: str) -> None:
    child = write(a__py="a = 1", a2__py="a = 1", child__py=f"_base_ = {base}")
    with pytest.raises(ConfigError) as caught:
        read_config(child)
    assert reason in str(caught.value)


def test_a_config_that_inherits_from_itself(write) -> None:
    child = write(a__py="_base_ = 'b.py'", b__py="_base_ = 'a.py'")
    with pytest.raises(ConfigError, match="the config inherits from itself"):
        read_config(child)


def test_a_cycle_through_a_symlink(tmp_path: Path, write) -> None:
    (tmp_path / "b.py").symlink_to("a.py")
    with pytest.raises(ConfigError, match="the config inherits from itself"):
        read_config(write(a__py="_base_ = 'b.py'"))


@pytest.mark.parametrize("depth", [20, 21])
def test_depth_of_inheritance(write, depth: int) -> None:
    files = {f"c{i}__py": f"_base_ = 'c{i - 1}.py'" for i in range(1, depth + 1)}
    child = write(c0__py="a = 1", **files)
    if depth == 20:
        assert read_config(child) == {"a": 1}
    else:
        with pytest.raises(ConfigError, match="inherit more than 20 deep"):
            read_config(child)


def test_too_many_base_files(write) -> None:
    # Each level doubles the files to read; without a limit there would be 2^15 of them.
    files = {f"c{i}__py": f"_base_ = ['c{i - 1}.py', 'c{i - 1}.py']" for i in range(1, 16)}
    with pytest.raises(ConfigError, match="more than 200 base files"):
        read_config(write(c0__py="", **files))


def test_an_installed_package_as_base(tmp_path: Path, write, monkeypatch) -> None:
    configs = tmp_path / "mmdet" / ".mim" / "configs"
    configs.mkdir(parents=True)
    (configs / "a.py").write_text("model = dict(type='M', head=dict(type='H'))\nx = [dict(type=1)]")
    monkeypatch.setattr(shipped, "config_root", lambda package: configs)
    config = read_config(write(child__py="_base_ = 'mmdet::a.py'\nmodel = dict(y=1)"))
    assert config == {
        "model": {"type": "M", "head": {"type": "H"}, "_scope_": "mmdet", "y": 1},
        "x": [{"type": 1, "_scope_": "mmdet"}],
    }


def test_not_a_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.py")
    with pytest.raises(ConfigError, match="not a regular file"):
        read_config(tmp_path / "fifo.py")
    with pytest.raises(ConfigError, match="no such file"):
        read_config(tmp_path / "missing.py")
    with pytest.raises(ConfigError, match=r"ends in \.py"):
        read_config(tmp_path / "model.pth")
