"""The files of a verification, opened, and what is known of how one was made from the other."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.configs.read.config import read_config_text
from mm_ckpt_migrate.configs.values import Config
from mm_ckpt_migrate.convert.contents import AVERAGED, only_weights
from mm_ckpt_migrate.convert.decide.family import AUTO, choose_family
from mm_ckpt_migrate.convert.stamp import Origin, read_stamp
from mm_ckpt_migrate.errors import ConfigError, FamilyError
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.call_args import integers_of
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.files.pickles.build import elements, find
from mm_ckpt_migrate.files.pickles.nodes import Node
from mm_ckpt_migrate.mapping.plan import Plan, make_plan
from mm_ckpt_migrate.mapping.rules.detect import detect
from mm_ckpt_migrate.mapping.rules.library import Library, family_named
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.releases.current.process import Format as Kind

_CHANNELS: Final = 3
_WHITE: Final = 255


@dataclass(frozen=True, slots=True)
class Files:
    """What is verified, and what it was made from.

    Attributes:
        output, digest: the new file, and its SHA-256.
        source, source_digest: the old file, where it was given, with one set of weights where one
            of two was to arrive.
        whole: the old file as it was opened.
        origin: what the new file's stamp says; None where it has none.
        plan: how the one was made from the other; None where that is not known.
        old_config: the config of the old file: the one inside it, or the one that the stamp kept.
        config_fault: why that cannot be read, or None.
        library: all rules.
        objection: why the old file is not of the family that the stamp names; None where it is.
    """

    output: Checkpoint
    digest: str
    source: Checkpoint | None
    whole: Checkpoint | None
    source_digest: str | None
    rules: RuleSet
    origin: Origin | None
    plan: Plan | None
    old_config: Config | None
    config_fault: str | None
    library: Library
    objection: str | None = None

    @property
    def kind(self) -> Kind:
        """How the new file is loaded."""
        return "safetensors" if self.output.format is Format.SAFETENSORS else "torch"


def open_files(stack: ExitStack, new: Path, old: Path | None, library: Library) -> Files:
    """Open both files; they stay open as long as `stack` does.

    Raises:
        CheckpointError: one of them is damaged or no checkpoint.
        FamilyError: the new file is of no family that the rules know.
        PlanError: its stamp was tampered with.
    """
    output = _open(stack, new, check_crc=True)
    # Its bytes are compared whole, so that nothing depends on CRCs that it may not have (--no-crc).
    source = _open(stack, old, check_crc=None) if old is not None else None
    return files_of(output, source, library)


def files_of(output: Checkpoint, source: Checkpoint | None, library: Library) -> Files:
    """Both files, opened; raises FamilyError and PlanError as `open_files` does."""
    origin = read_stamp(output.stamp) if output.stamp else None
    whole = source
    if source is not None and origin is not None and _one_set(source, output, origin):
        source = only_weights(source, raw=origin.raw)
    rules = _rules(output, origin, library)
    plan = origin.plan if origin is not None else None
    if plan is None and source is not None:
        rules_of_source = choose_family(source, AUTO, library, force=False).rules
        plan = replace(make_plan(source.schema, rules_of_source), prefix=source.prefix)
    objection = _objection(source, origin, library) if source and origin else None
    config, fault = _old_config(source, origin)
    return Files(
        output=output,
        digest=output.source.digest(),
        source=source,
        whole=whole,
        source_digest=source.source.digest() if source else None,
        rules=rules,
        origin=origin,
        plan=plan,
        old_config=config,
        config_fault=fault,
        library=library,
        objection=objection,
    )


def _objection(source: Checkpoint, origin: Origin, library: Library) -> str | None:
    """Whoever stamped it may have forced a family, or have named any."""
    try:
        return choose_family(source, origin.plan.family, library, force=True).objection
    except FamilyError as error:
        return error.message.removeprefix(f"{source.source.path}: ")


def _one_set(source: Checkpoint, output: Checkpoint, origin: Origin) -> bool:
    """Whether of two sets of weights one alone was meant to arrive."""
    meant = origin.inference or AVERAGED in origin.dropped
    return bool(meant and source.averaged and not output.averaged)


def _open(stack: ExitStack, path: Path, *, check_crc: bool | None) -> Checkpoint:
    source = stack.enter_context(Source(path))
    source.start_digest()
    return open_checkpoint(source, check_crc=check_crc)


def _rules(output: Checkpoint, origin: Origin | None, library: Library) -> RuleSet:
    if origin is not None:
        return family_named(library.families, origin.plan.family)
    found = detect(output.schema.names, library.families)
    if len(found) != 1:
        raise FamilyError(
            f"{output.source.path}: it bears no stamp, and its keys are those of "
            + ("several families" if found else "no family that the rules know"),
            hint="Give a file that `mm-ckpt-migrate convert` made.",
        )
    return found[0].rules


def palette(checkpoint: Checkpoint) -> tuple[tuple[int, int, int], ...]:
    """The colours of the data set's classes, as the file's `dataset_meta` has them."""
    root = checkpoint.tree.root if checkpoint.tree else None
    colours = find(root, "meta", "dataset_meta", "palette")
    found = map(_colour, elements(colours) if colours is not None else ())
    return tuple(colour for colour in found if colour is not None)


def _colour(row: Node) -> tuple[int, int, int] | None:
    levels = [n for n in integers_of(elements(row)) if 0 <= n <= _WHITE]
    whole = len(levels) == len(elements(row)) == _CHANNELS
    return (levels[0], levels[1], levels[2]) if whole else None


def _old_config(source: Checkpoint | None, origin: Origin | None) -> tuple[Config | None, str | None]:
    text = source.config if source is not None else None
    if text is None and origin is not None:
        text = next(iter(origin.configs.values()), None)
    if text is None:
        return None, None
    try:
        return read_config_text(text, "the config of the old file"), None
    except ConfigError as error:
        return None, error.message
