"""What `convert` and `plan` write beside the new checkpoint: the plan, and the target config."""

from __future__ import annotations

import ast
import json
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.convert.options import EMBEDDED, Options
from mm_ckpt_migrate.errors import MigrateError, PlanError
from mm_ckpt_migrate.files.archive.outputs import Inputs, Output
from mm_ckpt_migrate.files.archive.publish import Draft
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.mapping.plan import Plan, plan_from_json

_MAX_BYTES: Final = 64 << 20
_NO_CONFIG: Final = ("-", EMBEDDED)


def outputs_of(new: Path | None, options: Options) -> list[Output]:
    """All that a `convert` to `new` makes, or a `plan` where there is none; the result last."""
    force, found = options.force, []
    if options.config_out is not None:
        found.append(
            Output(
                option="--config-out",
                path=options.config_out,
                force=force,
                kind="a config",
                is_kind=is_config,
            )
        )
    if options.plan_file is not None and not options.reverse:
        beside = ("a plan", is_plan) if new is not None else ("", None)
        found.append(Output("--plan", options.plan_file, force, *beside))
    return [*found, Output("NEW", new, force)] if new is not None else found


def inputs_of(old: Path, cfg: str, options: Options) -> Inputs:
    """All that they read, and what to call it."""
    return {
        "the source": [old],
        "the config": config_inputs(cfg),
        "a rule file": options.rules,
        "the plan": [options.plan_file] if options.plan_file and options.reverse else [],
    }


def config_inputs(cfg: str | None) -> list[Path]:
    """The files of a config and of those that it inherits from; none where it cannot be read."""
    if cfg is None or cfg in _NO_CONFIG:
        return []
    from mm_ckpt_migrate.configs.read.config import config_files
    from mm_ckpt_migrate.configs.read.find import find_config

    with suppress(MigrateError):
        return config_files(find_config(cfg))
    return []


def is_plan(path: Path) -> bool:
    """Whether a file is a plan, as `--plan` saves it."""
    with suppress(PlanError, OSError, ValueError, RecursionError):
        plan_from_json(json.loads(_content(path)))
        return True
    return False


def is_config(path: Path) -> bool:
    """Whether a file is a config in Python, as `--config-out` writes it."""
    with suppress(OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        body = ast.parse(_content(path)).body
        assigned = (one for node in body if isinstance(node, ast.Assign) for one in node.targets)
        return any(isinstance(one, ast.Name) and one.id == "model" for one in assigned)
    return False


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_BYTES)


def plan_bytes(plan: Plan) -> bytes:
    """The plan as a file."""
    return (json.dumps(plan.to_json(), indent=1) + "\n").encode()


def private_mode(source: Source) -> int:
    """The mode of a file that tells what the source holds: whoever may read that may read it."""
    return source.status.st_mode & 0o666


def draft(stack: ExitStack, source: Source, path: Path, data: bytes) -> Draft:
    """A complete file that waits for its name; raises DestinationError."""
    made = stack.enter_context(Draft(path, private_mode(source)))
    made.write(0, data)
    return made
