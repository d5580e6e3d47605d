"""O1 to O3 by `verify`, and a report that cannot be written."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from golden_cases import CASES
from typer.testing import CliRunner

from mm_ckpt_migrate.cli.main import app
from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.errors import DestinationError, ExitCode
from mm_ckpt_migrate.pages import write as pages
from mm_ckpt_migrate.pages.write import pages_of
from mm_ckpt_migrate.verify import run as room
from mm_ckpt_migrate.verify.options import VerifyOptions

OLD = CASES["maskformer_r18"].old


@pytest.fixture
def new(tmp_path: Path) -> Path:
    (tmp_path / "old.pth").write_bytes(OLD.read_bytes())
    convert("auto", "-", OLD, tmp_path / "new.pth", Options(build=False))
    return tmp_path / "new.pth"


@pytest.fixture
def refused(new: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Verify, which is refused before any work; gives the message."""
    monkeypatch.setattr(room, "open_files", lambda *_: pytest.fail("it worked"))

    def run(**more: object) -> str:
        before = _digests(new.parent)
        options = VerifyOptions(source=new.with_name("old.pth"), force=True, **more)  # type: ignore[arg-type]
        with pytest.raises(DestinationError) as caught:
            room.verify(new, "embedded", options)
        assert _digests(new.parent) == before
        return caught.value.message

    return run


def _digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("option", ["record", "record_metric"])
def test_o1_an_output_that_is_an_input(option: str, refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("old.pth")
    os.link(tmp_path / "old.pth", tmp_path / "hard")
    for name in ("old.pth", "link", "hard", "./old.pth"):
        assert "it is the source itself" in refused(**{option: tmp_path / name})
    assert "the file that is verified itself" in refused(**{option: tmp_path / "new.pth"})
    (tmp_path / "reference.npz").write_bytes(b"x")
    said = refused(reference=tmp_path / "reference.npz", **{option: tmp_path / "reference.npz"})
    assert "a file that is read itself" in said


def test_o1_two_that_are_one_file(refused: Callable[..., str], tmp_path: Path) -> None:
    one = tmp_path / "one"
    assert "are one file" in refused(record=one, record_metric=one)
    assert "are one file" in refused(record=tmp_path / "report.html", pages=pages_of(tmp_path))
    assert "lies in it" in refused(record=one, pages=pages_of(one))


def _odd_zips() -> list[bytes]:
    """One of a version to come, and one with a name that is no text."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("é", b"")
    whole = file.getvalue()
    version = whole.index(b"PK\x01\x02") + 6
    return [whole[:version] + b"\xff" + whole[version + 1 :], whole.replace("é".encode(), b"\xff\xff")]


@pytest.mark.parametrize("option", ["record", "record_metric"])
def test_o3_force_replaces_recordings_alone(option: str, refused: Callable[..., str], tmp_path: Path) -> None:
    for content in (b"mine", b"{}", b"PK\x03\x04", *_odd_zips()):
        (tmp_path / "mine").write_bytes(content)
        assert "replaces nothing else" in refused(**{option: tmp_path / "mine"})


@pytest.mark.parametrize("name", ["report.html", "report.json"])
@pytest.mark.parametrize(
    "text",
    [
        "<p>mine",
        "how I use mm-ckpt-migrate",
        '{"by": "mm-ckpt-migrate"}',
        "<!DOCTYPE html>\n<title>mm-ckpt-migrate, my notes</title>",
    ],
)
def test_o3_a_page_that_is_not_ours(
    text: str, name: str, refused: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    assert "it is not a page of an earlier report" in refused(pages=pages_of(tmp_path))


@pytest.mark.parametrize("name", ["old.pth", "old.pth/below", "/proc/nobody/writes/here"])
def test_o2_a_report_that_cannot_be_written(name: str, refused: Callable[..., str], tmp_path: Path) -> None:
    assert str(tmp_path / name) in refused(pages=pages_of(tmp_path / name))


@pytest.mark.mm
@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("red", [False, True])
def test_verdicts_are_shown_though_the_report_fails(
    red: bool, as_json: bool, new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that gets full after all the work takes none of it; a red rung is still the code."""

    def full(*_: object, **__: object) -> None:
        raise DestinationError(tmp_path / "report.html", "the disk is full")

    monkeypatch.setattr(pages, "publish_bytes", full)
    source = CASES["maskformer_swin"].old if red else OLD
    arguments = ["verify", new, "--source", source, "--legacy", "none", "--report", tmp_path / "r"]
    done = CliRunner().invoke(app, [*map(str, arguments), *(["--json"] if as_json else [])])
    code = ExitCode.INTEGRITY_FAILED if red else ExitCode.BAD_DESTINATION
    assert done.exit_code == code
    if as_json:
        found = json.loads(done.stdout)
        assert found["exit_code"] == code
        assert len(found["verdicts"]) == 6
        assert "the disk is full" in found["error"]
    else:
        assert "integrity" in done.stdout
        assert "Report:" not in done.stdout
        assert "the disk is full" in done.stderr
