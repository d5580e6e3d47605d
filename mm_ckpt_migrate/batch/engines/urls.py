"""A folder behind a URL, through fsspec: what is in it, and single files from and to it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import posixpath
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from mm_ckpt_migrate.batch.engines.patience import TooLateError, within
from mm_ckpt_migrate.batch.find import LEADS_OUT, NOTHING, SUFFIXES, Found, leads_out
from mm_ckpt_migrate.batch.item import Signature
from mm_ckpt_migrate.errors import (
    CheckpointError,
    DestinationError,
    IntegrityError,
    MigrateError,
    MissingSoftwareError,
)
from mm_ckpt_migrate.files.archive.publish import check_space
from mm_ckpt_migrate.names import safe_text

# What stores call that which changes with the bytes; the first that is there counts. Not all of
# them: some tell a time to the millisecond in a listing and to the second for a single file.
_STAMPS: Final = (
    "ETag",
    "etag",
    "md5Hash",
    "generation",
    "content_md5",
    "LastModified",
    "Last-Modified",
    "last_modified",
    "updated",
    "mtime",
)
# A put makes an object whole or not at all.
_ATOMIC: Final = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"}
_LOCAL: Final = {"file", "local"}
_BLOCK: Final = 4 << 20
_STALLED: Final = 60.0
_AGAIN: Final = "Check the network and the credentials, and run this again: what is done stays."


class UrlFolder:
    """A folder behind a URL.

    Raises:
        MissingSoftwareError: fsspec, or what it needs for such a URL, is not installed.
        CheckpointError: there are no such URLs.
    """

    def __init__(self, url: str, seconds: float | None = None) -> None:
        """`seconds`: what one file, or the list of them, may take; None where others bound it."""
        self.url = url.rstrip("/")
        self._seconds = seconds
        with self._told(CheckpointError, self.url):
            self._store, root = _open(self.url)
        self._root = root.rstrip("/")

    @property
    def _mounted(self) -> bool:
        """Whether it is a folder of this machine, which has links, and files that are private."""
        return _protocol(self.url) in _LOCAL

    def find(self, *, without: str = "") -> list[Found]:
        """All checkpoints below, by name; as `find_checkpoints` does for a folder.

        Args:
            without: the URL of the results, which may lie among the sources.

        Raises:
            CheckpointError: the folder cannot be listed, or there is nothing in it.
        """
        apart = f"{without.rstrip('/')}/" if without else "\0"
        with self._told(CheckpointError, self.url):
            self._store.invalidate_cache()
            files = self._store.find(self._root, detail=True)
            if not files:
                raise CheckpointError(self.url, "there is nothing below this URL")
            found = [
                self._found(path[len(self._root) + 1 :], info)
                for path, info in files.items()
                if path.startswith(f"{self._root}/")
            ]
        meant = (f for f in found if _is_meant(f.source))
        return sorted(
            (f for f in meant if not f"{self.url}/{f.source}".startswith(apart)), key=lambda one: one.source
        )

    def _found(self, name: str, info: dict[str, Any]) -> Found:
        if not _is_meant(name):
            return Found(name, NOTHING)
        try:
            path = self._path(name)
            if self._mounted and leads_out(Path(path), Path(self._root)):
                return Found(name, NOTHING, LEADS_OUT)
            return Found(name, self.signature(name) if info.get("size") is None else _signature(info))
        except MigrateError as error:
            return Found(name, NOTHING, error.message.removeprefix(f"{self.url}/{name}: "))

    def signature(self, name: str) -> Signature:
        """Size and ETag, or what the store has in its place, now.

        Raises:
            CheckpointError: the file is gone, or the store cannot be asked.
        """
        with self._told(CheckpointError, f"{self.url}/{name}"):
            self._store.invalidate_cache()
            info = self._store.info(self._path(name))
            if info.get("size") is None:
                raise CheckpointError(f"{self.url}/{name}", "the server does not tell its size")
            return _signature(info)

    def fetch(self, name: str, known: Signature, to: Path) -> None:
        """Copy a file to `to`, which is made with its folder.

        Raises:
            CheckpointError: it is not what it was when `known` was taken, or it cannot be read.
            DestinationError: there is no room for it.
        """
        url = f"{self.url}/{name}"
        to.parent.mkdir(parents=True, exist_ok=True)
        if self.signature(name) != known:
            raise CheckpointError(url, "it changed since the plan was made", hint="Run this again.")
        check_space(to, known.size)
        with self._told(CheckpointError, url):
            self._store.get_file(self._path(name), str(to))
            if self._mounted:
                to.chmod(_mode(Path(self._path(name))))
        if to.stat().st_size != known.size or self.signature(name) != known:
            raise CheckpointError(url, "it changed while it was fetched", hint="Wait until it is complete.")

    def publish(self, made: Path, name: str, digest: str, *, replaces: bool) -> Signature:
        """Put a file there, whole or not at all, and read it back; the same bytes stay as they are.

        Args:
            digest: SHA-256 of `made`, in hex.
            replaces: whether another file may be replaced.

        Raises:
            DestinationError: another file is there, or the store cannot be written.
            IntegrityError: what is there afterwards is not what was put there.
        """
        url = f"{self.url}/{name}"
        with self._told(DestinationError, url):
            present = self._digest(name, made.stat().st_size)
            if present != digest:
                if present is not None and not replaces:
                    raise DestinationError(
                        url,
                        "another file, which no batch made, has this name already",
                        hint="Look at it; --force replaces it.",
                    )
                self._put(made, self._path(name))
                present = self._digest(name, made.stat().st_size)
            if present != digest:
                raise IntegrityError(f"{url}: what was put there does not read back")
            return self.signature(name)

    def same(self, name: str, known: Signature | None, digest: str) -> Signature | None:
        """The signature of a file that is what it was: by its signature, or else by its bytes."""
        try:
            now = self.signature(name)
            if now.changed and now == known:
                return now
            with self._told(CheckpointError, self.url):
                return now if self._digest(name, now.size) == digest else None
        except MigrateError:
            return None

    def exists(self, name: str) -> bool:
        """Raises DestinationError where the store cannot be asked."""
        with self._told(DestinationError, f"{self.url}/{name}"):
            self._store.invalidate_cache()
            return bool(self._store.exists(self._path(name)))

    @contextmanager
    def _told(self, kind: type[CheckpointError] | type[DestinationError], url: str) -> Iterator[None]:
        try:
            with within(self._seconds), _told(kind, url):
                yield
        except TooLateError:
            raise kind(
                url, f"it took more than {self._seconds:g} seconds", hint="--seconds allows more."
            ) from None

    def _path(self, name: str) -> str:
        if posixpath.normpath(f"below/{name}") != f"below/{name}":
            raise CheckpointError(f"{self.url}/{name}", "its name is no path of a file")
        return f"{self._root}/{name}"

    def _put(self, made: Path, path: str) -> None:
        if _protocol(self.url) in _ATOMIC:
            self._store.put_file(str(made), path)
            return
        folder = path.rpartition("/")[0]
        temporary = f"{folder}/.mm-ckpt-migrate-{os.urandom(8).hex()}.tmp"
        self._store.makedirs(folder, exist_ok=True)
        try:
            self._store.put_file(str(made), temporary)
            if self._mounted:
                Path(temporary).chmod(_mode(made))
            self._store.mv(temporary, path)
        except Exception:
            with contextlib.suppress(Exception):
                self._store.rm_file(temporary)
            raise

    def _digest(self, name: str, size: int) -> str | None:
        """The SHA-256 of a file of that size; nothing for another size, None for no file."""
        path, sha = self._path(name), hashlib.sha256()
        self._store.invalidate_cache()
        try:
            if self._store.info(path).get("size") != size:
                return ""
            with self._store.open(path, "rb") as file:
                while block := file.read(_BLOCK):
                    sha.update(block)
        except FileNotFoundError:
            return None
        return sha.hexdigest()


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode) & 0o777


def _protocol(url: str) -> str:
    return url.partition("://")[0].lower()


def _open(url: str) -> tuple[Any, str]:
    """The store, and the folder's path in it. Neither listings nor the store are shared."""
    import fsspec

    options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
    if _protocol(url) in ("http", "https"):
        import aiohttp

        # By default a file must arrive within five minutes, however large it is.
        patience = aiohttp.ClientTimeout(total=None, sock_connect=_STALLED, sock_read=_STALLED)
        options["client_kwargs"] = {"timeout": patience}
    store, root = fsspec.core.url_to_fs(url, **options)
    return store, root


def _is_meant(name: str) -> bool:
    parts = name.split("/")
    return name.endswith(SUFFIXES) and not any(part.startswith(".") for part in parts)


def _signature(info: dict[str, Any]) -> Signature:
    stamps: Iterable[str] = (str(info[key]).strip('"') for key in _STAMPS if info.get(key))
    stamp = next(iter(stamps), "")
    number = int(hashlib.sha256(stamp.encode()).hexdigest()[:15], 16) if stamp else 0
    return Signature(device=0, inode=0, size=int(info["size"]), modified=0, changed=number)


@contextmanager
def _told(kind: type[CheckpointError] | type[DestinationError], url: str) -> Iterator[None]:
    """Whatever goes wrong, as a sentence: each store's client has errors of its own."""
    try:
        yield
    except (MigrateError, TooLateError):
        raise
    except ImportError as error:
        raise MissingSoftwareError(f"{url}: {error}", hint="pip install 'mm-ckpt-migrate[urls]'") from error
    except FileNotFoundError as error:
        raise kind(url, "there is no such file or folder") from error
    except Exception as error:
        words = safe_text(f"{error}".strip().partition("\n")[0])[:300]
        raise kind(url, f"{type(error).__name__}: {words}", hint=_AGAIN) from error
