"""What can go wrong: typed errors with a sentence, a next step and an exit code.

Library code raises these; `cli.boundary` alone turns them into text and an exit status.
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import ClassVar


class ExitCode(IntEnum):
    """Every exit status of the program, as documented in the README."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    BAD_CHECKPOINT = 3
    BAD_RULES = 4
    FAMILY_REFUSED = 5
    BAD_TARGET = 6
    BAD_DESTINATION = 7
    MISSING_SOFTWARE = 8
    CHANGES_NEEDED = 9
    INTEGRITY_FAILED = 10
    KEYS_FAILED = 11
    ROLES_FAILED = 12
    FORWARD_FAILED = 13
    RESUME_FAILED = 14
    METRIC_FAILED = 15
    INCOMPLETE = 16
    FINDINGS = 17
    INTERRUPTED = 130


class MigrateError(Exception):
    """An error a user can act on.

    Attributes:
        message: one sentence that says what is wrong.
        hint: what to do or type next; empty when there is nothing useful to say.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class LocatedError(MigrateError):
    """An error in one file, said as `path: reason` or `path:line: reason`.

    Attributes:
        path: the file or folder, as a path or a name.
        reason: what is wrong with it.
        line: 1-based line of the fault, or None where it concerns the whole file.
    """

    def __init__(self, path: Path | str, reason: str, *, line: int | None = None, hint: str = "") -> None:
        where = f"{path}:{line}" if line is not None else str(path)
        super().__init__(f"{where}: {reason}", hint=hint)
        self.path = path
        self.line = line
        self.reason = reason


class CheckpointError(LocatedError):
    """The checkpoint cannot be read, or is not what it claims to be."""

    exit_code = ExitCode.BAD_CHECKPOINT


class LimitError(CheckpointError):
    """The checkpoint asks for more than any genuine file needs."""


class RuleError(LocatedError):
    """A rule file is malformed."""

    exit_code = ExitCode.BAD_RULES

    def __init__(self, path: Path | str, line: int | None, reason: str, *, hint: str = "") -> None:
        super().__init__(path, reason, line=line, hint=hint)


class PlanError(MigrateError):
    """A guarantee of the plan is broken: it names the rule and the key."""

    exit_code = ExitCode.BAD_RULES


class FamilyError(MigrateError):
    """The checkpoint is not of the chosen family, or of none that the rules know."""

    exit_code = ExitCode.FAMILY_REFUSED


class UnknownFamilyError(FamilyError):
    """The checkpoint is of no family that the rules know."""


class ConfigError(LocatedError):
    """A config cannot be found, read without running it, or built."""

    exit_code = ExitCode.BAD_TARGET


class TargetMismatchError(MigrateError):
    """The migrated state dict is not the one that the target model asks for."""

    exit_code = ExitCode.KEYS_FAILED


class IntegrityError(MigrateError):
    """The written bytes are not the source's."""

    exit_code = ExitCode.INTEGRITY_FAILED


class DestinationError(LocatedError):
    """The destination cannot or must not be written."""

    exit_code = ExitCode.BAD_DESTINATION


class MissingSoftwareError(MigrateError):
    """A part of the OpenMMLab stack is not installed."""

    exit_code = ExitCode.MISSING_SOFTWARE
