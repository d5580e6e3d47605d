"""`migrate-config`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mm_ckpt_migrate.cli import arguments as args
from mm_ckpt_migrate.cli.boundary import command
from mm_ckpt_migrate.cli.usage import refuse_idle
from mm_ckpt_migrate.errors import ExitCode

if TYPE_CHECKING:
    from mm_ckpt_migrate.configs.migrate.text import MigratedText


@command
def migrate_config(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The old config. Never written.")],
    new: Annotated[Path | None, typer.Argument(metavar="[NEW]", help="The config file to make.")] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its weights; some settings can only be told from them."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 9 where changes are needed.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Print the changes of the source; NEW may be left out.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing NEW.")] = False,
    as_json: args.JsonOption = False,
) -> int:
    """Make a config that the current release builds, out of one for the old release.

    The source is edited and its comments stay, where its dicts are written out; where they come
    from variables or from other files, all values are written anew. Either way the new source
    was read back, and has the right values. Nothing in a config is run.
    """
    from mm_ckpt_migrate.configs.migrate.file import migrate_config_file
    from mm_ckpt_migrate.files.checkpoint.open import read_schema
    from mm_ckpt_migrate.mapping.rules.library import load_rules

    if new is None and not (check or diff):
        raise typer.BadParameter("give NEW, or --check or --diff to write nothing")
    if check and new is not None:
        raise typer.BadParameter("--check writes nothing: leave NEW out")
    refuse_idle(check or new is None, "where nothing is written", "force")
    inputs = [checkpoint] if checkpoint is not None else []
    keys = read_schema(checkpoint).names if checkpoint is not None else None
    result = migrate_config_file(old, new, load_rules().families, keys=keys, inputs=inputs, force=force)
    _show(result, old, new, diff=diff, as_json=as_json)
    if check and result.form != "unchanged":
        return ExitCode.CHANGES_NEEDED
    return ExitCode.OK


def _show(result: MigratedText, old: Path, new: Path | None, *, diff: bool, as_json: bool) -> None:
    from mm_ckpt_migrate.cli.asjson import print_json

    if as_json:
        wrote = str(new) if new is not None and result.form != "unchanged" else None
        print_json(
            {
                "source": str(old),
                "destination": wrote,
                "family": result.family,
                "form": result.form,
                "changes": list(result.changes),
                "text": result.text,
                "notices": list(result.notices),
                **({"diff": "".join(_diff(result, old, new))} if diff else {}),
            }
        )
        return
    for notice in result.notices:
        typer.secho(_line(f"Note: {notice}."), fg="yellow", err=True)
    if diff:
        for line in _diff(result, old, new):
            typer.echo("\t".join(map(_line, line.split("\t"))))
    else:
        _print_changes(result, old, new)


def _diff(result: MigratedText, old: Path, new: Path | None) -> Iterator[str]:
    import difflib

    before = Path(os.path.expanduser(old)).read_text(encoding="utf-8").splitlines(keepends=True)
    after = result.text.splitlines(keepends=True)
    return difflib.unified_diff(before, after, str(old), str(new or old))


def _print_changes(result: MigratedText, old: Path, new: Path | None) -> None:
    if result.form == "unchanged":
        typer.echo(_line(f"{old}: it is for the current release already, nothing to do"))
        return
    verb = "Would change" if new is None else "Migrated"
    to = "" if new is None else f" -> {new}"
    typer.secho(
        _line(f"{verb} {old}{to} ({result.family or 'its weights'}: {len(result.changes)} changes)"),
        bold=True,
    )
    for change in result.changes:
        typer.echo(_line(f"  {change}"))
    if result.form == "flattened":
        note = "the values come from variables or other files, so the new file lists all of them"
        typer.secho(f"Note: {note}.", fg="yellow")


def _line(text: str) -> str:
    """A line as a terminal may have it."""
    from mm_ckpt_migrate.names import safe_text

    return safe_text(text.removesuffix("\n"), 10_000)
