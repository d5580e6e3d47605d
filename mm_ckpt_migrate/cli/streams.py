"""Standard streams that cannot change how the program ends.

Whoever reads the output may go away (`| head -1`), its disk may be full, or it may have been closed
from the start (`>&-`). None of that is a verdict: the exit code stays what the command found.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import select
import sys
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

_NAMES: Final = ("stdin", "stdout", "stderr")
# The reader has gone, or there was none from the start: somebody meant that.
_MEANT: Final = {errno.EPIPE, errno.EBADF}


class _Lossy(io.FileIO):
    """A descriptor that is written to as long as that works; from then on, all is dropped.

    Attributes:
        fault: the first error of the system, or None.
    """

    fault: OSError | None = None

    def write(self, data: Buffer, /) -> int:
        while self.fault is None:
            try:
                if written := super().write(data):
                    return written
                # A pipe that whoever started us lets nobody wait for: wait all the same.
                select.select([], [self], [])
            except OSError as error:
                self.fault = error
        return memoryview(data).nbytes


def guard() -> None:
    """Have standard output and error drop what nobody takes, for the rest of the process."""
    for descriptor, name in enumerate(_NAMES):
        _keep_open(descriptor)
        if name != "stdin":
            setattr(sys, name, _lossy(descriptor, getattr(sys, name)))


def _keep_open(descriptor: int) -> None:
    """Else the next file that is opened, such as a checkpoint, would get what is printed."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_GETFD)
    except OSError:
        # The lowest number that is free is given, and they are asked for in order.
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _lossy(descriptor: int, old: TextIO | None) -> TextIO:
    raw = _Lossy(descriptor, "w", closefd=False)
    # An odd character in a name shall not end a command on a terminal that lacks it.
    return io.TextIOWrapper(
        io.BufferedWriter(raw, io.DEFAULT_BUFFER_SIZE),
        encoding=old.encoding if old is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=raw.isatty() or descriptor == _NAMES.index("stderr"),
    )


def settle() -> None:
    """Write what is left, and say on stderr where a disk, and no reader, lost the output."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    fault = getattr(getattr(getattr(sys.stdout, "buffer", None), "raw", None), "fault", None)
    if isinstance(fault, OSError) and fault.errno not in _MEANT:
        sys.stderr.write(f"Error: the output is not complete: {fault.strerror}\n")
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
