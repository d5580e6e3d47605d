"""The rungs that run both releases on made-up images: forward and resume."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mm_ckpt_migrate.convert.target_config import TargetConfig
from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.verdicts import Rung, Verdict, skipped
from mm_ckpt_migrate.verify.files import Files
from mm_ckpt_migrate.verify.options import VerifyOptions
from mm_ckpt_migrate.verify.raw_outputs import Image, Side, record_outputs
from mm_ckpt_migrate.verify.rungs.both_sides import images_for
from mm_ckpt_migrate.verify.rungs.forward import ForwardResult, check_forward, control_names
from mm_ckpt_migrate.verify.rungs.forward_measure import Recorded
from mm_ckpt_migrate.verify.rungs.resume import ResumeResult, check_resume
from mm_ckpt_migrate.verify.sides import Releases, require_old


def forward(
    files: Files, releases: Releases, target: TargetConfig, options: VerifyOptions
) -> tuple[Verdict, ForwardResult | None]:
    """Raw outputs of both releases, or of the current one and a record of the old one's.

    Raises:
        MissingSoftwareError: the current release does not work; or there is no old one to record.
        CheckpointError: the record that was given is none.
        ConfigError: the old model, whose outputs were to be recorded, cannot be run; or there is no
            wall to run the new one within.
        DestinationError: the record cannot be written.
    """
    images = images_for(Image(), target.config)
    if options.record is not None:
        _record(options.record, releases, images, force=options.force)
    other: Side | Recorded | None = releases.old
    if options.reference is not None:
        other = Recorded(options.reference)
    if other is None:
        return skipped(Rung.FORWARD, releases.no_old), None
    if files.plan is None:
        return skipped(Rung.FORWARD, "how it was made is not known: it bears no stamp"), None
    return check_forward(
        other,
        releases.new,
        control(files),
        images=images,
        mistake=files.rules.last.mistake,
        plan=files.plan,
        budget=options.budget,
    )


def _record(path: Path, releases: Releases, images: Sequence[Image], *, force: bool) -> None:
    old = require_old(releases, "--record")
    versions = releases.old_versions or {}
    for image in images:
        try:
            record_outputs(old, image, path, versions, force=force)
        except ConfigError:
            if image is images[-1]:
                raise
        else:
            return


def control(files: Files) -> dict[str, str]:
    """New names under the right rules, to new names under the family's deliberate error.

    Empty where it is not known how the file was made.
    """
    from mm_ckpt_migrate.mapping.plan import invert, migrated_schema, without_dropped

    if files.plan is None:
        return {}
    old = migrated_schema(invert(without_dropped(files.plan)), files.output.schema)
    return control_names(old, files.rules)


def resume(files: Files, releases: Releases, target: TargetConfig) -> tuple[Verdict, ResumeResult | None]:
    """The next steps of the training, in both releases; raises as `check_resume`."""
    if "optimizer" not in files.output.sections:
        return skipped(Rung.RESUME, "the file holds no training state"), None
    if releases.old is None or files.old_config is None or files.source is None:
        return skipped(Rung.RESUME, releases.no_old), None
    if "optimizer" not in files.source.sections:
        return skipped(Rung.RESUME, "the old file holds no training state"), None
    return check_resume(releases.old, releases.new, files.old_config, target.config)
