"""What reading a config may cost, and the error that says a config goes further.

A hostile config asks for gigabytes in twenty characters. So everything that grows is counted
before it is made; the limits are far above those of the largest config of mmdet and mmseg
(30 KB, 27,000 steps, 10 files).
"""

from __future__ import annotations

from typing import Final

MAX_BYTES: Final = 1 << 20
MAX_BASE_DEPTH: Final = 20
MAX_FILES: Final = 200
MAX_NESTING: Final = 100
MAX_STEPS: Final = 500_000
MAX_ITEMS: Final = 100_000
MAX_TEXT: Final = 1 << 20
MAX_INT_BITS: Final = 128

# A step pays for this many characters or bytes: they cost far less than a value does.
_CHARACTERS_PER_STEP: Final = 16


class UnreadableError(Exception):
    """A config holds something that cannot be read statically; the caller adds path and line."""


class OverBudgetError(UnreadableError):
    """A config asks for more than any genuine config needs."""


class Budget:
    """The allowance of one read, shared by the config and all its bases."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self._steps = steps
        self._files = MAX_FILES

    def spend(self, steps: int = 1) -> None:
        """Count `steps` evaluated nodes or stored values.

        Raises:
            OverBudgetError: the allowance is used up.
        """
        self._steps -= steps
        if self._steps < 0:
            raise OverBudgetError(f"the config takes more than {MAX_STEPS:,} steps to read")

    def items(self, count: int) -> None:
        """Count a list, tuple or dict of `count` elements, before it is made.

        Raises:
            OverBudgetError: the sequence is too long, or the allowance is used up.
        """
        if count > MAX_ITEMS:
            raise OverBudgetError(f"a sequence has more than {MAX_ITEMS:,} elements")
        self.spend(count)

    def text(self, length: int) -> None:
        """Count a string of `length` characters, before it is made.

        Raises:
            OverBudgetError: the string is too long, or the allowance is used up.
        """
        if length > MAX_TEXT:
            raise OverBudgetError(f"a string has more than {MAX_TEXT:,} characters")
        self.spend(length // _CHARACTERS_PER_STEP)

    def file(self, size: int) -> None:
        """Count a config file of `size` bytes, before it is parsed.

        Raises:
            OverBudgetError: the file is too large, or there are too many of them.
        """
        if size > MAX_BYTES:
            raise OverBudgetError(f"the config is larger than {MAX_BYTES:,} bytes")
        self._files -= 1
        if self._files < 0:
            raise OverBudgetError(f"the config has more than {MAX_FILES} base files")
        self.spend(size // _CHARACTERS_PER_STEP)


def check_nesting(depth: int) -> None:
    """Stop before the interpreter's own recursion limit does.

    Raises:
        OverBudgetError: `depth` is beyond the limit.
    """
    if depth > MAX_NESTING:
        raise OverBudgetError(f"values are nested more than {MAX_NESTING} deep")


def check_int(value: int) -> int:
    """Return `value`.

    Raises:
        OverBudgetError: the number has too many digits.
    """
    if value.bit_length() > MAX_INT_BITS:
        raise OverBudgetError(f"an integer has more than {MAX_INT_BITS} bits")
    return value
