"""A zoo's metafiles and Markdown pages after files of it were published anew."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from mm_ckpt_migrate.errors import DestinationError
from mm_ckpt_migrate.files.archive.folders import make_folder
from mm_ckpt_migrate.files.archive.publish import as_destination_error, check_destination, publish_bytes
from mm_ckpt_migrate.zoo.links import Base, NewLinks, Patched, Replacement
from mm_ckpt_migrate.zoo.patch_links import patch_links
from mm_ckpt_migrate.zoo.patch_metafile import patch_metafile
from mm_ckpt_migrate.zoo.publication import Renaming, ZooError, new_names

MAX_BYTES: Final = 8 << 20
"""The largest page of mmseg and mmdet has 0.1 MB."""


@dataclass(frozen=True, slots=True)
class PatchedFile:
    """A metafile or page, and the old names in it that became new ones.

    Attributes:
        path: below the zoo's folder.
    """

    path: PurePath
    replaced: tuple[Replacement, ...]


@dataclass(frozen=True, slots=True)
class PatchReport:
    """What became of every old name.

    Attributes:
        not_in_metafiles: old names that no entry has.
        not_linked: old names that no Markdown page links to.
        links_left: metafiles, pages and folders that are symbolic links, which are not followed.
    """

    metafiles: tuple[PatchedFile, ...]
    pages: tuple[PatchedFile, ...]
    not_in_metafiles: tuple[str, ...]
    not_linked: tuple[str, ...]
    links_left: tuple[PurePath, ...]


def patch_zoo(
    folder: Path,
    renamings: Iterable[Renaming],
    out: Path | None,
    *,
    force: bool = False,
    in_place: bool = False,
    base: Base | None = None,
) -> PatchReport:
    """Write each metafile and page that names an old file to the same place below `out`.

    Nothing is written before all of them are known to be right. Each file is replaced at once; a
    run that is cut off is simply run again.

    Args:
        out: folder outside the zoo; None only with `in_place`, which changes the zoo itself.
        force: replace files in `out`.
        base: where the new files lie, if that is somewhere else.

    Raises:
        ZooError: a file cannot be read or patched; the message names it.
        DestinationError: a file cannot be written.
        MissingSoftwareError: ruamel.yaml is not installed.
    """
    _check_places(folder, out, in_place)
    names = new_names(renamings)
    paths, left = _list_files(folder)
    files = [_patch(folder, path, NewLinks(names, base)) for path in paths]
    _write([file for file in files if file.changed], folder, out or folder, force)
    return _report(files, names, left)


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the zoo as it is and as it shall be."""

    path: PurePath
    text: str
    patched: Patched

    @property
    def changed(self) -> bool:
        return self.patched.text != self.text


def _check_places(folder: Path, out: Path | None, in_place: bool) -> None:
    if not folder.is_dir():
        raise ZooError(folder, "there is no such folder")
    if in_place != (out is None):
        raise DestinationError(
            out or folder,
            "patched files go either to a folder or over the zoo's own",
            hint="Give one of the two.",
        )
    if out is not None and out.resolve().is_relative_to(folder.resolve()):
        raise DestinationError(out, f"it is part of the zoo {folder}", hint="Choose a folder outside it.")


def _list_files(folder: Path) -> tuple[list[PurePath], list[PurePath]]:
    """Metafiles and pages, and those symbolic links that could lead to more of them."""
    paths, left = [], []
    for root, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if name != ".git")
        here = Path(root)
        left += [here / name for name in folders if (here / name).is_symlink()]
        for path in sorted(here / name for name in names):
            if path.is_symlink() and _is_ours(path):
                left.append(path)
            elif path.is_file() and _is_ours(path):
                paths.append(path)
    return [p.relative_to(folder) for p in paths], [p.relative_to(folder) for p in left]


def _refuse(error: OSError) -> None:
    raise ZooError(str(error.filename), f"cannot be read: {error.strerror}") from error


def _is_ours(path: PurePath) -> bool:
    return path.suffix == ".md" or _is_yaml(path)


def _is_yaml(path: PurePath) -> bool:
    """Metafiles have had several names: metafile.yml, metafile.yaml, ann/ann.yml."""
    return path.suffix in (".yml", ".yaml")


def _patch(folder: Path, path: PurePath, links: NewLinks) -> _File:
    whole = folder / path
    try:
        with whole.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ZooError(whole, f"cannot be read: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise ZooError(whole, f"it is larger than {MAX_BYTES >> 20} MiB, as no page of a zoo is")
    # Line ends, a byte order mark and what is no UTF-8 come back as they were.
    text = raw.decode("utf-8", "surrogateescape")
    if _is_yaml(path):
        return _File(path, text, patch_metafile(whole, text, links))
    return _File(path, text, patch_links(text, links))


def _write(files: Iterable[_File], folder: Path, out: Path, force: bool) -> None:
    """Check all destinations first, then write: in the zoo itself every file is replaced."""
    places = [(file, (folder / file.path).stat(), out / file.path) for file in files]
    if out != folder:
        for _, status, place in places:
            _make_folder(place.parent)
            check_destination(place, status, force=force)
    for file, status, place in places:
        data = file.patched.text.encode("utf-8", "surrogateescape")
        publish_bytes(place, data, status.st_mode & 0o777, force=force or out == folder)


def _make_folder(folder: Path) -> None:
    try:
        make_folder(folder)
    except OSError as error:
        raise as_destination_error(folder, error) from error


def _report(files: Iterable[_File], names: Iterable[str], left: list[PurePath]) -> PatchReport:
    found = [PatchedFile(f.path, f.patched.replaced) for f in files if f.patched.replaced]
    metafiles = tuple(file for file in found if _is_yaml(file.path))
    pages = tuple(file for file in found if not _is_yaml(file.path))
    return PatchReport(
        metafiles=metafiles,
        pages=pages,
        not_in_metafiles=_missing(names, metafiles),
        not_linked=_missing(names, pages),
        links_left=tuple(left),
    )


def _missing(names: Iterable[str], files: Iterable[PatchedFile]) -> tuple[str, ...]:
    found = {replacement.old_name for file in files for replacement in file.replaced}
    return tuple(sorted({*names} - found))
