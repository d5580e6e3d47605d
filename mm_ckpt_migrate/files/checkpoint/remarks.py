"""What in a file is carried as it is, and should be known all the same."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator

from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.digest import named_digest
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.names import safe_text
from mm_ckpt_migrate.schema import HALF


def remarks(checkpoint: Checkpoint) -> tuple[str, ...]:
    """A sentence for each; none for genuine files."""
    said = [
        f"{safe_text(one)!r} and {safe_text(other)!r} look alike, and stay two"
        for one, other in _lookalikes(checkpoint.schema.names)
    ]
    weights = {tensor.storage for tensor in checkpoint.tensors.values()}
    refs = checkpoint.tree.storages.items() if checkpoint.tree else ()
    if nowhere := [key for key, ref in refs if ref.location == "meta" and key in weights]:
        said.append(
            f"storages that were saved from the device meta: {len(nowhere)}; "
            "torch.load gives their tensors no data without a map_location"
        )
    said += _halved(checkpoint)
    extents = checkpoint.extents.values()
    if checkpoint.format is Format.ZIP and extents and all(e.crc is None for e in extents):
        said.append("its checksums were not looked at (--no-crc): damage to it cannot be told")
    return tuple(said)


def assurance(checkpoint: Checkpoint, expected: str | None) -> tuple[str, ...]:
    """What a format without a checksum leaves open.

    Args:
        expected: the start of the file's SHA-256, if that is known from elsewhere.
    """
    if checkpoint.format is Format.ZIP or expected or named_digest(checkpoint.source.path.name):
        return ()
    return (
        f"a {checkpoint.format.value} file holds no checksum, so that damage to its tensors cannot "
        "be told: give the SHA-256 that it was published with (--expect-sha256)",
    )


def check_digest(checkpoint: Checkpoint, expected: str | None) -> None:
    """Hold a file against the SHA-256 that it must have: the one given, or its name's.

    Args:
        expected: the start of it, in hex.

    Raises:
        CheckpointError: it has another one.
    """
    source = checkpoint.source
    named = named_digest(source.path.name)
    if expected is not None and not source.digest().startswith(expected.lower()):
        raise CheckpointError(
            source.path,
            f"its SHA-256 is {source.digest()}, not {expected}",
            hint="Fetch the file again: it is damaged, or another one.",
        )
    if checkpoint.format is Format.ZIP or expected is not None or named is None:
        return
    if not source.digest().startswith(named):
        raise CheckpointError(
            source.path,
            f"its SHA-256 begins with {source.digest()[:8]}, not {named} as its name says, and the "
            "format has no checksum that could tell why",
            hint="Fetch it again; if it was written anew, --expect-sha256 says what it should be.",
        )


def _halved(checkpoint: Checkpoint) -> Iterator[str]:
    """Weights in half precision, which no training of OpenMMLab leaves by itself."""
    for owner, tensors in (("weights", checkpoint.tensors), ("raw weights", checkpoint.averaged)):
        kinds = Counter(t.spec.dtype for t in tensors.values() if t.spec.dtype in HALF)
        shown = ", ".join(f"{count:,} of {len(tensors):,} {kind}" for kind, count in kinds.items())
        if shown:
            yield f"its {owner} are in half precision ({shown}), and stay so"


def _lookalikes(names: Iterable[str]) -> list[tuple[str, str]]:
    """Names that differ by case, Unicode's ways to write a letter, or spaces alone."""
    first: dict[str, str] = {}
    found = []
    for name in names:
        other = first.setdefault(unicodedata.normalize("NFKC", name).casefold().strip(), name)
        if other != name:
            found.append((other, name))
    return found
