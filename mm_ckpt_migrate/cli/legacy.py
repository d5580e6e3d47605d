"""`legacy create`, `legacy list` and `legacy remove`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mm_ckpt_migrate.cli import arguments as args
from mm_ckpt_migrate.cli.boundary import command
from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.releases.old.release import DEFAULT

app = typer.Typer(
    help="The old release, in an environment of its own: what `verify` compares with.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("create")
@command
def create_environment(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="The old release.", show_default=True)
    ] = DEFAULT,
    python: Annotated[
        Path | None, typer.Option("--python", metavar="PATH", help="Make it with this Python, 3.10 to 3.12.")
    ] = None,
    torch_index: Annotated[
        str | None,
        typer.Option(
            "--torch-index",
            metavar="URL",
            help="Look for torch there, too: an index of builds for the CPU spares gigabytes.",
        ),
    ] = None,
    as_json: args.JsonOption = False,
) -> int:
    """Install the genuine old release, in about a minute; one that is there is left as it is."""
    from mm_ckpt_migrate.cli.asjson import print_json
    from mm_ckpt_migrate.names import safe_text
    from mm_ckpt_migrate.releases.old.environment import create

    try:
        environment = create(
            name,
            python=python,
            torch_index=torch_index,
            progress=lambda line: typer.echo(safe_text(line, 1000), err=True),
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"Interrupted. {_state(name)}") from None
    if as_json:
        print_json(_facts(environment.name, environment.python, dict(environment.versions)))
    else:
        typer.echo(f"{environment.name}: {environment.python}")
    return ExitCode.OK


@app.command("list")
@command
def list_environments(as_json: args.JsonOption = False) -> int:
    """List the environments that were made, and what each has."""
    from mm_ckpt_migrate.cli.asjson import print_json
    from mm_ckpt_migrate.cli.render import print_facts
    from mm_ckpt_migrate.releases.old.environment import busy, folder, found, unfinished

    environments = found()
    if as_json:
        print_json([_facts(e.name, e.python, dict(e.versions)) for e in environments])
        return ExitCode.OK
    lines = {e.name: f"{e.python}\n{_versions(dict(e.versions))}" for e in environments}
    lines |= {
        name: "being made or removed by another process"
        if busy(name)
        else "not finished: `legacy create` begins anew, `legacy remove` removes it"
        for name in unfinished()
        if name not in lines
    }
    if lines:
        print_facts(lines)
    else:
        typer.echo(f"None in {folder()}. `mm-ckpt-migrate legacy create` makes one.")
    return ExitCode.OK


@app.command("remove")
@command
def remove_environment(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One that `list` shows.")],
    as_json: args.JsonOption = False,
) -> int:
    """Remove an environment from the cache folder."""
    from mm_ckpt_migrate.cli.asjson import print_json
    from mm_ckpt_migrate.releases.old.environment import remove

    try:
        remove(name)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"Interrupted. {_state(name)}") from None
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        typer.echo(f"{name}: removed")
    return ExitCode.OK


def _state(name: str) -> str:
    """What is there of an environment, in a sentence."""
    from mm_ckpt_migrate.releases.old.environment import found, unfinished

    if name in {environment.name for environment in found()}:
        return f"The environment {name} is there, complete."
    if name in unfinished():
        return f"A part of the environment {name} is left: `legacy remove` removes it."
    return f"Of the environment {name} nothing is there."


def _facts(name: str, python: Path, versions: dict[str, str]) -> dict[str, object]:
    return {"name": name, "python": str(python), "versions": versions}


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{package} {version}" for package, version in versions.items())
