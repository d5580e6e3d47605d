"""All outputs of a command, judged together before any work.

`--force` replaces the result that a command is named for, whatever it is, and beside it only what
is of the kind that an option writes: a plan, a config, a recording. It never replaces an input.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.errors import DestinationError
from mm_ckpt_migrate.files.archive.leftovers import open_draft
from mm_ckpt_migrate.files.archive.publish import Draft, as_destination_error, check_destination

Inputs = Mapping[str, Iterable[Path]]
"""Files that are read, by what to call them."""
_ANOTHER: Final = "Give each file a name of its own."


@dataclass(frozen=True, slots=True)
class Output:
    """A file that a command is going to make.

    Attributes:
        option: what the user knows it by, such as NEW or --plan.
        force: whether it may replace a file.
        kind: what such a file has to be; any, where it is empty.
        is_kind: whether the file at a path is that.
        makes_folder: whether the command makes its folder where there is none.
    """

    option: str
    path: Path
    force: bool = False
    kind: str = ""
    is_kind: Callable[[Path], bool] | None = None
    makes_folder: bool = False


def check_outputs(outputs: Sequence[Output], inputs: Callable[[], Inputs]) -> tuple[str, ...]:
    """Make sure that each output may be written, and is neither another one nor an input.

    Args:
        outputs: NEW last, where there is one, for beside it the others are made.
        inputs: asked only where a file would be replaced, for nothing else can be an input.

    Returns:
        Of each file that a killed run had left in their folders, that it was swept away.

    Raises:
        DestinationError: one of them must not or cannot be written; it names which, and why.
    """
    for first, second in combinations(outputs, 2):
        _check_apart(first, second)
    if any(os.path.lexists(output.path) for output in outputs):
        given = inputs()
        for output in outputs:
            _check_no_input(output, given)
    swept = []
    for output in outputs:
        swept += _check(output, outputs[-1])
    return tuple(f"{path}, which a killed run had left, was removed" for path in swept)


def _check_apart(first: Output, second: Output) -> None:
    one, other = _place(first.path), _place(second.path)
    if _is_same(first.path, second.path) or (_is_twin(one, other) and _ignores_case(one.parent)):
        raise DestinationError(second.path, f"{first.option} and {second.option} are one file", hint=_ANOTHER)
    for inner, outer in ((first, second), (second, first)):
        if _place(outer.path) in _place(inner.path).parents:
            raise DestinationError(
                outer.path, f"{outer.option} is a file, and {inner.option} lies in it", hint=_ANOTHER
            )


def _place(path: Path) -> Path:
    """Where the name itself is, in a folder without links and `..`."""
    return Path(os.path.realpath(path.parent), path.name)


def _is_same(first: Path, second: Path) -> bool:
    try:
        return os.path.samestat(first.stat(), second.stat())
    except (OSError, ValueError):
        return os.path.realpath(first) == os.path.realpath(second)


def _is_twin(first: Path, second: Path) -> bool:
    """Whether a file system that ignores case has one file of these two names."""
    return first != second and str(first).casefold() == str(second).casefold()


def _ignores_case(folder: Path) -> bool:
    try:
        draft, descriptor = open_draft(folder, os.O_RDWR, 0o600)
    except OSError:  # which is found, and said, when it is probed for writing
        return False
    os.close(descriptor)
    try:
        return os.path.lexists(draft.with_name(draft.name.upper()))
    finally:
        draft.unlink(missing_ok=True)


def _check_no_input(output: Output, inputs: Inputs) -> None:
    for name, paths in inputs.items():
        if any(_is_same(output.path, path) for path in paths):
            raise DestinationError(
                output.path,
                f"it is {name} itself, which is never written",
                hint=f"Give {output.option} another name.",
            )


def _check(output: Output, result: Output) -> list[Path]:
    path = output.path
    if output.makes_folder and not os.path.lexists(path.parent):
        folder = next((one for one in path.parent.parents if os.path.lexists(one)), path.parent)
        try:
            _probe(folder / path.name)
        except DestinationError as error:
            reason = f"nothing can be made in {folder}: {error.reason}"
            raise DestinationError(path, reason, hint=error.hint) from None
        return []
    try:
        swept = check_destination(path, None, force=output.force)
    except DestinationError as error:
        alone = result.option == "NEW" and not os.path.lexists(result.path)
        if alone and os.path.isfile(path) and not os.path.islink(path):
            left = f"{result.option} is not there: a run that was killed may have left this file."
            raise DestinationError(path, error.reason, hint=f"{error.hint} {left}") from None
        raise
    if os.path.lexists(path) and output.is_kind is not None and not output.is_kind(path):
        raise DestinationError(
            path,
            f"it is not {output.kind}, and {output.option} replaces nothing else",
            hint="Remove it yourself, or give another name.",
        )
    _probe(path)
    return swept


def _probe(path: Path) -> None:
    """Make a file beside it that is gone at once; raises DestinationError."""
    if not os.path.isdir(path.parent):
        raise DestinationError(path, "it is not a folder", hint="Give another one.")
    try:
        with Draft(path, 0o600):
            pass
    except OSError as error:
        raise as_destination_error(path, error) from error
