"""Small texts that ask for gigabytes: refused at once, and without taking them first."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mm_ckpt_migrate.configs.read.config import read_config, read_config_text
from mm_ckpt_migrate.errors import ConfigError

BOMBS = [
    "'a' * 10 ** 9",
    "10 ** 9 * 'a'",
    "[0] * 10 ** 9",
    "(0,) * 10 ** 6",
    "9 ** 9 ** 9",
    "2 ** 129",
    "(2 ** 100) * (2 ** 100)",
    "-(2 ** 128)",
    "0x" + "f" * 1000,
    "range(10 ** 9)",
    "range(10 ** 30)",
    "len(range(10 ** 30))",
    "[i for i in range(10 ** 30)]",
    "[0 for i in range(5000) for j in range(5000)]",
    "{f'{i}.{j}': 0 for i in range(5000) for j in range(5000)}",
    "sum([1] * 10 ** 8)",
    "'%1000000000d' % 1",
    "'%.1000000000f' % 1",
    "'%*d' % (10 ** 9, 1)",
    "'%999d' * 5000 % (1,)",
    "('%(a)s' * 5000) % dict(a='x' * 5000)",
    "f'{1:>1000000000}'",
    "f'{1:>{10 ** 9}}'",
    "f'{1:.1000000000f}'",
    'f\'{"x" * 10 ** 6}{"x" * 10 ** 6}\'',
    "int('9' * 5000)",
    "[[0] * 1000] * 100000",
    "[[[0] * 1000] * 1000] * 1000",
    "dict(a=[['x'] * 1000] * 100000)",
]
PROGRAMS = [
    # Doubling, by every way to grow a value.
    "a = 'x'\n" + "a = a + a\n" * 40,
    "a = [0]\n" + "a = a + a\n" * 40,
    "a = [0]\n" + "a += a\n" * 40,
    "a = [0]\n" + "a.extend(a)\n" * 40,
    "a = (0,)\n" + "a = (*a, *a)\n" * 40,
    "a = 'x'\n" + "a = f'{a}{a}'\n" * 40,
    "a = 'x'\n" + "a = '%s%s' % (a, a)\n" * 40,
    "a = 2\n" + "a = a * a\n" * 40,
    # Sharing: each line is small, the tree is not.
    "a = [0]\n" + "a = [a, a]\n" * 40,
    "a = dict(x=0)\n" + "a = dict(x=a, y=a)\n" * 40,
    # Values that contain themselves.
    "a = []\na.append(a)",
    "a = dict()\na['a'] = a",
    "a = dict()\nb = dict(a=a)\na.update(b=b)",
    # Depth.
    "a = []\n" + "a = [a]\n" * 200,
    "a = " + "(" * 150 + "1" + ",)" * 150,
    "a = " + "-" * 150 + "1",
    "a = " + "1+" * 150 + "1",
    "a = " + "-" * 100_000 + "1",
    "a = " + "1+" * 100_000 + "1",
    "a = " + "[" * 100_000,
    "a = x" + ".a" * 100_000,
    "a = x" + "[0]" * 100_000,
    "a = [0 " + "for i in [0] " * 150 + "]",
    # Sheer length.
    "a = [" + "1," * 500_000 + "]",
    "a = 1\n" * 300_000,
]


# Reads each program of a JSON list, with no more memory than a gigabyte for everything.
_CONFINED = """
import json, resource, sys
from mm_ckpt_migrate.configs.read.config import read_config_text
from mm_ckpt_migrate.errors import ConfigError

resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
reasons = []
for text in json.load(sys.stdin):
    try:
        read_config_text(text, "dump")
    except ConfigError as error:
        reasons.append(error.message)
print(json.dumps(reasons))
"""


@pytest.mark.parametrize("source", BOMBS)
def test_expression(source: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config_text(f"x = {source}", "dump")
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("source", PROGRAMS, ids=range(len(PROGRAMS)))
def test_program(source: str) -> None:
    start = time.process_time()
    with pytest.raises(ConfigError) as caught:
        read_config_text(source, "dump")
    assert time.process_time() - start < 20
    assert len(caught.value.message) < 200


def test_no_bomb_takes_memory() -> None:
    texts = [f"x = {source}" for source in BOMBS] + PROGRAMS
    done = subprocess.run(
        [sys.executable, "-c", _CONFINED],
        input=json.dumps(texts),
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(json.loads(done.stdout)) == len(texts)


@pytest.mark.parametrize(
    "change",
    [
        "_base_.m.x = a",
        "_base_.m.update(x=a)",
        "_base_.m.update(dict(x=dict(x=a)))",
        "_base_.m.x = _base_.m\n_base_.m.update(dict(x=_base_.m))",
        "b = dict()\nb['m'] = b\n_base_.m.m = _base_.m\n_base_.m.update(b)",
        "_base_.l.append(_base_.l)",
    ],
)
def test_bombs_in_the_bases(write, change: str) -> None:
    bomb = "a = [0]\n" + "a = [a, a]\n" * 40
    child = write(base__py="m = dict()\nl = []", child__py=f"_base_ = 'base.py'\n{bomb}{change}")
    with pytest.raises(ConfigError, match=r"steps|nested"):
        read_config(child)


def test_the_budget_has_no_hint_to_run_the_config() -> None:
    with pytest.raises(ConfigError) as caught:
        read_config_text("x = 'a' * 10 ** 9", "dump")
    assert caught.value.hint == ""


def test_file_size(write) -> None:
    assert read_config(write(a__py="#" * (1 << 20))) == {}
    with pytest.raises(ConfigError, match="larger than 1,048,576 bytes"):
        read_config(write(a__py="#" * ((1 << 20) + 1)))
    with pytest.raises(ConfigError, match="larger than 1,048,576 bytes"):
        read_config_text("#" * ((1 << 20) + 1), "dump")


def test_what_genuine_configs_need_fits() -> None:
    classes = tuple(f"class {i}" for i in range(13_204))
    text = f"metainfo = dict(classes={classes!r}, palette=[(0, 0, 0)] * {len(classes)})"
    assert read_config_text(text, "dump")["metainfo"]["classes"] == classes
