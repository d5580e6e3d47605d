"""Makes an mmcv without compiled operators importable: `install()` before mmdet or mmseg."""

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NoReturn

NAME = "mmcv._ext"


class _Ext(ModuleType):
    """Any attribute is an operator, and every operator raises when it is called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def operator(*args: object, **kwargs: object) -> NoReturn:
            raise NotImplementedError(f"mmcv operator {name} is not compiled here")

        return operator


def install() -> None:
    """Put the stub in place, unless a compiled mmcv is there."""
    if NAME in sys.modules or find_spec(NAME) is not None:
        return
    module = _Ext(NAME)
    module.__spec__ = ModuleSpec(NAME, None)
    sys.modules[NAME] = module
