"""`Ladder`: the verdicts of a verification; an error on one rung never hides the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from mm_ckpt_migrate.errors import MigrateError
from mm_ckpt_migrate.verdicts import Rung, Verdict, skipped

T = TypeVar("T")


@dataclass(slots=True)
class Ladder:
    """What was found so far.

    Attributes:
        found: a verdict for each rung that was tried.
        fault: the first error that kept a rung from being climbed, or None.
    """

    found: dict[Rung, Verdict] = field(default_factory=dict)
    fault: MigrateError | None = None

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """In the order of the rungs."""
        return tuple(self.found[rung] for rung in Rung if rung in self.found)

    def climb(self, rung: Rung, look: Callable[[], tuple[Verdict, T]]) -> T | None:
        """Take a rung's verdict, and give what was measured; None where an error stopped it."""
        try:
            self.found[rung], measured = look()
        except MigrateError as error:
            self.stop(rung, error)
            return None
        return measured

    def stop(self, rung: Rung, error: MigrateError, *, fault: bool = True) -> None:
        """Skip a rung for an error, which also decides on the exit code if it is a fault."""
        verdict = skipped(rung, " ".join(error.message.split()))
        self.found[rung] = replace(verdict, details=(error.hint,) if error.hint else ())
        if fault and self.fault is None:
            self.fault = error
