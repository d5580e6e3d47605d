"""`batch`."""

from __future__ import annotations

import os
from enum import Enum
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mm_ckpt_migrate.cli import arguments as args
from mm_ckpt_migrate.cli.boundary import command
from mm_ckpt_migrate.cli.convert import For
from mm_ckpt_migrate.errors import ExitCode

if TYPE_CHECKING:
    from mm_ckpt_migrate.batch.engine import EngineMaker
    from mm_ckpt_migrate.batch.options import Batch


class Where(str, Enum):
    """What does the work."""

    LOCAL = "local"
    RAY = "ray"


@command
def batch(
    sources: Annotated[Path, typer.Argument(metavar="ZOO_DIR", help="Folder of checkpoints.")],
    results: Annotated[Path, typer.Argument(metavar="NEW_DIR", help="Folder for the results.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan and stop; nothing is written.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, max=256, metavar="N", help="Files at once. Default: one per core."),
    ] = None,
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
    list_file: Annotated[
        Path | None,
        typer.Option("--list", metavar="FILE", help="Only these: paths in ZOO_DIR, one a line."),
    ] = None,
    zoo: Annotated[
        Path | None,
        typer.Option(
            "--zoo",
            metavar="PATH",
            help="Says which config each file is of: a zoo's folder, its model-index.yml, "
            "a metafile.yml, or the installed mmseg or mmdet.",
        ),
    ] = None,
    publish: Annotated[
        bool,
        typer.Option(
            "--publish",
            help="Weights only, named as zoos do, with the new digest; writes renamed.csv and, "
            "with the folder of --zoo, its metafiles and pages with the new names.",
        ),
    ] = False,
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="Only the I-th of N parts, for N machines.")
    ] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Replace files in NEW_DIR that no batch made.")
    ] = False,
    engine: Annotated[
        Where, typer.Option("--engine", help="Work here, or as tasks on a Ray cluster.")
    ] = Where.LOCAL,
    ray_address: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="The cluster's; auto finds the one at hand.")
    ] = "auto",
    num_gpus: Annotated[
        float, typer.Option(min=0, metavar="N", help="GPUs that each Ray task asks for.")
    ] = 0.0,
    allow_import: args.AllowImportOption = None,
    as_json: args.JsonOption = False,
) -> int:
    """Migrate a whole model zoo; what needs no migration is copied.

    Kill it at any moment and run it again: what was done is skipped, the rest goes on. Nothing
    in ZOO_DIR is written. NEW_DIR/batch.json accounts for every input.
    """
    from mm_ckpt_migrate.batch.listed import read_listed, read_names, zoo_path
    from mm_ckpt_migrate.batch.options import Batch, BatchOptions
    from mm_ckpt_migrate.batch.shard import read_shard
    from mm_ckpt_migrate.options import Purpose

    options = BatchOptions(
        build=not no_build, purpose=Purpose(purpose.value) if purpose else None, publish=publish,
        link=link, allow_imports=tuple(allow_import or ()), seconds=seconds, memory=memory << 20,
    )  # fmt: skip
    work = Batch(
        sources, results, options, read_listed(zoo) if zoo else {},
        read_names(list_file) if list_file else None, read_shard(shard) if shard else None,
        force, zoo_path(zoo) if zoo else None,
    )  # fmt: skip
    if dry_run:
        return _plan(work, jobs or os.cpu_count() or 1, as_json)
    if engine is Where.LOCAL:
        return _run(work, jobs or os.cpu_count() or 1, as_json)
    from mm_ckpt_migrate.engines.ray_engine import RayEngine

    # No number of jobs: as many as the cluster has processors.
    ray = partial(RayEngine, address=ray_address, num_gpus=num_gpus)
    return _run(work, jobs or 0, as_json, ray)


def _plan(work: Batch, jobs: int, as_json: bool) -> int:
    from mm_ckpt_migrate.batch.report import item_to_json
    from mm_ckpt_migrate.batch.run import plan_batch
    from mm_ckpt_migrate.cli.batch_view import print_items, watching
    from mm_ckpt_migrate.cli.render import print_json

    with watching(quiet=as_json) as watcher:
        items = plan_batch(work, jobs=jobs, watcher=watcher)
    if as_json:
        print_json([item_to_json(item) for item in items])
    else:
        print_items(items)
    return ExitCode.OK


def _run(work: Batch, jobs: int, as_json: bool, engine: EngineMaker | None = None) -> int:
    from mm_ckpt_migrate.batch.pool import Pool
    from mm_ckpt_migrate.batch.run import run_batch
    from mm_ckpt_migrate.cli.batch_view import print_result, watching
    from mm_ckpt_migrate.cli.render import print_json
    from mm_ckpt_migrate.htmlreport.batch import write_batch_page

    page = write_batch_page if find_spec("jinja2") else None
    try:
        with watching(quiet=as_json) as watcher:
            result = run_batch(work, jobs=jobs, watcher=watcher, engine=engine or Pool, page=page)
    except KeyboardInterrupt:
        typer.echo("Interrupted. What is done is done; run it again for the rest.", err=True)
        return ExitCode.INTERRUPTED
    if as_json:
        print_json(result.to_json())
    else:
        print_result(result, work.report.with_suffix(".html") if page else work.report)
    return ExitCode.OK if result.complete else ExitCode.INCOMPLETE
