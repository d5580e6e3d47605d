"""Keys: the output's state dict is exactly the one that the target model has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mm_ckpt_migrate.mapping.plan import compare_layouts
from mm_ckpt_migrate.names import fold
from mm_ckpt_migrate.schema import Schema, TargetModel
from mm_ckpt_migrate.verdicts import Rung, Verdict, failed, passed

if TYPE_CHECKING:
    from mm_ckpt_migrate.releases.current.process import LoadOutcome


def check_keys(output: Schema, target: TargetModel) -> Verdict:
    """Compare names, shapes, dtypes, and `_metadata` where the output has it.

    Stricter than `torch.nn.Module.load_state_dict(strict=True)`, which lets dtypes pass and, where
    a module's version is missing, a missing `num_batches_tracked` too. Half precision may stand
    for float32, into which torch widens it without loss.
    """
    wrong = compare_layouts(output, target.schema) + _compare_versions(output, target.schema)
    if wrong:
        return failed(Rung.KEYS, f"{len(wrong)} differences from the target model", wrong)
    built = "cached from" if target.cached else f"built on {target.device} by"
    stack = ", ".join(f"{name} {version}" for name, version in target.stack.items())
    halved = sum(spec.dtype != target.schema[spec.name].dtype for spec in output.tensors)
    same = "names and shapes" if halved else "names, shapes and dtypes"
    widened = f"; torch widens {halved} in half precision, without loss" if halved else ""
    return passed(Rung.KEYS, f"all {len(output)} {same} are the target model's{widened} ({built} {stack})")


def check_load(outcome: LoadOutcome, built: Verdict) -> Verdict:
    """Add torch's own strict load of the file to the comparison of layouts."""
    if outcome.refused:
        return passed(
            Rung.KEYS, built.summary, [f"torch.load(weights_only=True) refuses it: {outcome.refused}"]
        )
    wrong = [
        *(f"missing: {line}" for line in fold(outcome.missing)),
        *(f"unexpected: {line}" for line in fold(outcome.unexpected)),
        *outcome.errors,
    ]
    if not outcome.ok:
        return failed(Rung.KEYS, f"torch {outcome.torch} does not load it strictly", wrong)
    return passed(Rung.KEYS, f"torch {outcome.torch} loads it strictly; {built.summary}")


def _compare_versions(output: Schema, target: Schema) -> list[str]:
    """Modules whose state-dict version is not the one that the target release would save."""
    known = target.modules or {}
    return [
        f"different: module {path!r} has version {version} and in the model {known[path]}"
        for path, version in (output.modules or {}).items()
        if path in known and version != known[path]
    ]
