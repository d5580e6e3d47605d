"""The plan: a concrete table, old name to new name, decided before anything is written.

A plan is total (every key of the source is in it), injective (no two keys share a new name),
unambiguous (one best rule per key) and alive (every rule that is not optional fires); `covering`
against a target model is checked by `compare_layouts`. Its inverse is the table read backwards.
"""

from mm_ckpt_migrate.mapping.plan.algebra import (
    averaged_table,
    compare_layouts,
    compose,
    fit_modules,
    invert,
    migrated_schema,
    without_dropped,
)
from mm_ckpt_migrate.mapping.plan.make import keep_all, make_plan
from mm_ckpt_migrate.mapping.plan.plan import ModuleMove, Move, Plan, plan_from_json

__all__ = [
    "ModuleMove",
    "Move",
    "Plan",
    "averaged_table",
    "compare_layouts",
    "compose",
    "fit_modules",
    "invert",
    "keep_all",
    "make_plan",
    "migrated_schema",
    "plan_from_json",
    "without_dropped",
]
