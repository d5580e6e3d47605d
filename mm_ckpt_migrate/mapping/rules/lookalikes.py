"""`Lookalike` and `Project`: files of no family, known by their keys or by who they say wrote them."""

from __future__ import annotations

from dataclasses import dataclass

from mm_ckpt_migrate.mapping.rules.pattern import Pattern


@dataclass(frozen=True, slots=True)
class Lookalike:
    """Files of another project or generation, known by their keys.

    Attributes:
        present: each must match some key.
        advice: what to do with such a file.
    """

    name: str
    present: tuple[Pattern, ...]
    advice: str


@dataclass(frozen=True, slots=True)
class Project:
    """A project that wrote files, or its releases before another, by what they say of themselves.

    Attributes:
        packages: what stands before `_version` in `meta`, and in `default_scope` of configs.
        below: only files of major releases before this one are meant; None for all.
        models: `type` of models that mmdet and mmsegmentation have not.
        advice: what to do with such a file.
    """

    name: str
    packages: tuple[str, ...]
    below: int | None
    models: tuple[str, ...]
    advice: str
