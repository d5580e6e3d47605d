"""Classes with something that the scan must see, each in another way, and some with nothing.

Run as a program it prints what the scan says: a JSON object, name to whether it is cleared.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from functools import partial
from os import path, popen
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

try:
    import no_such_package
except ImportError:
    no_such_package = None


def helper(text: Any) -> Any:
    return eval(text)


def loader(file: Any) -> Any:
    return torch.load(file)


TABLE = {"plain": len, "evil": helper}


class BadEval:
    def __init__(self, mode: str = "1") -> None:
        self.mode = eval(mode)


class BadHelper:
    def __init__(self, mode: str) -> None:
        self.mode = helper(mode)


class BadInLambda:
    def __init__(self, mode: str) -> None:
        self.mode = list(map(lambda text: exec(text), [mode]))  # noqa: C417, PLW0108


class BadPartial:
    def __init__(self, mode: str) -> None:
        self.call = partial(helper, mode)


class BadDefault:
    def __init__(self, call: Any = helper) -> None:
        self.call = call("1")


class BadTable:
    def __init__(self, name: str) -> None:
        self.value = TABLE[name](name)


class BadMethod:
    def __init__(self, file: str) -> None:
        self._fill(file)

    def _fill(self, file: str) -> None:
        self.value = np.load(file)


class GoodOverride(BadMethod):
    """It inherits the constructor, and what that calls is its own."""

    def _fill(self, file: str) -> None:
        self.value = file


class BadGrandchild(GoodOverride):
    def _fill(self, file: str) -> None:
        super()._fill(file)
        open(file).close()


class BadProperty:
    def __init__(self, file: str) -> None:
        self.file = file
        self.size = len(self.content)

    @property
    def content(self) -> Any:
        return Config.fromfile(self.file)


class BadNew:
    def __new__(cls, file: str) -> Any:
        return loader(file)


class BadMeta(type):
    def __call__(cls, *args: Any) -> Any:
        return subprocess.run(args, check=False)


class BadByMeta(metaclass=BadMeta):
    pass


class BadLater:
    """Nothing in the constructor, but in what a model is asked to do."""

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def forward(self) -> Any:
        return helper(self.mode)


class BadUnknownObject:
    def __init__(self, other: Any) -> None:
        other.content_of_a_canary()


class Another:
    def content_of_a_canary(self) -> Any:
        return popen("id")


class BadGetattr:
    def __init__(self, name: str) -> None:
        self.value = getattr(torch, name)()


class BadLocalImport:
    def __init__(self, name: str) -> None:
        from importlib import import_module as fetch

        self.value = fetch(name)


class BadMissing:
    def __init__(self, name: str) -> None:
        self.value = no_such_package.make(name)


class BadBuiltins:
    def __init__(self, name: str) -> None:
        self.value = __builtins__[name] if isinstance(__builtins__, dict) else vars(name)


class GoodPlain(torch.nn.Module):
    def __init__(self, channels: int, name: str = "") -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(channels, channels, 1)
        self.name = path.join("a", name)
        self.eval()


class GoodChild(GoodPlain):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.values = [v for v in (1, 2) if v]


def _verdicts() -> dict[str, bool]:
    import installed
    import reach
    import scan

    installed.import_all()
    name = "mmseg.canaries"
    spec = importlib.util.spec_from_file_location(name, __file__)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    walk = reach.Walk()
    return {
        key: scan.judge(walk, "model", thing) is not None
        for key, thing in vars(module).items()
        if key.startswith(("Bad", "Good"))
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_verdicts()))
