"""A whole zoo: what is written where, what is reported, and what is never touched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePath

import pytest
from renamed_metafiles import DATA

from mm_ckpt_migrate.errors import DestinationError
from mm_ckpt_migrate.zoo.entries import entries
from mm_ckpt_migrate.zoo.links import Base
from mm_ckpt_migrate.zoo.patch_zoo import MAX_BYTES, patch_zoo
from mm_ckpt_migrate.zoo.publication import Renaming, ZooError

RENAMINGS = [Renaming(entry.old_file, entry.new_file, "c.py", entry.new_file[-12:-4]) for entry in entries()]
R50 = next(r for r in RENAMINGS if r.old_name.startswith("maskformer_r50-d32"))
R101 = next(r for r in RENAMINGS if r.old_name.startswith("maskformer_r101-d32"))
METAFILE = PurePath("configs/maskformer/maskformer.yml")
PAGE = PurePath("configs/maskformer/README.md")
ROW = "| R-50-D32 | 44.29 | [model](https://x.org/{name}) \\| [log](https://x.org/a.json) |\n"


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """A metafile of mmseg 1.0.0rc4, its page, and files that are none of ours."""
    folder = tmp_path / "zoo"
    (folder / METAFILE.parent).mkdir(parents=True)
    shutil.copy(DATA / "mmseg-1.0.0rc4/maskformer/maskformer.yml", folder / METAFILE)
    (folder / PAGE).write_text("# MaskFormer\n\n" + ROW.format(name=R50.old_name))
    (folder / "configs/maskformer/a.py").write_text(f"load_from = 'https://x.org/{R50.old_name}'\n")
    (folder / "model-index.yml").write_text(f"Import:\n- {METAFILE}\n")
    (folder / ".git").mkdir()
    (folder / ".git/a.md").write_text(ROW.format(name=R50.old_name))
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_changed_is_written_beside_the_zoo(zoo: Path, tmp_path: Path) -> None:
    before, out = files(zoo), tmp_path / "new/zoo"
    report = patch_zoo(zoo, [R50, R101], out)
    assert files(zoo) == before
    assert set(files(out)) == {str(METAFILE), str(PAGE)}
    metafile = before[str(METAFILE)].decode()
    for renaming in (R50, R101):
        metafile = metafile.replace(renaming.old_name, renaming.new_name)
    assert files(out)[str(METAFILE)].decode() == metafile
    assert (out / PAGE).read_text().endswith(ROW.format(name=R50.new_name))
    assert [file.path for file in report.metafiles] == [METAFILE]
    assert [file.path for file in report.pages] == [PAGE]
    assert [(r.entry, r.new_name) for r in report.metafiles[0].replaced] == [
        ("maskformer_r50-d32_8xb2-160k_ade20k-512x512", R50.new_name),
        ("maskformer_r101-d32_8xb2-160k_ade20k-512x512", R101.new_name),
    ]


def test_every_old_name_is_accounted_for(zoo: Path, tmp_path: Path) -> None:
    report = patch_zoo(zoo, RENAMINGS, tmp_path / "out")
    olds = {renaming.old_name for renaming in RENAMINGS}
    assert set(report.not_in_metafiles) == olds - {R50.old_name, R101.old_name}
    assert set(report.not_linked) == olds - {R50.old_name}
    assert list(report.not_linked) == sorted(report.not_linked)


def test_in_place(zoo: Path) -> None:
    (zoo / METAFILE).chmod(0o640)
    before = files(zoo)
    patch_zoo(zoo, [R50, R101], None, in_place=True)
    changed = {name for name, data in files(zoo).items() if data != before[name]}
    assert changed == {str(METAFILE), str(PAGE)}
    assert (zoo / METAFILE).stat().st_mode & 0o777 == 0o640
    again = patch_zoo(zoo, [R50, R101], None, in_place=True)
    assert again.metafiles == again.pages == ()


def test_without_renamings_nothing_is_written(zoo: Path, tmp_path: Path) -> None:
    assert patch_zoo(zoo, [], tmp_path / "out").metafiles == ()
    assert not (tmp_path / "out").exists()


def test_the_zoo_is_changed_only_where_that_is_said(zoo: Path, tmp_path: Path) -> None:
    before = files(zoo)
    for out, in_place in ((None, False), (tmp_path / "out", True), (zoo / "out", False), (zoo, False)):
        with pytest.raises(DestinationError):
            patch_zoo(zoo, RENAMINGS, out, in_place=in_place)
    assert files(zoo) == before


def test_files_of_an_earlier_run_need_force(zoo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    patch_zoo(zoo, [R50], out)
    before = files(out)
    with pytest.raises(DestinationError, match="exists") as caught:
        patch_zoo(zoo, [R50, R101], out)
    assert "--force" in caught.value.hint
    assert files(out) == before
    patch_zoo(zoo, [R50, R101], out, force=True)
    assert R101.new_name in (out / METAFILE).read_text()


def test_one_bad_metafile_and_nothing_is_written(zoo: Path, tmp_path: Path) -> None:
    bad = zoo / "configs/z/metafile.yaml"
    bad.parent.mkdir()
    bad.write_text(f"Weights: [https://x.org/{R50.old_name}\n")
    for out in (tmp_path / "out", None):
        before = files(zoo)
        with pytest.raises(ZooError, match=str(bad)):
            patch_zoo(zoo, [R50], out, in_place=out is None)
        assert files(zoo) == before
    assert not (tmp_path / "out").exists()


def test_symbolic_links_are_not_followed(zoo: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    shutil.copytree(zoo / "configs", away)
    (zoo / "configs/linked").symlink_to(away, target_is_directory=True)
    (zoo / "README.md").symlink_to(away / "maskformer/README.md")
    (zoo / "metafile.yml").symlink_to("nowhere.yml")
    (zoo / "a.txt").symlink_to(away / "maskformer/README.md")
    before = files(away)
    report = patch_zoo(zoo, [R50, R101], None, in_place=True)
    assert files(away) == before
    assert (zoo / "README.md").is_symlink()
    assert sorted(map(str, report.links_left)) == ["README.md", "configs/linked", "metafile.yml"]
    assert len(report.metafiles) == len(report.pages) == 1


def test_a_link_in_the_way_is_never_written_through(zoo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / PAGE.parent).mkdir(parents=True)
    (tmp_path / "precious").write_text("mine")
    (out / PAGE).symlink_to(tmp_path / "precious")
    with pytest.raises(DestinationError, match="symbolic link"):
        patch_zoo(zoo, [R50], out, force=True)
    assert (tmp_path / "precious").read_text() == "mine"


def test_pages_that_are_not_utf_8_keep_their_bytes(zoo: Path, tmp_path: Path) -> None:
    page = b"\xff\xfe \xc4\xe3\r" + ROW.format(name=R50.old_name).encode() + b"\x80"
    (zoo / "latin.md").write_bytes(page)
    patch_zoo(zoo, [R50], tmp_path / "out")
    expected = page.replace(R50.old_name.encode(), R50.new_name.encode())
    assert (tmp_path / "out/latin.md").read_bytes() == expected


def test_a_pipe_named_like_a_page_does_not_hang(zoo: Path, tmp_path: Path) -> None:
    os.mkfifo(zoo / "pipe.md")
    assert len(patch_zoo(zoo, [R50], tmp_path / "out").pages) == 1


@pytest.mark.parametrize("name", ["README.md", "metafile.yml", "a.yaml"])
def test_what_is_larger_than_any_page_is_refused(name: str, zoo: Path, tmp_path: Path) -> None:
    with (zoo / name).open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ZooError, match="larger than 8 MiB") as caught:
        patch_zoo(zoo, RENAMINGS, tmp_path / "out")
    assert caught.value.path == zoo / name
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_none(zoo: Path, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="no such folder"):
        patch_zoo(zoo / "nowhere", [R50], tmp_path / "out")


def test_a_destination_that_cannot_be_made(zoo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DestinationError):
        patch_zoo(zoo, [R50], tmp_path / "file/out")


def test_a_file_that_keeps_its_name_is_accounted_for(zoo: Path, tmp_path: Path) -> None:
    same = Renaming(R50.old_name, R50.old_name, "c.py", R50.old_name[-12:-4])
    report = patch_zoo(zoo, [same], tmp_path / "out")
    assert report.not_in_metafiles == report.not_linked == ()
    assert not (tmp_path / "out").exists()
    moved = patch_zoo(zoo, [same], tmp_path / "out", base=Base("https://x.org", "https://y.org"))
    assert len(moved.pages) == 1
    assert (
        (tmp_path / "out" / PAGE)
        .read_text()
        .endswith(ROW.format(name=R50.old_name).replace("x.org", "y.org", 1))
    )
