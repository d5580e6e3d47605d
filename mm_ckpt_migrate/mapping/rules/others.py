"""Files that are not of any family: by their keys, and by what they say of who wrote them."""

from __future__ import annotations

from dataclasses import dataclass

from mm_ckpt_migrate.mapping.rules.pattern import Pattern


@dataclass(frozen=True, slots=True)
class Lookalike:
    """A file that looks like one of ours and is not."""

    name: str
    present: tuple[Pattern, ...]
    advice: str


@dataclass(frozen=True, slots=True)
class Project:
    """A project that wrote files, or its releases before another, by what they say of themselves.

    Attributes:
        packages: what stands before `_version` in `meta`, and as `default_scope` in configs.
        below: the major release from which on files are not meant, or None.
        models: `type` of models that mmdet and mmsegmentation have not.
        advice: what leads on.
    """

    name: str
    packages: tuple[str, ...]
    below: int | None
    models: tuple[str, ...]
    advice: str
