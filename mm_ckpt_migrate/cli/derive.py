"""`derive`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mm_ckpt_migrate.cli import arguments as args
from mm_ckpt_migrate.cli.boundary import command
from mm_ckpt_migrate.cli.usage import refuse_idle
from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.files.archive.privacy import as_private_as

if TYPE_CHECKING:
    from mm_ckpt_migrate.derive.assignment import Derivation


def _family_name(text: str) -> str:
    if not re.fullmatch("[a-z][a-z0-9_]{0,63}", text):
        raise typer.BadParameter("a name of small letters, digits and _ is wanted")
    return text


@command
def derive(
    old: args.OldArgument,
    cfg: Annotated[
        str,
        typer.Argument(
            metavar="CFG",
            help="Config of the new model: a path, the name of one that mmseg or mmdet ships, or "
            "`embedded` for the one inside OLD.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the rules there. Default: the screen.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing FILE.")] = False,
    family: Annotated[
        str, typer.Option("--family", help="Name of the new family.", callback=_family_name)
    ] = "derived",
    old_config: Annotated[
        str | None,
        typer.Option(
            "--old-config",
            metavar="CFG",
            help="Config that OLD was trained with: a path or a shipped name. Default: the one inside OLD.",
        ),
    ] = None,
    legacy: Annotated[
        bool, typer.Option("--legacy", help="Settle what is undecided by trying it out with the old release.")
    ] = False,
    legacy_python: Annotated[
        Path | None, typer.Option("--legacy-python", metavar="PATH", help="A Python with an old release.")
    ] = None,
    no_crc: args.NoCrcOption = False,
    allow_import: args.AllowImportOption = None,
    allow_unconfined: args.AllowUnconfinedOption = False,
    no_cache: args.NoCacheOption = False,
    as_json: args.JsonOption = False,
) -> int:
    """Propose a rule file for a model that no family covers. Nothing is proven by it.

    Keys are paired by shapes, structure and names. The file says of each rule how sure it is, and
    lists what could be exchanged without anything noticing.
    """
    from mm_ckpt_migrate.cli.asjson import print_json
    from mm_ckpt_migrate.convert.beside import config_inputs
    from mm_ckpt_migrate.derive.options import DeriveOptions
    from mm_ckpt_migrate.derive.run import derive_rules

    refuse_idle(out is None, "without --out", "force")
    options = DeriveOptions(
        family=family,
        old_config=old_config,
        out=out,
        force=force,
        legacy=legacy or legacy_python is not None,
        legacy_python=legacy_python,
        check_crc=not no_crc,
        allow_imports=tuple(allow_import or ()),
        allow_unconfined=allow_unconfined,
        cache=not no_cache,
    )
    with as_private_as((old, *config_inputs(cfg), *config_inputs(old_config))):
        found = derive_rules(old, cfg, options)
    if as_json:
        print_json(_as_json(found, old, out))
    else:
        _show(found, old, out)
    if not found.assignment.covers:
        return ExitCode.KEYS_FAILED
    unsettled = options.legacy and found.assignment.open_ties
    return ExitCode.FORWARD_FAILED if unsettled else ExitCode.OK


def _show(found: Derivation, old: Path, out: Path | None) -> None:
    from mm_ckpt_migrate.cli.render import safe_line

    if not found.text:
        typer.echo(safe_line(f"{old}: its names are the model's already, nothing to derive"))
    elif out is None:
        typer.echo(found.text, nl=False)
    else:
        counts = ", ".join(f"{count} {word}" for word, count in found.counts.items())
        said = f"Proposed {out}: {len(found.rules)} rules ({counts}), none of them proven"
        typer.secho(safe_line(said), bold=True)
    for notice in found.notices:
        typer.secho(safe_line(f"Note: {notice}."), fg="yellow", err=True)


def _as_json(found: Derivation, old: Path, out: Path | None) -> dict[str, Any]:
    assignment = found.assignment
    return {
        "source": str(old),
        "destination": str(out) if out is not None and found.text else None,
        "family": found.family,
        "covers": assignment.covers,
        "moved": len(assignment.pairs),
        "kept": len(assignment.kept),
        "rules": [
            {
                "from": rule.source,
                "to": rule.target,
                "level": rule.level.word,
                "keys": rule.keys,
                "reasons": [reason.text for reason in rule.reasons],
            }
            for rule in found.rules
        ],
        "ties": [
            {
                "old": tie.olds,
                "new": tie.news,
                "spare": tie.spare,
                "decided": tie.decided,
                "reason": tie.reason.text,
            }
            for tie in assignment.ties
        ],
        "unmatched": {"old": assignment.lost, "new": assignment.missing},
        "notices": found.notices,
        "text": found.text,
    }
