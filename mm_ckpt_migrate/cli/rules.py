"""`rules list`, `rules show` and `rules check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mm_ckpt_migrate.cli import arguments as args
from mm_ckpt_migrate.cli.boundary import command

app = typer.Typer(help="The rules of each family.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
@command
def list_rules(as_json: args.JsonOption = False) -> int:
    """List the families that can be migrated."""
    from mm_ckpt_migrate.cli.asjson import print_json
    from mm_ckpt_migrate.cli.render import print_facts
    from mm_ckpt_migrate.mapping.rules.library import load_rules

    families = load_rules().families
    if as_json:
        rows = [
            {
                "family": r.family,
                "number": r.number,
                "title": r.title,
                "from": r.released_from,
                "to": r.released_to,
            }
            for r in families
        ]
        print_json(rows)
        return 0
    print_facts(
        {
            f"{r.number or ' '}  {r.family}": f"{r.title}: {r.released_from} -> {r.released_to}"
            for r in families
        }
    )
    return 0


@app.command("show")
@command
def show_rules(family: args.FamilyArgument, as_json: args.JsonOption = False) -> int:
    """Show a family's rule file."""
    from mm_ckpt_migrate.cli.asjson import print_json
    from mm_ckpt_migrate.mapping.rules.library import family_named, load_rules

    rules = family_named(load_rules().families, family)
    if as_json:
        print_json(
            {
                "family": rules.family,
                "title": rules.title,
                "sha256": rules.digest,
                "from": rules.released_from,
                "to": rules.released_to,
                "why": rules.why,
                "upstream": rules.upstream,
                "rules": [str(rule) for rule in rules.rules],
                "control": [str(rule) for rule in rules.control],
            }
        )
    else:
        typer.echo(rules.path.read_text(encoding="utf-8"), nl=False)
    return 0


@app.command("check")
@command
def check_rules(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Rule files. Default: those that are installed."),
    ] = None,
    as_json: args.JsonOption = False,
) -> int:
    """Check rule files: grammar, and that no rule contradicts another or itself."""
    from mm_ckpt_migrate.cli.asjson import print_json
    from mm_ckpt_migrate.mapping.rules.library import load_rules
    from mm_ckpt_migrate.mapping.rules.load import load_ruleset

    checked = [load_ruleset(path) for path in files] if files else list(load_rules().families)
    if as_json:
        print_json([{"file": str(r.path), "family": r.family, "sha256": r.digest} for r in checked])
        return 0
    for rules in checked:
        typer.echo(f"{rules.path}: {rules.family}, {len(rules.rules)} rules, in order")
    return 0
