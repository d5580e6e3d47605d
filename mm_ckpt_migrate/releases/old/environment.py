"""Environments with an old release: made, found, and removed.

Each lies in a folder of its own under the user's cache folder. It is built under another name and
gets its own when the old release has answered: whatever has its name is whole.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.errors import MissingSoftwareError
from mm_ckpt_migrate.releases.old.install import Progress, install
from mm_ckpt_migrate.releases.old.release import DEFAULT, check_old, lock_named, lock_names
from mm_ckpt_migrate.releases.process import ReleaseProcess

FOLDER_VARIABLE: Final = "MM_CKPT_MIGRATE_LEGACY"
PYTHON_VARIABLE: Final = "MM_CKPT_MIGRATE_LEGACY_PYTHON"
_FACTS: Final = "legacy.json"
_BUILDING: Final = ".building"
_ANSWER_SECONDS: Final = 300.0
Installer = Callable[[str, Path, int, Progress], None]


@dataclass(frozen=True, slots=True)
class LegacyEnvironment:
    """An old release that can be run.

    Attributes:
        name: of the environment, or the interpreter's path where it is somebody else's.
        versions: of Python and the packages, as they said themselves.
    """

    name: str
    python: Path
    versions: Mapping[str, str]


def folder() -> Path:
    """The folder of all environments: `$MM_CKPT_MIGRATE_LEGACY`, or one in the user's cache."""
    if override := os.environ.get(FOLDER_VARIABLE):
        return Path(os.path.abspath(override))
    from platformdirs import user_cache_path  # costs 15 ms, which an override can save

    return user_cache_path("mm-ckpt-migrate") / "legacy"


def environment_of(python: Path) -> LegacyEnvironment:
    """Somebody's interpreter with an old release; it is asked what it has.

    Raises:
        MissingSoftwareError: there is no such interpreter, or it has no old release.
    """
    path = Path(os.path.abspath(os.path.expanduser(python)))
    if not path.is_file():
        raise MissingSoftwareError(
            f"{python}: there is no such interpreter",
            hint="Give the `bin/python` of an environment, or make one: `mm-ckpt-migrate legacy create`.",
        )
    return LegacyEnvironment(str(path), path, _ask(path))


def auto() -> LegacyEnvironment | None:
    """`$MM_CKPT_MIGRATE_LEGACY_PYTHON`, or an environment that was made before, or none.

    Raises:
        MissingSoftwareError: the variable's interpreter has no old release.
    """
    if python := os.environ.get(PYTHON_VARIABLE):
        return environment_of(Path(python))
    return next(iter(found()), None)


def named(name: str) -> LegacyEnvironment:
    """An environment that was made before.

    Raises:
        MissingSoftwareError: there is none of that name.
    """
    environment = next((e for e in found() if e.name == name), None)
    if environment is None:
        raise MissingSoftwareError(
            f"there is no environment of the old release {name!r}",
            hint=f"Make it: `mm-ckpt-migrate legacy create {name}`."
            if name in lock_names()
            else f"There can be {', '.join(lock_names())}.",
        )
    return environment


def found() -> list[LegacyEnvironment]:
    """The environments that are whole."""
    return [e for path in _folders() if (e := _whole(path)) is not None]


def unfinished() -> list[str]:
    """Names of environments that were never finished, or whose interpreter is gone."""
    return sorted({p.name.removesuffix(_BUILDING).lstrip(".") for p in _folders() if _whole(p) is None})


def busy(name: str) -> bool:
    """True while another process is at work on an environment."""
    try:
        held = os.open(_lock_path(name), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(held)
    return False


def create(
    name: str = DEFAULT,
    *,
    python: Path | None = None,
    torch_index: str | None = None,
    progress: Progress = lambda _: None,
    installer: Installer | None = None,
) -> LegacyEnvironment:
    """Make an environment; one that is there already is given as it is.

    Args:
        python: the interpreter to make it with; any of a release that fits, if None.
        torch_index: a package index to look for torch in, too, such as one with builds for the CPU.
        progress: is told what happens, line by line.
        installer: fills the new folder, instead of pip.

    Raises:
        MissingSoftwareError: a package cannot be fetched, or something else is missing.
    """
    lock = lock_named(name)
    fill = installer or (
        lambda _, path, held, say: install(lock, path, held, say, base=python, index=torch_index)
    )
    try:
        with _exclusively(name, progress) as held:
            there = _whole(folder() / name)
            return there if there is not None else _build(name, fill, held, progress)
    except OSError as error:
        raise _disk(error) from error


def remove(name: str) -> None:
    """Remove an environment, or what is left of one.

    Raises:
        MissingSoftwareError: there is none, or it cannot be removed.
    """
    if name not in {*(e.name for e in found()), *unfinished()}:
        raise MissingSoftwareError(f"there is no environment of the old release {name!r}")
    try:
        with _exclusively(name, lambda _: None):
            path, building = folder() / name, _building(name)
            shutil.rmtree(building, ignore_errors=True)
            if path.exists():
                path.rename(building)  # half of one must not have its name
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        raise _disk(error) from error


def _build(name: str, fill: Installer, held: int, progress: Progress) -> LegacyEnvironment:
    started = time.monotonic()
    building, path = _building(name), folder() / name
    if building.exists() or path.exists():
        progress("removing what is left of an earlier attempt")
        shutil.rmtree(building, ignore_errors=True)
        shutil.rmtree(path, ignore_errors=True)
    building.mkdir(mode=0o700)
    try:
        fill(name, building, held, progress)
        progress("asking the old release for its versions")
        versions = _ask(_python(building))
        (building / _FACTS).write_text(json.dumps({"name": name, "versions": versions}, indent=1))
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    os.sync()  # a power cut must not leave half of one under its name
    building.rename(path)
    progress(f"{path} is ready after {time.monotonic() - started:.0f} s")
    return LegacyEnvironment(name, _python(path), versions)


def _ask(python: Path) -> dict[str, str]:
    with ReleaseProcess(python, seconds=_ANSWER_SECONDS) as process:
        versions = process.versions()
    check_old(versions, python)
    return versions


def _folders() -> list[Path]:
    try:
        return sorted(path for path in folder().iterdir() if path.is_dir())
    except OSError:
        return []


def _whole(path: Path) -> LegacyEnvironment | None:
    """The environment in a folder; None where it is not finished or its interpreter is gone."""
    if path.name.startswith(".") or not _python(path).exists():
        return None
    try:
        facts = json.loads((path / _FACTS).read_text(encoding="utf-8"))
        versions = {str(k): str(v) for k, v in facts["versions"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    return LegacyEnvironment(path.name, _python(path), versions)


def _python(path: Path) -> Path:
    return path / "bin" / "python"


def _building(name: str) -> Path:
    return folder() / f".{name}{_BUILDING}"


def _lock_path(name: str) -> Path:
    return folder() / f".{name}.lock"


@contextlib.contextmanager
def _exclusively(name: str, progress: Progress) -> Iterator[int]:
    """Hold the name's lock; gives its descriptor, for children that must hold it as well.

    The kernel releases it when the last of them ends, however that comes about.
    """
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    held = os.open(_lock_path(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another process that is at work on it")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield held
    finally:
        os.close(held)


def _disk(error: OSError) -> MissingSoftwareError:
    hint = f"Choose another folder with ${FOLDER_VARIABLE}."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return MissingSoftwareError(f"{folder()}: the disk is full", hint=hint)
    return MissingSoftwareError(f"{folder()}: {error.strerror or error}", hint=hint)
