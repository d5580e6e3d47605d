from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from small_zoos import MakeZoo

from mm_ckpt_migrate.audit.finding import Finding
from mm_ckpt_migrate.mapping.rules.library import Library


@pytest.fixture
def zoo(tmp_path: Path, library: Library) -> MakeZoo:
    return MakeZoo(tmp_path / "zoo", library)


@pytest.fixture
def replay(zoo: MakeZoo) -> Callable[[str], list[Finding]]:
    """The findings of a release whose metafiles were recorded, by its own version file."""

    def make(release: str) -> list[Finding]:
        recorded = json.loads((Path(__file__).parent / "data" / f"{release}.json").read_text())
        for metafile, entries in recorded.items():
            zoo.models(*entries, metafile=metafile)
        zoo.put("model-index.yml", json.dumps({"Import": list(recorded)}))
        package, _, version = release.partition("-")
        zoo.put(f"{package}/version.py", f"__version__ = '{version}'\n")
        return zoo.findings("old-layout")

    return make
