"""Compare a new file, entry by entry, with what `convert` would write now of the old one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mm_ckpt_migrate.configs.compare import differing_settings
from mm_ckpt_migrate.configs.read.config import read_config_text
from mm_ckpt_migrate.convert.checks.digests import Digests
from mm_ckpt_migrate.convert.contents import CONFIG_PATHS
from mm_ckpt_migrate.convert.stamp import TOOL, Origin
from mm_ckpt_migrate.errors import ConfigError, MigrateError
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.archive.storages import storage_ref, storage_refs
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.pickles.build import text_value
from mm_ckpt_migrate.files.pickles.nodes import Node, Persistent, walk
from mm_ckpt_migrate.mapping.plan import Plan
from mm_ckpt_migrate.names import STAMP_KEY, fold, safe_text
from mm_ckpt_migrate.schema import TargetModel
from mm_ckpt_migrate.verify.files import Files
from mm_ckpt_migrate.verify.whole.borrowed import borrowed_models
from mm_ckpt_migrate.verify.whole.nodes import Content, Difference, Path, differences, shown
from mm_ckpt_migrate.verify.whole.remake import Remade, Way, remake, strings_node, ways

# What a stamp says of its maker; since the second and the third are noted, it says all that the
# content depends on.
_OF_MAKER: Final = ("tool", "inference", "as_is")
# Where a stamp stands; in safetensors it is one of the strings beside the tensors.
_STAMPS: Final = (("meta", STAMP_KEY), (STAMP_KEY,))
_OF_PLAN: Final = ("plan", "plan_sha256")
_TAKEN: Final = "what the model has frozen is taken from the file; only the model (--cfg) can tell"
# In safetensors the config is one of the strings beside the tensors.
_CONFIGS: Final = (*CONFIG_PATHS, ("cfg",))


@dataclass(frozen=True, slots=True)
class Compared:
    """What the comparison found, one line each.

    Attributes:
        wrong: what is not as the old file has it, or as the rules make it.
        untold: what cannot be told, and why.
        said: what the file's stamp alone says.
    """

    wrong: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Trial:
    """A way in which the file may have been made, and where it is not as it would be then.

    Attributes:
        ordered: whether its keys have the order, and their modules, that the rules alone make.
    """

    way: Way
    remade: Remade | None
    differences: tuple[Difference, ...]
    ordered: bool = False


def compare_whole(files: Files, model: TargetModel | None, digests: Digests) -> Compared:
    """Hold everything in the new file against the old file and the rules.

    Args:
        model: the target model, where it is at hand.
    """
    assert files.source is not None
    try:
        trial = _best(files, model, digests)
    except MigrateError as error:
        line = f"convert refuses the old file: {error.message}"
        others = _is_others(files.origin, None)
        return Compared(untold=(line,)) if others else Compared(wrong=(line,))
    if trial.remade is None:
        return Compared(untold=("convert has nothing to do with the old file",))
    if _is_others(files.origin, trial.remade.plan):
        return _of_others(files, trial.remade, trial.differences, digests)
    wrong = (*_lines(trial.differences), *_misplaced(files.output))
    if not trial.way.borrowed or wrong:
        return Compared(wrong)
    if trial.ordered:
        return Compared(said=(_TAKEN,))
    return Compared(untold=("the order of the keys and _metadata need the model (--cfg)",))


def _is_others(origin: Origin | None, plan: Plan | None) -> bool:
    """Whether another program, another version of this one, or other rules made the file."""
    if origin is None or origin.tool != TOOL or origin.inference is None:
        return True
    return plan is not None and origin.plan.rules_digest != plan.rules_digest


def _best(files: Files, model: TargetModel | None, digests: Digests) -> _Trial:
    """The way that agrees best; the first one where several agree."""
    models: list[tuple[TargetModel | None, bool]] = [(None, False)]
    if model is None:
        models += [(borrowed, True) for borrowed in borrowed_models(files)]
    else:
        models = [(model, False), *models]
    best: _Trial | None = None
    by_rules: object = None
    refused: MigrateError | None = None
    for way in ways(files.origin, models, files.output.format):
        try:
            trial = _tried(files, way, digests)
        except MigrateError as error:
            refused = refused or error
            continue
        layout = trial.remade.layout if trial.remade else None
        by_rules = layout if way.model is None and by_rules is None else by_rules
        trial = replace(trial, ordered=layout == by_rules)
        if best is None or len(trial.differences) < len(best.differences):
            best = trial
        if not best.differences:
            break
    if best is None:
        assert refused is not None
        raise refused
    return best


def _tried(files: Files, way: Way, digests: Digests) -> _Trial:
    assert files.whole is not None  # the weights are chosen while it is made again
    remade = remake(files.whole, files.origin, way, files.library, files.output.format)
    if remade is None:
        return _Trial(way, None, ())
    return _Trial(way, remade, tuple(_differing(remade, files.output, digests)))


def _differing(remade: Remade, output: Checkpoint, digests: Digests) -> Iterator[Difference]:
    wanted, found = _content(remade.source, digests, remade), _content(output, digests)
    return differences(remade.root, root_of(output), wanted, found)


def root_of(checkpoint: Checkpoint) -> Node:
    """The pickled object; of safetensors the strings beside the tensors."""
    if checkpoint.tree is not None:
        return checkpoint.tree.root
    return strings_node(getattr(checkpoint.container, "metadata", None) or {})


def _content(checkpoint: Checkpoint, digests: Digests, remade: Remade | None = None) -> Content:
    def content(node: Persistent) -> object:
        key = storage_ref(node).key
        if remade is not None and key in remade.storages:
            return hashlib.sha256(remade.storages[key]).digest()
        return digests(checkpoint, checkpoint.extents[key])

    return content


def _of_others(files: Files, remade: Remade, found: Sequence[Difference], digests: Digests) -> Compared:
    """What no migration touches must be the old file's; other rules may make the rest otherwise."""
    assert files.whole is not None
    before = files.whole
    touched = {
        difference.path
        for difference in differences(
            root_of(before), remade.root, _content(before, digests), _content(remade.source, digests, remade)
        )
    }
    dropped = {(name,) for name in files.origin.dropped} if files.origin else set()
    same_plan = files.origin is not None and _mean_the_same(files.origin.plan, remade.plan)
    wrong: list[Difference] = []
    excused: list[Difference] = []
    for difference in found:
        path = difference.path
        if _in_stamp(path, _OF_MAKER) or _same_settings(difference):
            continue
        if same_plan and _in_stamp(path, _OF_PLAN):
            continue
        if files.origin is None and path in _STAMPS and difference.what == "lost":
            continue
        ours = path in dropped or any(path[:end] in touched for end in range(len(path) + 1))
        (excused if ours else wrong).append(difference)
    by = safe_text(files.origin.tool if files.origin else "an unknown program")
    untold = tuple(f"made otherwise by {by}: {line}" for line in _lines(excused))
    said = (f"made by {by}, as its stamp says",) if files.origin else ()
    return Compared(_lines(wrong), untold, said)


def _misplaced(output: Checkpoint) -> Iterator[str]:
    """torch computes where storages lie from their order (`calculate_storage_offsets`)."""
    root = output.tree.root if output.tree and output.format is Format.ZIP else None
    if root is not None and list(storage_refs(walk(root))) != list(output.extents):
        yield "the storages do not lie in the order in which torch meets them"


def _in_stamp(path: Path, names: Sequence[str]) -> bool:
    return len(path) > 1 and path[-2] == STAMP_KEY and path[-1] in names


def _mean_the_same(first: Plan, second: Plan) -> bool:
    """Whether two plans do the same, whatever rules they come from."""
    return (first.table, first.modules, first.prefix) == (second.table, second.modules, second.prefix)


def _lines(found: Sequence[Difference]) -> tuple[str, ...]:
    named = (line for difference in found for line in _said(difference))
    return tuple(fold(dict.fromkeys(named)))


def _said(difference: Difference) -> Iterator[str]:
    """The difference; that of a config setting by setting."""
    texts = _config_texts(difference)
    if texts is None:
        yield str(difference)
        return
    where = shown(difference.path)
    try:
        settings = differing_settings(*(read_config_text(text, where) for text in texts))
    except ConfigError as error:
        yield f"changed: {error.message}"
    else:
        yield from (f"changed: {where}: {safe_text(name)}" for name in settings)
        if not settings:
            yield f"changed: {where}: its text, while the settings are the same"


def _config_texts(difference: Difference) -> tuple[str, str] | None:
    if difference.path not in _CONFIGS or difference.what != "changed":
        return None
    assert difference.wanted is not None
    assert difference.found is not None
    wanted, found = text_value(difference.wanted), text_value(difference.found)
    return None if wanted is None or found is None else (wanted, found)


def _same_settings(difference: Difference) -> bool:
    texts = _config_texts(difference)
    try:
        return texts is not None and not differing_settings(*(read_config_text(text, "") for text in texts))
    except ConfigError:
        return False
