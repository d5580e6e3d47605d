"""Where the files of a batch are, as its driver sees them, where URLs are among the places."""

from __future__ import annotations

from collections.abc import Iterable

from mm_ckpt_migrate.batch.engines.task import Urls
from mm_ckpt_migrate.batch.engines.urls import UrlFolder
from mm_ckpt_migrate.batch.find import Found
from mm_ckpt_migrate.batch.folder import Folder, LocalFolder, LocalFolders
from mm_ckpt_migrate.batch.item import Signature
from mm_ckpt_migrate.batch.options import Batch
from mm_ckpt_migrate.errors import DestinationError


class UrlFolders:
    """Sources, results, or both behind URLs.

    Raises:
        MissingSoftwareError: what such URLs need is not installed.
        CheckpointError: there are no such URLs.
    """

    def __init__(self, batch: Batch, urls: Urls) -> None:
        self._batch = batch
        self._urls = urls
        here, there = urls.sources, urls.results
        seconds = batch.options.seconds
        self.sources: Folder = UrlFolder(here, seconds) if here else LocalFolder(batch.sources, links=True)
        self.results: Folder = UrlFolder(there, seconds) if there else LocalFolder(batch.results, links=False)

    def find(self, names: Iterable[str] | None) -> list[Found]:
        """As `LocalFolders.find`."""
        if not isinstance(self.sources, UrlFolder):
            return LocalFolders(self._batch).find(names)
        if f"{self.sources.url}/".startswith(f"{self._urls.results.rstrip('/')}/"):
            raise DestinationError(
                self._urls.results,
                "the sources lie in it, which are never written",
                hint="Choose another folder for the results.",
            )
        found = self.sources.find(without=self._urls.results)
        if names is None:
            return found
        there, nothing = (
            {one.source: one for one in found},
            Signature(device=0, inode=0, size=0, modified=0, changed=0),
        )
        return [
            there.get(name, Found(name, nothing, "there is no such checkpoint"))
            for name in sorted(set(names))
        ]
