"""Fill a new virtual environment with an old release, by pip from the user's own index."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.errors import MissingSoftwareError
from mm_ckpt_migrate.releases.old.release import Lock

Progress = Callable[[str], None]

PYTHONS: Final = ((3, 10), (3, 11), (3, 12))
_NEEDED_BYTES: Final = 3 << 30
_PATIENCE: Final = ("--retries", "2", "--timeout", "30")
# Settings of pip that would put packages elsewhere.
_MISLEADING: Final = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_REQUIRE_VIRTUALENV")
_QUOTED: Final = 300
_FAULTS: Final = (
    (
        r"No space left on device|Disk quota exceeded",
        "the disk is full",
        "Make room, or choose another folder with $MM_CKPT_MIGRATE_LEGACY.",
    ),
    (
        r"ensurepip is not|No module named '?(venv|ensurepip)",
        "this Python cannot make virtual environments",
        "Install its venv module (on Debian: python3-venv), or give another Python: --python PATH.",
    ),
    (
        r"name resolution|not known|timed out|Connection|Max retries|Network is unreachable|"
        r"SSLError|ProxyError|Could not resolve",
        "the package index cannot be reached",
        "Connect to "
        "the network or set PIP_INDEX_URL to a mirror; or make the environment elsewhere and give its "
        "interpreter with --legacy-python.",
    ),
    (
        r"No matching distribution|Could not find a version",
        "the package index does not have it",
        "Set PIP_INDEX_URL to a complete index; or give an interpreter that has the old release with "
        "--legacy-python.",
    ),
)


def install(
    lock: Lock, path: Path, held: int, progress: Progress, *, base: Path | None, index: str | None
) -> None:
    """Make a virtual environment in an empty folder, and install what the lock file says.

    Args:
        index: where pip looks for torch, too.
        held: descriptor that the children inherit: while one runs, the folder's lock is held.

    Raises:
        MissingSoftwareError: it cannot be done; it says why and what to do.
    """
    _check_room(path, _NEEDED_BYTES)
    python = base_python(base)
    progress(f"making a virtual environment with {python}")
    _run([str(python), "-I", "-m", "venv", str(path)], "venv", held, progress)
    extra = ["--extra-index-url", index] if index else []
    progress(f"1 of 3: torch {lock.torch.partition('==')[2]}")
    _pip(path, [*_PATIENCE, *extra, "-c", str(lock.path), lock.torch], held, progress)
    progress(f"2 of 3: {len(lock.needed)} packages")
    _pip(path, ["--no-deps", *lock.needed], held, progress)
    progress(f"3 of 3: {', '.join(lock.openmmlab)}")
    _pip(path, ["--no-deps", "--no-build-isolation", *lock.openmmlab], held, progress)


def base_python(given: Path | None = None) -> Path:
    """An interpreter of a release that the old packages support: the given one, ours, or another.

    Raises:
        MissingSoftwareError: there is none.
    """
    wanted = " or ".join(f"{major}.{minor}" for major, minor in PYTHONS)
    if given is not None:
        path = shutil.which(os.path.expanduser(given))
        if path is None or _release_of(path) not in PYTHONS:
            raise MissingSoftwareError(f"{given} is no Python {wanted}")
        return Path(path)
    if sys.version_info[:2] in PYTHONS:
        return Path(sys.executable)
    for major, minor in reversed(PYTHONS):
        path = shutil.which(f"python{major}.{minor}")
        if path is not None and _release_of(path) == (major, minor):
            return Path(path)
    raise MissingSoftwareError(
        f"the old release needs Python {wanted}, and there is none on the PATH",
        hint="Install one, and give it: --python PATH.",
    )


def _release_of(python: str) -> tuple[int, ...]:
    """Major and minor version; empty where it does not say."""
    command = [python, "-I", "-c", "import sys; print(*sys.version_info[:2])"]
    with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)  # noqa: S603
        return tuple(map(int, said.stdout.split()))
    return ()


def _check_room(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path).free
    if free < needed:
        raise MissingSoftwareError(
            f"{path.parent} has {free / 1e9:.1f} GB of free space; the old release needs up to "
            f"{needed / 1e9:.0f} GB while it is installed",
            hint="Make room, or choose another folder with $MM_CKPT_MIGRATE_LEGACY.",
        )


def _pip(path: Path, arguments: Sequence[str], held: int, progress: Progress) -> None:
    # The scripts in `bin` name a folder that is going to be renamed: always `-m`.
    command = [str(path / "bin" / "python"), "-I", "-m", "pip", "install", "--no-input"]
    options = ["--disable-pip-version-check", "--progress-bar", "off"]
    _run([*command, *options, *arguments], "pip", held, progress)


def _run(command: Sequence[str], what: str, held: int, progress: Progress) -> None:
    """Run a command to its end; its downloads are progress."""
    environment = {key: value for key, value in os.environ.items() if key not in _MISLEADING}
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - our own arguments
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
            pass_fds=(held,),
            start_new_session=True,
        )
        said: list[str] = []
        try:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line.strip())
                if "Downloading" in line and "MB" in line:
                    progress(line.strip())
            process.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        if process.returncode:
            errors.seek(0)
            said += errors.read().decode("utf-8", "replace").splitlines()
            raise explained(what, said)


def explained(what: str, said: Sequence[str]) -> MissingSoftwareError:
    """Why a command failed, in one sentence, and what to do."""
    for pattern, reason, hint in _FAULTS:
        line = next((line.strip() for line in said if re.search(pattern, line)), None)
        if line is not None:
            return MissingSoftwareError(f"{reason} ({what} says: {line[:_QUOTED]})", hint=hint)
    lines = [line.strip() for line in said if line.strip()]
    last = next((line for line in lines if line.startswith("ERROR")), (lines or ["nothing"])[-1])
    return MissingSoftwareError(
        f"the old release cannot be installed; {what} says: {last[:_QUOTED]}",
        hint="Give an interpreter that has it with --legacy-python.",
    )
