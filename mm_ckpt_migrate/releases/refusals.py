"""What a user is told of the wall: that it held, and that there is none."""

from __future__ import annotations

from mm_ckpt_migrate.errors import ConfigError


class WallError(ConfigError):
    """The wall, or that there is none, is why a model was not run; another image is of no help."""


class UnconfinedError(WallError):
    """There is none, and it is a condition."""


def stopped(source: str) -> WallError:
    """The kernel ended the child, for a system call that no model needs."""
    return WallError(
        source,
        "building or running its model tried to start a program, to use the network or to reach "
        "another process; the kernel ended that before it happened, and nothing was done",
        hint="Do not trust this config, nor the file that holds it. Where it is your own, leave "
        "out what does more than compute, or use --no-build.",
    )


def unconfined(source: str, reason: str) -> UnconfinedError:
    """There is no wall, and nobody said that this config may be built without one."""
    return UnconfinedError(
        source,
        f"nobody named it, and the code that would build its model is not confined here: {reason}",
        hint="Name a config of your own as CFG; or, if you trust the file, add --allow-unconfined.",
    )


def notice(reason: str) -> str:
    """What a report says where a model was built or run without a wall."""
    return f"not confined: the model's code ran without a wall of the kernel around it ({reason})"
