"""Tell what a file is from its first bytes."""

from __future__ import annotations

from typing import Final

from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.archive.legacy import PREAMBLE
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.zipformat import LOCAL_MAGIC

_FETCH: Final = "Download the checkpoint itself; `file NAME` and its size tell whether you have it."
_FOREIGN: Final = (
    (b"version https://git-lfs", "a Git LFS pointer", "Run `git lfs pull` to get the file itself."),
    (b"<", "an HTML or XML page", _FETCH),
    (b"\x1f\x8b", "a gzip archive", "Unpack it first: gunzip FILE."),
    (b"BZh", "a bzip2 archive", "Unpack it first: bunzip2 FILE."),
    (b"\xfd7zXZ", "an xz archive", "Unpack it first: unxz FILE."),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it first."),
    (b"\x89HDF", "an HDF5 file", "Only PyTorch and safetensors checkpoints can be read."),
    (b"\x08\x03\x12", "an ONNX model", "Give the checkpoint that it was exported from."),
    (b"\x93NUMPY", "a NumPy array", "Only PyTorch and safetensors checkpoints can be read."),
    (b"PK\x05\x06", "an empty zip archive", _FETCH),
)


def sniff(source: Source) -> Format:
    """The container's format.

    Raises:
        CheckpointError: it is none that this tool reads; the real type is named where known.
    """
    if not source.size:
        raise CheckpointError(source.path, "the file is empty", hint=_FETCH)
    head = source.read(0, min(512, source.size))
    if head.startswith(LOCAL_MAGIC):
        return Format.ZIP
    if head.startswith(PREAMBLE[:15]):
        return Format.LEGACY
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 40:
        return Format.SAFETENSORS
    raise _foreign(source, head)


def _foreign(source: Source, head: bytes) -> CheckpointError:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for magic, name, hint in _FOREIGN:
        if text.startswith(magic):
            return CheckpointError(source.path, f"this is {name}, not a checkpoint", hint=hint)
    if head[257:262] == b"ustar":
        return CheckpointError(
            source.path, "this is a tar archive", hint="Unpack it; a .tar of torch 0.1 must be re-saved."
        )
    if not head.strip(b"\0"):
        return CheckpointError(source.path, "the file starts with zeros only", hint=_FETCH)
    if head.startswith(b"\x80"):
        return CheckpointError(
            source.path,
            "this is a bare pickle, not a file of torch.save",
            hint="Only PyTorch and safetensors checkpoints can be read.",
        )
    return CheckpointError(source.path, "this is not a checkpoint of PyTorch or safetensors", hint=_FETCH)
