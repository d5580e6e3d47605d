"""Scan the installed release, and write which of its registered names may be built from a config.

    python tools/classes/scan.py [FOLDER]

One file a package and release, into the package's own folder unless another is named. A line is

    SCOPE REGISTRY NAME MODULE [SETTING=LIMIT ...]      or, where it is not cleared, ... REFUSED

with `-` for the scope of a name that only the path of its class ends in (`torch.nn.BatchNorm2d`).

A name is cleared where neither its constructor, nor any other method of what a model or an
evaluation computes with, comes to anything of `leaves.SINKS`, beside what `reviewed` has looked at.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import installed
import reach
import reviewed
from leaves import OURS

from mm_ckpt_migrate.releases.allowed.classes import FOLDER, PATH, REFUSED

TRAINED = ("model", "task_util")
"""Registries of what a model is made of."""

COMPUTING = (*TRAINED, "weight_initializer", "dataset", "transform", "metric", "data_sampler")
"""Registries of what computes: the methods are walked through, too.

Evaluators and loops call the methods of these alone.
"""

LISTED = (
    *TRAINED,
    "weight_initializer",
    "optim_wrapper",
    "optimizer",
    "optimizer_wrapper_constructor",
    "parameter_scheduler",
    "dataset",
    "transform",
    "metric",
    "evaluator",
    "data_sampler",
    "function",
    "loop",
)

GUESTS = ("mmcls", "mmpretrain")
"""Packages of which our models take parts, and nothing besides."""

STAND_IN = "mmpretrain.utils.dependency"
"""Of a class that needs a package which is missing here; nothing is known of the class."""

_DISTRIBUTIONS = {"mmcv": ("mmcv", "mmcv-lite"), "mmseg": ("mmsegmentation",)}


def rows() -> dict[str, list[str]]:
    """The lines of each package, sorted."""
    installed.import_all()
    walk = reach.Walk()
    found: dict[str, set[str]] = defaultdict(set)
    for scope, registry, name, thing in installed.registered():
        module = str(thing.__module__)
        package = module.partition(".")[0]
        wanted = TRAINED if package in GUESTS else LISTED
        if registry in wanted and package in (*OURS, "torch"):
            limits = judge(walk, registry, thing)
            words = [f"{key}={value}" for key, value in sorted((limits or {}).items())]
            rest = words if limits is not None else [REFUSED]
            for home, known_as in {
                (scope, name),
                (PATH if name != thing.__name__ else scope, thing.__name__),
            }:
                line = (home, registry, known_as, module, *rest)
                found[package].add(" ".join(line))
    for registry, names in reviewed.WORDS.items():
        found["mmcv"] |= {f"mmengine {registry} {name} mmcv.ops" for name in names}
    return {package: sorted(lines) for package, lines in found.items()}


def judge(walk: reach.Walk, registry: str, thing: Any) -> dict[str, str] | None:
    """What its settings must not be; None where it is not cleared."""
    if thing.__module__ == STAND_IN:
        return None
    roots = reach.constructor(thing)
    if registry in COMPUTING:
        roots = [*roots, *reach.every_method(thing)]
    limits: dict[str, str] = {}
    for finding in walk.findings(roots):
        known = reviewed.REVIEWED.get((finding.where, finding.sink))
        if known is None:
            return None
        limits.update(known)
    return limits


def version(package: str) -> str:
    """The installed release of a package."""
    for name in _DISTRIBUTIONS.get(package, (package,)):
        try:
            return metadata.version(name).partition("+")[0]
        except metadata.PackageNotFoundError:
            continue
    return "unknown"


def main(arguments: Iterable[str]) -> int:
    folder = Path(next(iter(arguments), FOLDER))
    folder.mkdir(exist_ok=True)
    for package, lines in rows().items():
        path = folder / f"{package}-{version(package)}.txt"
        path.write_text("".join(f"{line}\n" for line in lines))
        refused = sum(line.endswith(REFUSED) for line in lines)
        told = f"{path.name}: {len(lines) - refused} cleared, {refused} refused"
        sys.stdout.write(f"{told}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
