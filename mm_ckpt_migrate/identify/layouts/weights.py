"""The files of the model zoos: of which config the metafiles of each release say that they are."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath
from typing import Final

WEIGHTS: Final = Path(__file__).with_name("weights.json.gz")
_GZIP: Final = 31
_DIGEST: Final = re.compile(r"-([0-9a-f]{8})\.pth$")


@dataclass(frozen=True, slots=True)
class ZooFile:
    """A file that a metafile names.

    Attributes:
        configs: release to the config whose weights it says that they are.
    """

    name: str
    configs: Mapping[str, str]


@cache
def zoo_files() -> Mapping[str, ZooFile]:
    """All of them, by name."""
    data = json.loads(zlib.decompress(WEIGHTS.read_bytes(), _GZIP))
    return {
        name: ZooFile(name, {r: c for r, c in zip(data["releases"], row, strict=True) if c})
        for name, row in data["files"].items()
    }


def find_zoo_file(path: str, digest: str) -> ZooFile | None:
    """The zoo's file that a file is: by its digest, or by its name where that has no other digest.

    Args:
        digest: SHA-256 in hexadecimal digits.
    """
    files = zoo_files()
    found = _by_digest().get(digest[:8])
    if found is not None:
        return found
    name = PurePath(path).name
    return None if _DIGEST.search(name) else files.get(name)


@cache
def _by_digest() -> Mapping[str, ZooFile]:
    found = ((_DIGEST.search(name), file) for name, file in zoo_files().items())
    return {match.group(1): file for match, file in found if match}
