"""Configs that try to run something: the interpreter's own audit events say that none did."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mm_ckpt_migrate.configs.read.config import read_config

HOSTILE = {
    "system": "import os\nos.system('touch ran')",
    "dunder_import": "x = __import__('os').system('touch ran')",
    "open": "x = open('ran', 'w')",
    "eval": 'x = eval(\'open("ran", "w")\')',
    "exec": 'exec(\'open("ran", "w")\')',
    "builtins": "x = __builtins__['open']('ran', 'w')",
    "subclasses": "x = ().__class__.__base__.__subclasses__()",
    "globals": "x = (lambda: 0).__globals__",
    "lambda": "x = (lambda: open('ran', 'w'))()",
    "decorator": "@open\ndef ran(): pass",
    "default": "def f(x=open('ran', 'w')): pass",
    "class": "class A:\n    x = open('ran', 'w')",
    "with": "with open('ran', 'w'): pass",
    "comprehension": "x = [open('ran', 'w') for i in [1]]",
    "f_string": 'x = f\'{open("ran", "w")}\'',
    "f_string_attribute": "x = f'{dict.__class__}'",
    "format": "x = '{0.__class__}'.format(dict)",
    "percent": "x = '%(a)s' % {'a': open('ran', 'w')}",
    "base": "_base_ = open('ran', 'w').name",
    "base_call": "_base_ = [__import__('os').getcwd()]",
    "method": "x = dict().__setitem__",
    "shadowed": "dict = 1\nx = dict(a=open('ran', 'w'))",
    "annotation": "x: open('ran', 'w') = 1",
    "custom_imports": "custom_imports = dict(imports=['antigravity'])",
    "type_path": "model = dict(type='os.system')",
    "environment": "x = '{{$HOME:a}}'",
}
# Only these two are configs, and hold nothing but text.
READ = {"annotation", "custom_imports", "type_path"}

# Reads every config named in argv after one warm-up, and reports the audit events meanwhile.
_WATCHER = """
import json, sys
from pathlib import Path
from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.errors import ConfigError

events, outcome = [], {}
watching = False

def watch(event, args):
    if watching:
        events.append((event, str(args[0]) if args else ""))

sys.addaudithook(watch)
read_config(Path(sys.argv[1]))
modules = set(sys.modules)
for name in sys.argv[2:]:
    watching = True
    try:
        read_config(Path(name))
        outcome[Path(name).stem] = "read"
    except ConfigError:
        outcome[Path(name).stem] = "refused"
    watching = False
print(json.dumps([events, outcome, sorted(set(sys.modules) - modules)]))
"""


def test_nothing_is_executed_imported_or_opened(tmp_path: Path) -> None:
    benign = tmp_path / "benign.py"
    benign.write_text("a = 1")
    paths = []
    for name, text in HOSTILE.items():
        (tmp_path / f"{name}.py").write_text(text)
        paths.append(str(tmp_path / f"{name}.py"))
    done = subprocess.run(
        [sys.executable, "-c", _WATCHER, str(benign), *paths],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    events, outcome, modules = json.loads(done.stdout)
    # Parsing raises `compile` with the text; nothing ever raises `exec`.
    assert {event for event, _ in events} <= {"open", "compile"}
    opened = {argument for event, argument in events if event == "open"}
    # A file is opened by its path, then wrapped by its descriptor.
    assert {argument for argument in opened if not argument.isdecimal()} == set(paths)
    assert modules == []
    assert not (tmp_path / "ran").exists()
    assert outcome == {name: "read" if name in READ else "refused" for name in HOSTILE}
    assert done.stderr == ""


def test_the_watcher_would_notice(tmp_path: Path) -> None:
    script = "import sys\nseen = []\nsys.addaudithook(lambda e, a: seen.append(e))\nexec('1')\n"
    done = subprocess.run(
        [sys.executable, "-c", script + "print('exec' in seen)"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"


@pytest.mark.parametrize("name", sorted(READ))
def test_what_looks_hostile_but_is_text(write, name: str) -> None:
    assert read_config(write(a__py=HOSTILE[name]))


def test_neither_torch_nor_yaml_is_imported_for_a_python_config(write) -> None:
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from mm_ckpt_migrate.configs.read.config import read_config\n"
        "import mm_ckpt_migrate.configs.read.find\n"
        "read_config(Path(sys.argv[1]))\n"
        "print([m for m in ('torch', 'yaml', 'mmengine', 'pydantic', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(write(a__py="a = 1"))],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
