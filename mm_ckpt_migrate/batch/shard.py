"""A part of a batch, for one of several machines that share the folders."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from dataclasses import dataclass

from mm_ckpt_migrate.errors import ExitCode, MigrateError


class ShardError(MigrateError):
    """Text that names no shard."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Shard:
    """The `number`-th of `count` parts, from 1."""

    number: int
    count: int

    def has(self, source: str) -> bool:
        """Whether an input belongs to it; names that are one on some file system stay together."""
        digest = hashlib.sha256(os.fsencode(folded(source))).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1


def read_shard(text: str) -> Shard:
    """`2/8` and the like; raises ShardError."""
    found = re.fullmatch(r"([1-9]\d{0,4})/([1-9]\d{0,4})", text)
    if not found or int(found[1]) > int(found[2]):
        raise ShardError(f"{text!r} is no shard", hint="Write 2/8 for the second of eight.")
    return Shard(int(found[1]), int(found[2]))


def folded(name: str) -> str:
    """The same text for all names that some file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
