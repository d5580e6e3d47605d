"""Which releases are old, and what the lock file says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mm_ckpt_migrate.errors import ExitCode, MissingSoftwareError
from mm_ckpt_migrate.releases.old.release import DEFAULT, check_old, lock_named, lock_names

PYTHON = Path("/env/bin/python")


@pytest.mark.parametrize(
    ("mmseg", "mmdet"), [("1.0.0rc4", "3.0.0rc4"), ("1.0.0rc0", "3.0.0rc0"), ("1.0.0rc4", "3.0.0rc5")]
)
def test_old_releases(mmseg: str, mmdet: str) -> None:
    check_old({"mmseg": mmseg, "mmdet": mmdet}, PYTHON)


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ({"mmseg": "1.2.2", "mmdet": "3.3.0"}, "mmseg 1.2.2, not an old release"),
        ({"mmseg": "1.0.0rc5", "mmdet": "3.0.0rc5"}, "mmseg 1.0.0rc5"),
        ({"mmseg": "1.0.0", "mmdet": "3.0.0rc5"}, "mmseg 1.0.0,"),
        ({"mmseg": "1.0.0rc4", "mmdet": "3.0.0rc6"}, "mmdet 3.0.0rc6"),
        ({"mmseg": "1.0.0rc4", "mmdet": "3.0.0"}, "mmdet 3.0.0,"),
        ({"mmseg": "0.30.0", "mmdet": "2.28.2"}, "mmseg 0.30.0"),  # of mmcv 1.x
        ({"mmseg": "1.0.0rc4"}, "mmdet (none)"),
        ({"mmseg": "1.0.0rc4", "mmdet": "unknown"}, "mmdet unknown"),
    ],
)
def test_other_releases(versions: dict[str, str], said: str) -> None:
    with pytest.raises(MissingSoftwareError) as caught:
        check_old(versions, PYTHON)
    assert said in caught.value.message
    assert "mmsegmentation 1.0.0rc0 to 1.0.0rc4" in caught.value.message
    assert caught.value.exit_code is ExitCode.MISSING_SOFTWARE


def test_every_package_of_the_lock_file_has_one_version() -> None:
    assert lock_names() == (DEFAULT,)
    lock = lock_named(DEFAULT)
    pattern = re.compile(r'[A-Za-z][\w-]*(?<!-)==[\w.]+(; python_version (<|>=) "3\.11")?', re.ASCII)
    lines = [lock.torch, *lock.needed, *lock.openmmlab]
    assert all(pattern.fullmatch(line) for line in lines)
    assert lock.torch == "torch==2.13.0"
    assert lock.openmmlab == (
        "mmengine==0.7.4",
        "mmcv-lite==2.0.0rc3",
        "mmdet==3.0.0rc4",
        "mmsegmentation==1.0.0rc4",
    )
    for version in ("<", ">="):
        names = [line.partition("==")[0] for line in lines if "; " not in line or version in line]
        assert len(set(names)) == len(names)
        # What torch and the OpenMMLab packages import on the CPU, and what builds them.
        assert {"numpy", "scipy", "matplotlib", "yapf", "setuptools", "wheel"} <= set(names)


def test_there_is_no_path_in_the_lock_file() -> None:
    assert "/" not in lock_named(DEFAULT).path.read_text(encoding="utf-8")


def test_an_unknown_name() -> None:
    with pytest.raises(MissingSoftwareError, match=r"no old release named '\.\./x'") as caught:
        lock_named("../x")
    assert DEFAULT in caught.value.hint
