"""`inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mm_ckpt_migrate.cli import arguments as args
from mm_ckpt_migrate.cli.boundary import command


@command
def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Any checkpoint, of any project.")],
    no_crc: args.NoCrcOption = False,
    as_json: args.JsonOption = False,
) -> int:
    """Show what is inside a checkpoint, without loading or running any of it."""
    from mm_ckpt_migrate.cli.asjson import print_json
    from mm_ckpt_migrate.cli.render import print_facts
    from mm_ckpt_migrate.identify.survey import survey
    from mm_ckpt_migrate.mapping.rules.library import load_rules

    found = survey(file, load_rules(), check_crc=not no_crc)
    if as_json:
        print_json(found.to_json())
        return 0
    from mm_ckpt_migrate.cli.facts import facts_of

    print_facts(facts_of(found))
    return 0
