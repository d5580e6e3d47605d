"""`doctor` and `demo`."""

from __future__ import annotations

import typer

from mm_ckpt_migrate.cli import arguments as args
from mm_ckpt_migrate.cli.boundary import command
from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.verdicts import ConvertReport, Rung, Status


@command
def doctor(as_json: args.JsonOption = False) -> int:
    """Check the OpenMMLab stack: versions, compiled operators, what is missing and its cure."""
    from mm_ckpt_migrate.cli.asjson import print_json
    from mm_ckpt_migrate.cli.render import print_facts
    from mm_ckpt_migrate.doctor import examine

    health = examine()
    if as_json:
        print_json(health.to_json())
    else:
        facts = {part.name: _line(part.found, part.wanted, part.mend) for part in health.parts}
        facts["compiled ops"] = "yes, used" if health.compiled else "no, and none are needed"
        facts["python"] = health.python
        facts["cache"] = health.cache
        facts |= {f"note {number}": text for number, text in enumerate(health.notices, 1)}
        print_facts(facts)
    return ExitCode.OK if health.ok else ExitCode.MISSING_SOFTWARE


def _line(found: str | None, wanted: str, mend: str) -> str:
    state = found or "not installed"
    return f"{state} ({wanted} is needed): {mend}" if mend else state


@command
def demo(as_json: args.JsonOption = False) -> int:
    """Convert the bundled genuine old checkpoints, and show the ladder of proof."""
    from mm_ckpt_migrate.cli.asjson import print_json
    from mm_ckpt_migrate.cli.render import print_outcome
    from mm_ckpt_migrate.demo import demonstrate
    from mm_ckpt_migrate.doctor import examine
    from mm_ckpt_migrate.files.archive.scratch import scratch_folder

    health = examine()
    reports = []
    with scratch_folder() as folder:
        for report in demonstrate(folder, build=health.ok):
            reports.append(report)
            if not as_json:
                print_outcome(report)
    if as_json:
        print_json([report.to_json() for report in reports])
    elif health.ok and all(_proven(report) for report in reports):
        typer.secho(
            f"{len(reports)} genuine old checkpoints load in the current release and give the old "
            "release's outputs. The new files were temporary and are gone.",
            fg="green",
        )
    elif not health.ok:
        typer.echo("The OpenMMLab stack is not here: mm-ckpt-migrate doctor says what is missing.")
    return next((r.exit_code for r in reports if r.exit_code), ExitCode.OK)


def _proven(report: ConvertReport) -> bool:
    (forward,) = (verdict for verdict in report.verdicts if verdict.rung is Rung.FORWARD)
    return report.exit_code == ExitCode.OK and forward.status is Status.PASS
