"""O1 to O3 by `batch`: its reports, tables and pages are nobody else's files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from zoos import batch, golden_path

from mm_ckpt_migrate.errors import ExitCode

REPORTS = ["batch.json", "batch.html", "renamed.csv"]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    shutil.copy(golden_path("rpn_r18"), folder / "rpn.pth")
    return folder


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout" / "configs" / "x"
    folder.mkdir(parents=True)
    (folder / "x.py").write_text("model = dict(type='RPN')\n")
    (folder / "metafile.yml").write_text(
        "Models:\n- Name: x\n  Config: configs/x/x.py\n  Weights: https://x.org/rpn.pth\n"
    )
    return tmp_path / "checkout"


@pytest.mark.parametrize("name", REPORTS)
def test_o3_a_file_that_no_batch_made(name: str, files: Path, zoo: Path, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    results = tmp_path / "results"
    results.mkdir()
    (results / name).write_text("mine")
    more = ["--publish", "--zoo", zoo]
    done = batch(files, results, *more)
    assert done.returncode == ExitCode.BAD_DESTINATION
    assert "the destination exists" in done.stderr
    assert [path.name for path in results.iterdir()] == [name]
    assert (results / name).read_text() == "mine"
    assert batch(files, results, *more, "--force").returncode in (ExitCode.OK, ExitCode.INCOMPLETE)
    assert (results / name).read_text() != "mine"


def test_what_an_earlier_batch_made_is_replaced(files: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    for _ in range(2):
        assert batch(files, results).returncode == ExitCode.OK


def test_o3_pages_of_a_zoo_that_no_batch_made(files: Path, zoo: Path, tmp_path: Path) -> None:
    mine = tmp_path / "results" / "zoo" / "README.md"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    done = batch(files, tmp_path / "results", "--publish", "--zoo", zoo)
    assert done.returncode == ExitCode.BAD_DESTINATION
    assert "no batch made it" in done.stderr
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_o1_a_list_that_would_be_overwritten(force: list[str], files: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    names = results / "batch.json"
    names.write_text("rpn.pth\n")
    done = batch(files, results, "--list", names, *force)
    assert done.returncode == ExitCode.BAD_DESTINATION
    assert "it is what the batch reads itself" in done.stderr
    assert names.read_text() == "rpn.pth\n"


def test_o1_a_zoo_in_the_folder_of_its_pages(files: Path, zoo: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    inside = results / "zoo"
    shutil.copytree(zoo, inside)
    done = batch(files, results, "--publish", "--zoo", inside, "--force")
    assert done.returncode == ExitCode.BAD_DESTINATION
    assert "the zoo lies in it" in done.stderr


def test_o2_a_folder_that_cannot_be_written(files: Path, tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    done = batch(files, tmp_path / "results")
    assert done.returncode == ExitCode.BAD_DESTINATION
    assert "is no folder" in done.stderr
