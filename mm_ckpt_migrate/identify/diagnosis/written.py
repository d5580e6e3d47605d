"""Who wrote a checkpoint, by what it says of itself: the versions in `meta`, the config inside.

It may make a verdict more careful, never bolder: the keys decide, and a file may say anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mm_ckpt_migrate.configs.values import Config, ConfigValue
from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.mapping.rules.library import Library
from mm_ckpt_migrate.mapping.rules.lookalikes import Project
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.names import safe_text

# Names of packages by those that rule files have for their distributions.
_PACKAGES: Final = {"mmsegmentation": "mmseg", "mmdetection": "mmdet"}
# What the current releases are of.
SUPPORTED: Final = frozenset({"mmdet", "mmseg"})


@dataclass(frozen=True, slots=True)
class Written:
    """What a checkpoint says of the software that wrote it.

    Attributes:
        releases: packages with their versions, of `meta`.
        scope: the package whose model the config inside is of; empty where that is not said.
        scopes: all packages that a `type` in that model has before it.
        model: `type` of the model, with the package before it where it has one.
    """

    releases: tuple[tuple[str, str], ...] = ()
    scope: str = ""
    scopes: frozenset[str] = frozenset()
    model: str = ""

    @property
    def packages(self) -> frozenset[str]:
        """Those that it names as its own."""
        named = frozenset(package for package, _ in self.releases)
        return named | {self.scope} if self.scope else named


# What all of them are built upon, which tells nothing.
_BELOW: Final = ("mmcv", "mmengine")
UNSAID: Final = Written()


def written_by(checkpoint: Checkpoint, config: Config | None) -> Written:
    """Read it off a checkpoint.

    A backbone alone is anybody's, as all packages have the same: whoever wrote it, it says nothing.

    Args:
        config: the config inside, where it can be read.
    """
    if all(name.startswith("backbone.") for name in checkpoint.schema.names):
        return UNSAID
    releases = tuple(item for item in sorted(checkpoint.versions.items()) if item[0] not in _BELOW)
    model = config.get("model") if config else None
    if config is None or not isinstance(model, dict):
        return Written(releases)
    scopes = {_split(kind)[0] for kind in _kinds(model)}
    kind, default = str(model.get("type", "")), str(config.get("default_scope") or "")
    # Where every class has its package before it, the default is of no effect.
    decides = "" in scopes and default not in SUPPORTED
    scope = (default if decides else "") or _split(kind)[0] or default
    return Written(releases=releases, scope=scope, scopes=frozenset(scopes - {""}), model=kind)


def read_written(checkpoint: Checkpoint) -> Written:
    """What a checkpoint says of who wrote it, where nothing else is needed of its config."""
    return written_by(checkpoint, embedded_config(checkpoint)[0])


def embedded_config(checkpoint: Checkpoint) -> tuple[Config | None, str | None]:
    """The config inside a checkpoint, where there is one, or why it cannot be read."""
    if checkpoint.config is None:
        return None, None
    from mm_ckpt_migrate.configs.read.config import read_config_text  # where there is something to read

    try:
        return read_config_text(checkpoint.config, "the config inside the checkpoint"), None
    except ConfigError as error:
        return None, error.message


def _kinds(value: ConfigValue) -> Iterator[str]:
    """Every `type` in a model."""
    if isinstance(value, dict):
        kind = value.get("type")
        yield from (kind,) if isinstance(kind, str) else ()
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _kinds(item)


def _split(kind: str) -> tuple[str, str]:
    """The package before a type, or nothing, and the type."""
    package, _, name = kind.rpartition(".")
    return package, name


@dataclass(frozen=True, slots=True)
class Stranger:
    """Who wrote a file that is not what its keys look like.

    Attributes:
        name: of the project.
        evidence: where the file says so.
        advice: what leads on.
    """

    name: str
    evidence: str
    advice: str


def stranger(written: Written, library: Library, rules: RuleSet | None = None) -> Stranger | None:
    """Who else wrote it, where it was not written by what a family or the current releases are of.

    Args:
        rules: the family that its keys are of; None where they are the current release's.
    """
    found = _project_of(written, library.projects)
    if found is None and rules is not None:
        found = _model_of(written, library.families, rules)
    return found or _package_of(written, library.projects, rules)


def _project_of(written: Written, projects: Sequence[Project]) -> Stranger | None:
    """The project that wrote it, whatever else it names."""
    releases, (before, name) = dict(written.releases), _split(written.model)
    for project in projects:
        if project.below is not None and (said := _before(project, releases)):
            return Stranger(project.name, said, project.advice)
        if name in project.models and before not in SUPPORTED:
            return Stranger(project.name, _builds(name), project.advice)
    return None


def _model_of(written: Written, families: Sequence[RuleSet], rules: RuleSet) -> Stranger | None:
    """A model of another family, or one whose keys the family's might be some of."""
    _, name = _split(written.model)
    others = {*rules.not_models, *(model for family in families for model in family.models)}
    if name not in others.difference(rules.models):
        return None
    return Stranger(f"a training of {name}", _builds(name), "")


def _package_of(written: Written, projects: Sequence[Project], rules: RuleSet | None) -> Stranger | None:
    """A package that it names, where it names none of those that it should."""
    releases = dict(written.releases)
    ours = packages_of(rules, projects) if rules else SUPPORTED
    named = written.packages | (written.scopes if rules else frozenset())
    if not ours or named & ours:
        return None
    for package in sorted(named, key=lambda name: name not in releases):
        if package in SUPPORTED:
            return Stranger(package, _evidence(package, releases), "")
        for project in (p for p in projects if package in p.packages):
            return Stranger(project.name, _evidence(package, releases), project.advice)
    return None


def packages_of(rules: RuleSet, projects: Sequence[Project]) -> frozenset[str]:
    """The packages that a family's models are of, as its releases say."""
    known = SUPPORTED.union(*(project.packages for project in projects))
    words = re.findall(r"\w+", f"{rules.released_from} {rules.released_to}")
    return known & {_PACKAGES.get(word, word) for word in words}


def _before(project: Project, releases: Mapping[str, str]) -> str | None:
    """Where one of a project's packages is of an early release."""
    for package in project.packages:
        found = re.match(r"v?(\d+)", releases.get(package, ""))
        if found and int(found[1]) < (project.below or 0):
            return _evidence(package, releases)
    return None


def _builds(model: str) -> str:
    return f"the config inside builds {safe_text(model)}"


def _evidence(package: str, releases: Mapping[str, str]) -> str:
    if package in releases:
        return f"its meta has {package} {releases[package]}"
    return f"the config inside is of {safe_text(package)}"
