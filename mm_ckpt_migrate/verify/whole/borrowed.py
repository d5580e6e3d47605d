"""Models that stand for the target model where that is not at hand: with the new file's layout."""

from __future__ import annotations

from mm_ckpt_migrate.convert.training.optimizer import plan_optimizer, read_optimizers
from mm_ckpt_migrate.convert.training.parameters import UnknownOrderError, match_parameters
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.pickles.build import find
from mm_ckpt_migrate.names import is_buffer
from mm_ckpt_migrate.schema import TargetModel
from mm_ckpt_migrate.verify.files import Files


def borrowed_models(files: Files) -> list[TargetModel]:
    """With everything trained, and with what was never trained taken for frozen."""
    whole = _model(files.output, frozenset())
    frozen = _untrained(files, whole)
    return [whole, _model(files.output, frozen)] if frozen else [whole]


def _model(output: Checkpoint, frozen: frozenset[str]) -> TargetModel:
    later = {name for names in output.schema.ties for name in names[1:]}
    parameters = [n for n in output.schema.names if not is_buffer(n) and n not in later]
    return TargetModel(
        schema=output.schema,
        parameters=tuple(parameters),
        frozen=tuple(name for name in parameters if name in frozen),
        stack={},
        device="meta",
    )


def _untrained(files: Files, whole: TargetModel) -> frozenset[str]:
    """New names of the parameters that the old file's optimizers have no state for."""
    source, plan = files.source, files.plan
    section = find(source.tree.root, "optimizer") if source and source.tree else None
    if source is None or plan is None or section is None:
        return frozenset()
    found: set[str] = set()
    try:
        parameters = match_parameters(source.schema, plan, whole.schema.names, whole)
        for optimizer in read_optimizers(section):
            move = plan_optimizer(optimizer, parameters)
            order = (index for group in move.groups for index in group.indices)
            named = zip(order, move.names, strict=True)
            found |= {name for index, name in named if index not in optimizer.state}
    except UnknownOrderError:
        return frozenset()
    return frozenset(found)
