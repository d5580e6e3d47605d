"""The names under which migrated files are published, and the table from old names to new ones."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path, PurePath
from typing import ClassVar, Final

from mm_ckpt_migrate.errors import ExitCode, MigrateError

CONFIG_SUFFIXES: Final = (".py", ".json", ".yaml", ".yml")
_DIGEST = re.compile(r"[0-9a-f]{8,64}")
_PUBLISHED = re.compile(r"-[0-9a-f]{8}\.\w+$")
# Six real names say 20201027pth.
_STAMP = re.compile(
    r"(?:^|[_-])(20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:_[0-2]\d[0-5]\d[0-5]\d)?)"
    r"(?:pth)?(?=[-_.]|$)"
)


class ZooError(MigrateError):
    """A zoo, one of its files, or what shall be published in it is not as it should be.

    Attributes:
        line: 1-based line of the fault, or None where it concerns the whole file.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE

    def __init__(self, path: Path | str, reason: str, *, line: int | None = None, hint: str = "") -> None:
        where = f"{path}:{line}" if line is not None else str(path)
        super().__init__(f"{where}: {reason}", hint=hint)
        self.path = path
        self.line = line
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Renaming:
    """One file of a zoo and its successor.

    Attributes:
        config: that of the new file, as a path or a name.
        digest: SHA-256 of the new file in hexadecimal digits.
    """

    old_name: str
    new_name: str
    config: str
    digest: str


def published_name(source_name: str, config: str, digest: str, suffix: str = ".pth") -> str:
    """`{config}_{time stamp}-{sha8}.pth`, as the zoos named the files that they converted.

    The time stamp is that of the training, so it is the old name's: the day, or day and time. An
    old name without one gives `{config}-{sha8}.pth`, as `publish_model.py` does: a time stamp of
    today would say that the model was trained today. The config is the current one, whatever the
    old name calls it (8x2 is 8xb2 now).

    Args:
        config: path or name of the config that the new file belongs to.
        digest: SHA-256 of the new file in hexadecimal digits, at least 8 of them.

    Raises:
        ZooError: the digest is none, or the config has no name.
    """
    stem = _config_stem(config)
    if not _DIGEST.fullmatch(digest):
        raise ZooError(source_name, f"{digest!r} is no SHA-256")
    stamp = time_stamp(source_name)
    return f"{stem}_{stamp}-{digest[:8]}{suffix}" if stamp else f"{stem}-{digest[:8]}{suffix}"


def time_stamp(name: str) -> str:
    """The last `YYYYMMDD_HHMMSS` or `YYYYMMDD` of a published file's name, or nothing."""
    # A digest may look like a date.
    stamps = _STAMP.findall(_PUBLISHED.sub("", PurePath(name).name))
    return stamps[-1] if stamps else ""


def _config_stem(config: str) -> str:
    name = PurePath(config).name
    # Names such as regnetx-3.2GF have dots of their own.
    suffix = next((suffix for suffix in CONFIG_SUFFIXES if name.endswith(suffix)), "")
    stem = name.removesuffix(suffix)
    if not stem:
        raise ZooError(config, "the config has no name to publish under")
    return stem


def new_names(renamings: Iterable[Renaming]) -> dict[str, str]:
    """Old name to new name.

    Raises:
        ZooError: an old file has two successors, or two different new files have the same name.
    """
    names: dict[str, str] = {}
    digests: dict[str, str] = {}
    for renaming in renamings:
        old, new = renaming.old_name, renaming.new_name
        if names.setdefault(old, new) != new:
            raise ZooError(old, f"it has two successors, {names[old]} and {new}")
        if digests.setdefault(new, renaming.digest) != renaming.digest:
            raise ZooError(new, "two different files would be published under this name")
    return names


def renaming_table(renamings: Iterable[Renaming]) -> str:
    """The table as CSV with a heading, in the order of the old names, each renaming once.

    Raises:
        ZooError: as `new_names`.
    """
    rows = sorted(set(renamings), key=astuple)
    new_names(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(Renaming))
    writer.writerows(astuple(row) for row in rows)
    return text.getvalue()
