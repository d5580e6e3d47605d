"""`batch`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mm_ckpt_migrate.cli import arguments as args
from mm_ckpt_migrate.cli.boundary import command
from mm_ckpt_migrate.cli.convert import For
from mm_ckpt_migrate.errors import ExitCode


@command
def batch(
    sources: Annotated[Path, typer.Argument(metavar="ZOO_DIR", help="Folder of checkpoints.")],
    results: Annotated[Path, typer.Argument(metavar="NEW_DIR", help="Folder for the results.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan and stop; nothing is written.")
    ] = False,
    jobs: Annotated[
        int, typer.Option(min=1, max=256, metavar="N", help="Files at once. Default: one per core.")
    ] = os.cpu_count() or 1,
    no_build: args.NoBuildOption = False,
    purpose: Annotated[
        For | None,
        typer.Option("--for", help="inference: weights, meta and config only."),
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="Hard links where nothing has to change, not copies.")
    ] = False,
    seconds: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="What one file may take.")
    ] = 1800.0,
    memory: Annotated[
        int, typer.Option(min=16, metavar="MIB", help="What one file may take of memory.")
    ] = 4096,
    allow_import: args.AllowImportOption = None,
    as_json: args.JsonOption = False,
) -> int:
    """Migrate a whole model zoo; what needs no migration is copied.

    Kill it at any moment and run it again: what was done is skipped, the rest goes on. Nothing
    in ZOO_DIR is written. NEW_DIR/batch.json accounts for every input.
    """
    from mm_ckpt_migrate.batch.options import BatchOptions
    from mm_ckpt_migrate.batch.run import plan_batch, run_batch
    from mm_ckpt_migrate.cli.batch_view import print_items, print_result, watching
    from mm_ckpt_migrate.cli.render import print_json
    from mm_ckpt_migrate.options import Purpose

    options = BatchOptions(
        build=not no_build, purpose=Purpose(purpose.value) if purpose else None, link=link,
        allow_imports=tuple(allow_import or ()), seconds=seconds, memory=memory << 20,
    )  # fmt: skip
    if dry_run:
        items = plan_batch(sources, results, options, {})
        if as_json:
            print_json([item.to_json() for item in items])
        else:
            print_items(items)
        return ExitCode.OK
    with watching(quiet=as_json) as watcher:
        result = run_batch(sources, results, options, {}, jobs=jobs, watcher=watcher)
    if as_json:
        print_json(result.to_json())
    else:
        print_result(result, results)
    return ExitCode.OK if result.complete else ExitCode.INCOMPLETE
