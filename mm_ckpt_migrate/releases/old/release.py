"""The releases from before the refactoring of DETR-like models, and lock files to install them by.

mmdet 3.0.0rc6 and mmsegmentation 1.0.0rc5 were the first with the new modules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.errors import MissingSoftwareError

DEFAULT: Final = "mmseg-1.0.0rc4"

# The first release of each package with the new modules, and how messages call those before it.
# A final release counts as a late release candidate.
_FINAL: Final = 1000
_FIRST_NEW: Final = {
    "mmseg": ((1, 0, 0, 5), "mmsegmentation 1.0.0rc0 to 1.0.0rc4"),
    "mmdet": ((3, 0, 0, 6), "mmdet 3.0.0rc0 to 3.0.0rc5"),
}


@dataclass(frozen=True, slots=True)
class Lock:
    """The packages of an old release, each with its version.

    Attributes:
        torch: torch's own line.
        needed: lines of all other packages that are no part of OpenMMLab.
        openmmlab: lines of the release's own packages.
    """

    path: Path
    torch: str
    needed: tuple[str, ...]
    openmmlab: tuple[str, ...]


def lock_names() -> tuple[str, ...]:
    """The old releases that an environment can be made of."""
    files = sorted(Path(__file__).parent.glob("lock-*.txt"))
    return tuple(path.stem.removeprefix("lock-") for path in files)


def lock_named(name: str) -> Lock:
    """Read a lock file.

    Raises:
        MissingSoftwareError: there is none of that name.
    """
    if name not in lock_names():
        raise MissingSoftwareError(
            f"there is no old release named {name!r}", hint=f"There is {', '.join(lock_names())}."
        )
    path = Path(__file__).parent / f"lock-{name}.txt"
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    packages = [line for line in lines if line and not line.startswith("#")]
    return Lock(
        path,
        next(line for line in packages if line.startswith("torch==")),
        tuple(line for line in packages if not line.startswith(("torch==", "mm"))),
        tuple(line for line in packages if line.startswith("mm")),
    )


def check_old(versions: Mapping[str, str], python: Path) -> None:
    """Make sure that a Python has releases from before the refactoring.

    Raises:
        MissingSoftwareError: a package is of another release.
    """
    wanted = " and ".join(text for _, text in _FIRST_NEW.values())
    for package, (first_new, _) in _FIRST_NEW.items():
        found = _numbers(versions.get(package, ""))
        if found is None or not (first_new[0], 0, 0, 0) <= found < first_new:
            raise MissingSoftwareError(
                f"{python} has {package} {versions.get(package, '(none)')}, not an old release; {wanted} are",
                hint="`mm-ckpt-migrate legacy create` makes an environment with one.",
            )


def _numbers(version: str) -> tuple[int, int, int, int] | None:
    match = re.match(r"(\d+)\.(\d+)\.(\d+)(?:rc(\d+))?", version)
    if match is None:
        return None
    major, minor, patch, candidate = match.groups()
    return int(major), int(minor), int(patch), int(candidate) if candidate else _FINAL
