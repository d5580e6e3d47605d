"""`UrlFolders`: the sources and results of a batch, where one of them or both are behind URLs."""

from __future__ import annotations

from collections.abc import Iterable

from mm_ckpt_migrate.batch.engines.task import Urls
from mm_ckpt_migrate.batch.engines.urls import UrlFolder
from mm_ckpt_migrate.batch.find import NOTHING, Found
from mm_ckpt_migrate.batch.folder import Folder, LocalFolder, LocalFolders, holds_sources
from mm_ckpt_migrate.batch.options import Batch


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
            raise holds_sources(self._urls.results)
        found = self.sources.find(without=self._urls.results)
        if names is None:
            return found
        there = {one.source: one for one in found}
        return [
            there.get(name, Found(name, NOTHING, "there is no such checkpoint"))
            for name in sorted(set(names))
        ]
