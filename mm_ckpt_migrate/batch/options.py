"""`Batch`: the settings of a batch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from mm_ckpt_migrate import __version__
from mm_ckpt_migrate.batch.prove import Proving, proving_from_json
from mm_ckpt_migrate.batch.shard import Shard
from mm_ckpt_migrate.convert.options import Options, Purpose

_STACK: Final = ("torch", "mmengine", "mmcv", "mmcv-lite", "mmdet", "mmsegmentation")


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Options of `batch` that concern each file.

    Attributes:
        build: build each target model, or take it from the cache, and check against it.
        purpose: what the new files are for; None carries what is there.
        publish: name each migrated file as the zoos do, by its config and its own digest.
        link: make a hard link where nothing has to change, if the file system can.
        allow_imports: packages beside OpenMMLab's that configs may import.
        allow_unconfined: build configs inside checkpoints even where nothing confines that.
        seconds, memory: what one file may take; memory in bytes, beside that of the imports.
    """

    build: bool = True
    purpose: Purpose | None = None
    publish: bool = False
    link: bool = False
    allow_imports: tuple[str, ...] = ()
    allow_unconfined: bool = False
    seconds: float = 1800.0
    memory: int = 4 << 30

    def for_convert(self) -> Options:
        purpose = Purpose.INFERENCE if self.publish else self.purpose
        return Options(
            build=self.build,
            purpose=purpose,
            allow_imports=self.allow_imports,
            allow_unconfined=self.allow_unconfined,
            digest_result=True,
        )

    def digest(self, rules: str) -> str:
        """Of everything that decides on the results and their proof, but for the sources.

        Args:
            rules: the digest of all rule files.
        """
        allowed = (self.allow_imports, self.allow_unconfined)
        decisive = (self.build, self.purpose, self.publish, self.link, *allowed)
        stack = [_version(name) for name in _STACK] if self.build else []
        text = json.dumps([__version__, rules, decisive, stack], default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _options_from_json(data: dict[str, Any]) -> BatchOptions:
    purpose = Purpose(data["purpose"]) if data["purpose"] else None
    return BatchOptions(**{**data, "purpose": purpose, "allow_imports": tuple(data["allow_imports"])})


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch: from where, to where, and how.

    Attributes:
        listed: configs by the file names that a metafile gives them.
        names: paths below `sources`, where not all that is found there is meant.
        force: replace files at the destinations that no batch made.
        zoo: the folder whose metafiles and pages name the files, to be patched.
        proving: how each new file is verified; None where its conversion is all.
        reads: files that it was made from, such as a list.
    """

    sources: Path
    results: Path
    options: BatchOptions = field(default_factory=BatchOptions)
    listed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    names: Sequence[str] | None = None
    shard: Shard | None = None
    force: bool = False
    zoo: Path | None = None
    proving: Proving | None = None
    reads: Sequence[Path] = ()

    @property
    def state(self) -> Path:
        """The folder of the journal, the lock and unfinished files."""
        return self.results / ".mm-ckpt-migrate"

    @property
    def suffix(self) -> str:
        """What the names of this shard's own files end with."""
        return f"-{self.shard.number}-of-{self.shard.count}" if self.shard else ""

    @property
    def journal(self) -> Path:
        return self.state / f"journal{self.suffix}.sqlite"

    @property
    def scratch(self) -> Path:
        """Where new files are made. Whatever lies there when a batch begins is nobody's."""
        return self.state / f"scratch{self.suffix}"

    @property
    def report(self) -> Path:
        return self.results / f"batch{self.suffix}.json"


def batch_to_json(batch: Batch) -> dict[str, Any]:
    """All of it that a worker needs."""
    shard = [batch.shard.number, batch.shard.count] if batch.shard else None
    return {
        "sources": str(batch.sources),
        "results": str(batch.results),
        "shard": shard,
        "options": asdict(batch.options),
        "listed": {n: list(c) for n, c in batch.listed.items()},
        "proving": batch.proving.to_json() if batch.proving else None,
    }


def batch_from_json(data: dict[str, Any]) -> Batch:
    return Batch(
        sources=Path(data["sources"]),
        results=Path(data["results"]),
        options=_options_from_json(data["options"]),
        listed=data["listed"],
        shard=Shard(*data["shard"]) if data["shard"] else None,
        proving=proving_from_json(data["proving"]) if data["proving"] else None,
    )
