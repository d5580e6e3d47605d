"""`batch`."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mm_ckpt_migrate.cli import arguments as args
from mm_ckpt_migrate.cli.boundary import command
from mm_ckpt_migrate.cli.convert import For
from mm_ckpt_migrate.cli.usage import finite, refuse_idle
from mm_ckpt_migrate.errors import ExitCode

if TYPE_CHECKING:
    from mm_ckpt_migrate.batch.engine import EngineMaker
    from mm_ckpt_migrate.batch.engines.task import Urls
    from mm_ckpt_migrate.batch.folder import Folders
    from mm_ckpt_migrate.batch.options import Batch


class Where(str, Enum):
    """What does the work."""

    LOCAL = "local"
    RAY = "ray"


@command
def batch(
    sources: Annotated[str, typer.Argument(metavar="ZOO_DIR", help="Folder of checkpoints, or its URL.")],
    results: Annotated[str, typer.Argument(metavar="NEW_DIR", help="Folder for the results, or its URL.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan and stop; nothing is written.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=256, metavar="N", help="Files at once. Default: one per core.")
    ] = None,
    no_build: args.NoBuildOption = False,
    purpose: Annotated[
        For | None, typer.Option("--for", help="inference: weights, meta and config only.")
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="Hard links where nothing has to change, not copies.")
    ] = False,
    seconds: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="What one file may take.", callback=finite)
    ] = 1800.0,
    memory: Annotated[
        int, typer.Option(min=16, metavar="MIB", help="What one file may take of memory.")
    ] = 4096,
    list_file: Annotated[
        Path | None, typer.Option("--list", metavar="FILE", help="Only these: paths in ZOO_DIR, one a line.")
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
    shard: Annotated[str, typer.Option(metavar="I/N", help="Only the I-th of N parts, for N machines.")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Replace files in NEW_DIR that no batch made.")
    ] = False,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state", metavar="DIR", help="Where NEW_DIR is a URL: folder for the journal and the report."
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Then verify each new file, with a report page beside it.")
    ] = False,
    evaluate: Annotated[
        bool, typer.Option("--eval", help="The same, and evaluate it on its config's test set.")
    ] = False,
    data_root: args.DataRootOption = None,
    device: args.DeviceOption = "cpu",
    legacy_python: args.LegacyPythonOption = None,
    engine: Annotated[
        Where, typer.Option("--engine", help="Work here, or as tasks on a Ray cluster.")
    ] = Where.LOCAL,
    ray_address: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="The cluster's; auto finds the one at hand.")
    ] = "auto",
    num_gpus: Annotated[
        float,
        typer.Option(
            min=0, metavar="N", help="GPUs that a Ray task that verifies asks for.", callback=finite
        ),
    ] = 0.0,
    allow_import: args.AllowImportOption = None,
    allow_unconfined: args.AllowUnconfinedOption = False,
    as_json: args.JsonOption = False,
) -> int:
    """Migrate a whole model zoo; what needs no migration is copied.

    Kill it at any moment and run it again: what was done is skipped, the rest goes on. Nothing
    in ZOO_DIR is written. NEW_DIR/batch.json accounts for every input.
    """
    from mm_ckpt_migrate.batch.listed import Listed, read_listed, read_names, zoo_path
    from mm_ckpt_migrate.batch.options import Batch, BatchOptions
    from mm_ckpt_migrate.batch.prove import Proving
    from mm_ckpt_migrate.batch.shard import read_shard
    from mm_ckpt_migrate.convert.options import Purpose

    proves = verify or evaluate
    _check_usage(evaluate, proves, engine, builds=not no_build or proves, publish=publish)
    listed = read_listed(zoo) if zoo else Listed({}, {})
    options = BatchOptions(
        build=not no_build,
        purpose=Purpose(purpose.value) if purpose else None,
        publish=publish,
        link=link,
        allow_imports=tuple(allow_import or ()),
        allow_unconfined=allow_unconfined,
        seconds=seconds,
        memory=memory << 20,
    )
    proving = Proving(
        evaluate=evaluate,
        data_root=data_root,
        device=device,
        legacy_python=legacy_python,
        pages=find_spec("jinja2") is not None,
        expected=listed.metrics,
        allow_unconfined=allow_unconfined,
    )
    work = Batch(
        sources=Path(sources),
        results=Path(results) if state is None else state,
        options=options,
        listed=listed.configs,
        names=read_names(list_file) if list_file else None,
        shard=read_shard(shard) if shard else None,
        force=force,
        zoo=zoo_path(zoo) if zoo else None,
        proving=proving if proves else None,
        reads=list(filter(None, (list_file, zoo))),
    )
    how = _how(work, sources, results, state)
    how = _on_ray(how, ray_address, num_gpus) if engine is Where.RAY else how
    how = replace(how, jobs=jobs or how.jobs)
    return _plan(work, how, as_json) if dry_run else _run(work, how, as_json)


def _check_usage(evaluate: bool, proves: bool, engine: Where, *, builds: bool, publish: bool) -> None:
    refuse_idle(not evaluate, "without --eval", "data_root", "device")
    refuse_idle(not proves, "without --verify or --eval", "legacy_python", "num_gpus")
    refuse_idle(engine is not Where.RAY, "without --engine ray", "ray_address", "num_gpus")
    refuse_idle(not builds, "where no model is built", "allow_import", "allow_unconfined")
    refuse_idle(publish, "with --publish, whose files are for inference", "purpose")


@dataclass(frozen=True, slots=True)
class _How:
    """How the work is done; the defaults of `run_batch` where nothing is said."""

    jobs: int
    urls: Urls | None = None
    engine: EngineMaker | None = None
    folders: Folders | None = None

    def options(self) -> dict[str, Any]:
        given = {"engine": self.engine, "folders": self.folders}
        return {"jobs": self.jobs, **{name: it for name, it in given.items() if it is not None}}


def _on_ray(how: _How, address: str, num_gpus: float) -> _How:
    from mm_ckpt_migrate.batch.engines.ray_engine import RayEngine

    ray = partial(RayEngine, urls=how.urls, address=address, num_gpus=num_gpus)
    # No number of jobs: as many as the cluster has processors.
    return replace(how, engine=ray, jobs=0)


def _how(work: Batch, sources: str, results: str, state: Path | None) -> _How:
    here, there = (text if "://" in text else "" for text in (sources, results))
    if there and state is None:
        raise typer.BadParameter(
            "where NEW_DIR is a URL, the journal and the report need a folder: --state DIR"
        )
    if state is not None and not there:
        raise typer.BadParameter("--state is for a NEW_DIR that is a URL; here, all lies there")
    jobs = os.cpu_count() or 1
    if not here and not there:
        return _How(jobs)
    from mm_ckpt_migrate.batch.engines.folders import UrlFolders
    from mm_ckpt_migrate.batch.engines.task import Urls
    from mm_ckpt_migrate.batch.engines.url_engine import UrlEngine

    urls = Urls(here, there)
    return _How(jobs, urls, partial(UrlEngine, urls=urls), UrlFolders(work, urls))


def _plan(work: Batch, how: _How, as_json: bool) -> int:
    from mm_ckpt_migrate.batch.report import item_to_json
    from mm_ckpt_migrate.batch.run import plan_batch
    from mm_ckpt_migrate.cli.asjson import print_json
    from mm_ckpt_migrate.cli.batch_view import print_items, watching

    with watching(quiet=as_json) as watcher:
        items = plan_batch(work, watcher=watcher, **how.options())
    if as_json:
        print_json([item_to_json(item) for item in items])
    else:
        print_items(items)
    return ExitCode.OK


def _run(work: Batch, how: _How, as_json: bool) -> int:
    from mm_ckpt_migrate.batch.run import run_batch
    from mm_ckpt_migrate.cli.asjson import print_json
    from mm_ckpt_migrate.cli.batch_view import print_result, watching
    from mm_ckpt_migrate.pages.batch import write_batch_page

    page = write_batch_page if find_spec("jinja2") else None
    try:
        with watching(quiet=as_json) as watcher:
            result = run_batch(work, watcher=watcher, page=page, **how.options())
    except KeyboardInterrupt:
        text = "Interrupted. What is done is done; run it again for the rest."
        raise KeyboardInterrupt(text) from None
    if as_json:
        print_json(result.to_json())
    else:
        print_result(result, work.report.with_suffix(".html") if page else work.report)
    return ExitCode.OK if result.complete else ExitCode.INCOMPLETE
