"""A migration: read, decide, then act."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mm_ckpt_migrate.convert.beside import draft, plan_bytes, private_mode
from mm_ckpt_migrate.convert.checks.keys import check_keys
from mm_ckpt_migrate.convert.contents import only_weights
from mm_ckpt_migrate.convert.decide.decision import Decision, decide
from mm_ckpt_migrate.convert.decide.reverse import decide_reverse
from mm_ckpt_migrate.convert.options import EMBEDDED, Options, Purpose
from mm_ckpt_migrate.convert.write.new_file import write_checkpoint
from mm_ckpt_migrate.files.archive.format import Format, names_safetensors
from mm_ckpt_migrate.files.archive.progress import Progress
from mm_ckpt_migrate.files.archive.publish import Draft, publish_bytes
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.files.checkpoint.remarks import assurance, remarks
from mm_ckpt_migrate.mapping.plan import Plan, migrated_schema
from mm_ckpt_migrate.mapping.rules.library import Library, load_rules
from mm_ckpt_migrate.verdicts import ConvertReport, Rung, Verdict, may_publish, skipped

if TYPE_CHECKING:
    from mm_ckpt_migrate.configs.values import Config
    from mm_ckpt_migrate.convert.target_config import TargetConfig
    from mm_ckpt_migrate.releases.current.resolve import Target


def plan_migration(
    source: Source, family: str, cfg: str, options: Options
) -> tuple[Plan | None, ConvertReport]:
    """`plan`, of an open file."""
    with ExitStack() as stack:
        library = load_rules(options.rules)
        checkpoint, decision, _ = _decide(stack, source, family, cfg, library, options)
        if options.plan_file is not None and decision.plan is not None:
            data, mode = plan_bytes(decision.plan), private_mode(source)
            publish_bytes(options.plan_file, data, mode, force=options.force)
        integrity = skipped(Rung.INTEGRITY, "nothing was written")
        verdicts = (integrity, _planned_keys(checkpoint, decision), decision.roles)
        return decision.plan, _report(checkpoint, decision, None, verdicts, "")


def migrate(
    source: Source,
    family: str,
    cfg: str,
    new: Path,
    options: Options,
    *,
    progress: Progress,
    target: Target | None = None,
) -> ConvertReport:
    """`convert`, of an open file, to a destination that was checked.

    Args:
        target: the target of `cfg`, where the caller has it open already.
    """
    with ExitStack() as stack:
        library = load_rules(options.rules)
        checkpoint, decision, target = _decide(stack, source, family, cfg, library, options, target)
        if decision.plan is None:
            nothing = _nothing_written(decision)
            said = _unwritten(options)
            return _report(checkpoint, decision, None, nothing, source.digest(), said)
        beside, said = _beside(stack, checkpoint, decision.plan, cfg, new, library, options)
        written = write_checkpoint(
            checkpoint,
            decision,
            decision.plan,
            target,
            new=new,
            beside=beside,
            options=options,
            progress=progress,
        )
        notices = (*written.notices, *assurance(checkpoint, options.expected_digest))
        made = new if may_publish(written.verdicts) else None
        notices += said if made is not None else _unwritten(options)
        report = _report(checkpoint, decision, made, written.verdicts, source.digest(), notices)
        return replace(report, result_digest=written.digest)


def _decide(
    stack: ExitStack,
    source: Source,
    family: str,
    cfg: str,
    library: Library,
    options: Options,
    target: Target | None = None,
) -> tuple[Checkpoint, Decision, Target | None]:
    if options.reverse:
        checkpoint = open_checkpoint(source, check_crc=options.check_crc)
        return checkpoint, decide_reverse(checkpoint, options), None
    config = _target_config(cfg, None, library) if options.build and target is None else None
    # Where the model is not in the cache it is built in a child, while this process reads.
    if config is not None and not config.open:
        target = _open_target(stack, config, options)
    checkpoint = _open(source, options)
    if options.build and target is None:
        config = _target_config(cfg, checkpoint, library)
        assert config is not None
        target = _open_target(stack, config, options)
    decision = decide(checkpoint, family, library, target, options)
    if config is not None and cfg != EMBEDDED:
        said = tuple(f"{cfg} lacks {setting} (--config-out writes it)" for setting in config.needed)
        said += _contradictions(cfg, config.config, checkpoint, library)
        decision = replace(decision, notices=(*decision.notices, *said))
    if target is not None and target.unconfined:
        from mm_ckpt_migrate.releases.refusals import notice

        decision = replace(decision, notices=(*decision.notices, notice(target.unconfined)))
    return checkpoint, decision, target


def _open(source: Source, options: Options) -> Checkpoint:
    checkpoint = open_checkpoint(source, check_crc=options.check_crc)
    if options.purpose is Purpose.INFERENCE:
        raw, averaged = options.raw_weights, options.averaged_weights
        return only_weights(checkpoint, raw=raw, averaged=averaged)
    return checkpoint


def _target_config(cfg: str, checkpoint: Checkpoint | None, library: Library) -> TargetConfig | None:
    """None where the checkpoint that holds it was not read yet."""
    # Not at the top: without a target none of this is needed, and it takes a while to import.
    from mm_ckpt_migrate.convert.target_config import read_target_config

    if cfg == EMBEDDED and checkpoint is None:
        return None
    return read_target_config(cfg, checkpoint, library.families)


def _open_target(stack: ExitStack, config: TargetConfig, options: Options) -> Target:
    from mm_ckpt_migrate.convert.target_config import open_target

    return stack.enter_context(open_target(config, options))


def _contradictions(cfg: str, config: Config, checkpoint: Checkpoint, library: Library) -> tuple[str, ...]:
    from mm_ckpt_migrate.convert.target_config import contradictions

    return contradictions(cfg, config, checkpoint, library.families)


def _beside(
    stack: ExitStack,
    checkpoint: Checkpoint,
    plan: Plan,
    cfg: str,
    new: Path,
    library: Library,
    options: Options,
) -> tuple[list[Draft], tuple[str, ...]]:
    """The files beside the new one, complete and still without names; and what to say of them."""
    drafts, said = [], []
    if checkpoint.format is Format.SAFETENSORS and not names_safetensors(new):
        said.append(f"{new} is a safetensors file, as the source is one, whatever its name says")
    if (config := options.config_out) is not None:
        from mm_ckpt_migrate.convert.target_config import target_config_text

        made = target_config_text(cfg, checkpoint, config, library.families)
        if not options.build and cfg != EMBEDDED:  # else it was compared already
            said += _contradictions(cfg, made.config, checkpoint, library)
        if made.form == "unchanged" and cfg != EMBEDDED:
            said.append(f"{cfg} is for the current release already, so {config} was not written")
        else:
            drafts.append(draft(stack, checkpoint.source, config, made.text.encode()))
            said.append(f"the migrated config is {config}")
    if options.plan_file is not None and not options.reverse:
        drafts.append(draft(stack, checkpoint.source, options.plan_file, plan_bytes(plan)))
    return drafts, tuple(said)


def _planned_keys(checkpoint: Checkpoint, decision: Decision) -> Verdict:
    if decision.plan is None or decision.target is None:
        return skipped(Rung.KEYS, "no target model was built")
    return check_keys(migrated_schema(decision.plan, checkpoint.schema), decision.target)


def _unwritten(options: Options) -> tuple[str, ...]:
    """What was asked for beside the new file, which is not there without it."""
    beside = (options.config_out, None if options.reverse else options.plan_file)
    return tuple(f"{path} was not written" for path in beside if path is not None)


def _nothing_written(decision: Decision) -> tuple[Verdict, ...]:
    reason = "there was nothing to do"
    return skipped(Rung.INTEGRITY, reason), skipped(Rung.KEYS, reason), decision.roles


def _report(
    checkpoint: Checkpoint,
    decision: Decision,
    new: Path | None,
    verdicts: Sequence[Verdict],
    digest: str,
    notices: Sequence[str] = (),
) -> ConvertReport:
    table = decision.plan
    moved = len(table.renamed) if table else 0
    targets = len(table.targets) if table else 0
    unreached = [
        skipped(rung, "not run by this command") for rung in (Rung.FORWARD, Rung.RESUME, Rung.METRIC)
    ]
    return ConvertReport(
        source=str(checkpoint.source.path),
        destination=str(new) if new else None,
        family=decision.family,
        moved=moved,
        kept=targets - moved,
        dropped=len(table.moves) - targets if table else 0,
        plan_digest=table.digest if table else "",
        source_digest=digest,
        verdicts=(*verdicts, *unreached),
        notices=(*decision.notices, *remarks(checkpoint), *notices),
    )
