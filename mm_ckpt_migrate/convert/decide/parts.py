"""What no target model tells of, where none is built: parts and names that nobody knows."""

from __future__ import annotations

from itertools import chain, islice
from typing import Final

from mm_ckpt_migrate.convert.decide.family import Choice
from mm_ckpt_migrate.errors import FamilyError
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.mapping.plan import Plan
from mm_ckpt_migrate.mapping.rules.detect import Layout, lookalike_with
from mm_ckpt_migrate.mapping.rules.library import Library
from mm_ckpt_migrate.names import fold, safe_text

_SHOWN: Final = 3


def check_parts(checkpoint: Checkpoint, choice: Choice, plan: Plan, library: Library) -> None:
    """Refuse parts that no rule is about; raises FamilyError."""
    unknown = choice.rules.unknown(plan.targets.values()) if choice.layout is Layout.OLD else ()
    if not unknown:
        return
    family, path = choice.rules.family, checkpoint.source.path
    lookalike = lookalike_with(checkpoint.schema.names, unknown, library.lookalikes)
    if lookalike:
        raise FamilyError(f"{path}: this is {lookalike.name}, not {family}", hint=lookalike.advice)
    raise FamilyError(
        f"{path}: no rule of {family} knows {safe_text(', '.join(fold(unknown)[:5]), 500)}",
        hint=f"A {family} model has no such part. Where yours has, give its config (CFG) and "
        "leave --no-build out: a model of exactly these names settles it.",
    )


def unshipped_names(choice: Choice, plan: Plan) -> tuple[str, ...]:
    """A sentence of the new names that no model of the current releases has, or none.

    They are in parts that the family has, but may be of a model that was changed there.
    """
    if choice.layout is not Layout.OLD:
        return ()
    # Not at the top: the table of layouts takes a while to load.
    from mm_ckpt_migrate.identify.layouts.outline import outlined
    from mm_ckpt_migrate.identify.layouts.table import load_table
    from mm_ckpt_migrate.identify.layouts.vocabulary import current_vocabulary

    vocabulary = current_vocabulary(load_table())
    alike: dict[str, list[str]] = {}
    for name in plan.targets.values():
        alike.setdefault(outlined(name), []).append(name)
    # No further than is shown: a hostile file has 200,000 of them.
    odd = islice((names for o, names in alike.items() if not vocabulary.has_below([o])), _SHOWN + 1)
    shown = list(map(safe_text, chain.from_iterable(map(fold, odd))))
    if not shown:
        return ()
    more = " and others" if len(shown) > _SHOWN else ""
    return (
        f"no model that mmdet or mmseg ships has {', '.join(shown[:_SHOWN])}{more}: whether yours "
        "has, only its config can tell (give CFG, and leave --no-build out)",
    )
