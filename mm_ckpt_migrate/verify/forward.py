"""Forward: the new code with the new file gives the raw outputs that the old code gave.

The comparison first shows that it can fail: with the family's control, the wrong mapping that
loads strictly too, the outputs must differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mm_ckpt_migrate.plan import make_plan
from mm_ckpt_migrate.report import Rung, Verdict, failed, passed
from mm_ckpt_migrate.ruleset.model import RuleSet
from mm_ckpt_migrate.schema import Schema

if TYPE_CHECKING:
    from mm_ckpt_migrate.target.resolve import Target

# On the machine that made the record the difference is 0.0; other processors sum in other orders.
TOLERANCE: Final = 1e-5


def control_names(schema: Schema, rules: RuleSet) -> dict[str, str]:
    """New names under the right rules, to new names under the control."""
    right, wrong = make_plan(schema, rules), make_plan(schema, rules.with_control())
    return {right.targets[name]: wrong.targets[name] for name in schema.names}


def check_record(target: Target, new: Path, record: Path, control: Mapping[str, str]) -> Verdict:
    """Compare a new file's outputs with those that the old release gave, recorded in `record`.

    Raises:
        MissingSoftwareError, ConfigError: the target model cannot be built or run.
    """
    differences = target.forward(new, "torch", record, {})
    wrong = target.forward(new, "torch", record, control)
    largest, deliberate = _largest(differences), _largest(wrong)
    details = [f"{name}: {difference:.3g}" for name, difference in differences.items()]
    if deliberate <= TOLERANCE:
        return failed(Rung.FORWARD, "the wrong mapping gives the same outputs: this proves nothing")
    # Written so that NaN fails.
    if not largest <= TOLERANCE:
        return failed(Rung.FORWARD, f"outputs differ by {largest:.3g} from the old code's", details)
    return passed(
        Rung.FORWARD,
        f"raw outputs differ by {largest:.3g} from those of the old code; with self- and "
        f"cross-attention exchanged, by {deliberate:.3g}",
    )


def _largest(differences: Mapping[str, float]) -> float:
    """The largest value, or NaN where any is NaN."""
    values = list(differences.values())
    return next((value for value in values if value != value), max(values))  # noqa: PLR0124
