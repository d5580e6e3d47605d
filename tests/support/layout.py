"""Lay a file out again with the package, in memory."""

from __future__ import annotations

from pathlib import Path

from mm_ckpt_migrate.files.archive.image import Image
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.torchzip import compose_zip, read_zip
from mm_ckpt_migrate.files.archive.transfer import measure_extents
from support.files import in_memory


def rendered(image: Image, data: bytes) -> bytes:
    """The image as a file, with the ranges taken from `data`."""
    out = bytearray(image.size)
    for offset, literal in image.literals():
        out[offset : offset + len(literal)] = literal
    for offset, extent in image.extents():
        out[offset : offset + extent.size] = data[extent.offset : extent.offset + extent.size]
    return bytes(out)


def zip_laid_out_again(data: bytes) -> bytes:
    """torch's zip file, read and composed anew with every storage's own CRC."""
    with in_memory(data) as fd, Source(Path("old.pth"), fd) as source:
        found = read_zip(source)
        measured = measure_extents(source, found.extents)
        return rendered(compose_zip(found, found.pickle, measured), data)
