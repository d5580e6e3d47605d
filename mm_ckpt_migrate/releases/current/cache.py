"""Schemas of models built before, one file each: reading one takes milliseconds and no torch.

A cache file is two lines: a header with the key and the payload's digest, and the payload. One
that is damaged, someone else's, or for another key counts as absent.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from mm_ckpt_migrate.releases.allowed.request import TargetRequest
from mm_ckpt_migrate.releases.current import wire
from mm_ckpt_migrate.releases.current.stack import Stack
from mm_ckpt_migrate.schema import TargetModel

FORMAT = 3
"""Raise this when a payload changes its meaning."""

_ENVIRONMENT = "MM_CKPT_MIGRATE_CACHE"
_MAX_BYTES = 64 * 1024 * 1024


def folder() -> Path:
    """Where cache files lie: `$MM_CKPT_MIGRATE_CACHE`, or the user's cache folder."""
    if override := os.environ.get(_ENVIRONMENT):
        return Path(override)
    from platformdirs import user_cache_path  # costs 15 ms, which an override can save

    return user_cache_path("mm-ckpt-migrate") / "schemas"


def key(request: TargetRequest, stack: Stack) -> str | None:
    """A name for what the request builds on this stack; None where that may change unseen.

    That is the case with code from outside the OpenMMLab packages, and with source checkouts.
    """
    if not stack.pinned or request.packages:
        return None
    versions = sorted(stack.versions.items())
    parts = (FORMAT, request.scope, request.imports, versions, request.model)
    return sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()


def load(name: str) -> TargetModel | None:
    """The cached model, or None where there is no sound file of that key."""
    try:
        header, payload = _read(_path(name)).split(b"\n", 1)
        if json.loads(header) != _header(name, payload):
            return None
        return wire.decode(json.loads(payload), cached=True)
    except (OSError, ValueError, RecursionError):
        return None


def store(name: str, payload: Mapping[str, object]) -> None:
    """Write a payload whole or not at all; a cache that cannot be written is no error."""
    body = json.dumps(payload, separators=(",", ":")).encode()
    data = json.dumps(_header(name, body)).encode() + b"\n" + body
    with contextlib.suppress(OSError):
        _publish(_path(name), data)


def _path(name: str) -> Path:
    return folder() / f"{name}.json"


def _header(name: str, payload: bytes) -> dict[str, object]:
    return {"format": FORMAT, "key": name, "sha256": sha256(payload).hexdigest()}


def _read(path: Path) -> bytes:
    """The file's bytes, if it is a plain file of this user's and of a sane size."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        if status.st_uid != os.geteuid() or status.st_size > _MAX_BYTES:
            raise OSError("a foreign or oversized cache file")
        return file.read(_MAX_BYTES)


def _publish(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with open(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
