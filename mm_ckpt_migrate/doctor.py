"""`doctor`: is the OpenMMLab stack here, does it fit together, and what would mend it."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from mm_ckpt_migrate import __version__
from mm_ckpt_migrate.releases.current import cache
from mm_ckpt_migrate.releases.current.stack import installed

INSTALL: Final = "pip install 'mm-ckpt-migrate[mm]'"


@dataclass(frozen=True, slots=True)
class Part:
    """One package of the stack.

    Attributes:
        found: its version, or None where it is not installed.
        wanted: the releases that fit, in words.
        mend: the command that mends it; empty where nothing is wrong.
    """

    name: str
    found: str | None
    wanted: str
    mend: str

    @property
    def ok(self) -> bool:
        return not self.mend


@dataclass(frozen=True, slots=True)
class Health:
    """What `doctor` found.

    Attributes:
        compiled: whether mmcv has compiled operators; the target is built either way.
        notices: what is odd but harmless.
    """

    tool: str
    python: str
    parts: tuple[Part, ...]
    compiled: bool
    cache: str
    notices: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return all(part.ok for part in self.parts)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"ok": self.ok}


# Name, its distributions, the first release that fits and the first that does not.
_WANTED: Final = (
    ("torch", ("torch",), (2, 0), None),
    ("mmengine", ("mmengine", "mmengine-lite"), (0, 7, 4), (1,)),
    ("mmcv", ("mmcv", "mmcv-lite"), (2, 0, 0), (2, 2)),
    ("mmdet", ("mmdet",), (3, 0, 0), (4,)),
    ("mmsegmentation", ("mmsegmentation",), (1, 0, 0), (2,)),
)


def examine() -> Health:
    """Look at the installed distributions; nothing of the stack is imported."""
    versions = dict(installed().versions)
    parts = tuple(_part(versions, *wanted) for wanted in _WANTED)
    doubled = [name for name in ("mmcv", "mmcv-lite", "mmcv-full") if name in versions]
    notices = []
    if len(doubled) > 1:
        notices.append(f"{' and '.join(doubled)} are both installed and overwrite each other")
    return Health(
        tool=__version__,
        python=platform.python_version(),
        parts=parts,
        compiled="mmcv._ext" in versions,
        cache=os.fspath(cache.folder()),
        notices=tuple(notices),
    )


def _part(
    versions: Mapping[str, str],
    name: str,
    distributions: tuple[str, ...],
    low: tuple[int, ...],
    high: tuple[int, ...] | None,
) -> Part:
    found = next((d for d in distributions if d in versions), None)
    wanted = f">= {_dotted(low)}" + (f", < {_dotted(high)}" if high else "")
    if found is None:
        return Part(name, None, wanted, INSTALL)
    numbers = tuple(int(n) for n in re.findall(r"\d+", versions[found])[:3])
    fits = numbers >= low and (high is None or numbers < high)
    mend = "" if fits else f"pip install '{found}>={_dotted(low)}{_below(high)}'"
    return Part(found, versions[found], wanted, mend)


def _below(high: tuple[int, ...] | None) -> str:
    return f",<{_dotted(high)}" if high else ""


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
