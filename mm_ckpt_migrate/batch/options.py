"""What a batch may be told."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from mm_ckpt_migrate import __version__
from mm_ckpt_migrate.options import Options, Purpose


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Options of `batch` that concern each file.

    Attributes:
        build: build each target model, or take it from the cache, and check against it.
        purpose: what the new files are for; None carries what is there.
        link: make a hard link where nothing has to change, if the file system can.
        allow_imports: packages beside OpenMMLab's that configs may import.
        seconds, memory: what one file may take; memory in bytes, beside that of the imports.
    """

    build: bool = True
    purpose: Purpose | None = None
    link: bool = False
    allow_imports: tuple[str, ...] = ()
    seconds: float = 1800.0
    memory: int = 4 << 30

    def for_convert(self) -> Options:
        return Options(
            build=self.build, force=True, purpose=self.purpose, allow_imports=self.allow_imports
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def digest(self, rules: str) -> str:
        """Of everything that decides on the bytes of the results, but for the sources.

        Args:
            rules: the digest of all rule files.
        """
        decisive = (self.build, self.purpose, self.link, self.allow_imports)
        text = json.dumps([__version__, rules, decisive], default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def options_from_json(data: dict[str, Any]) -> BatchOptions:
    purpose = Purpose(data["purpose"]) if data["purpose"] else None
    return BatchOptions(
        **{**data, "purpose": purpose, "allow_imports": tuple(data["allow_imports"])}
    )
