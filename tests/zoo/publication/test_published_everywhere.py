"""Every metafile of the installed releases, with every file of it renamed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from renamed_metafiles import check_lines, rename_all, without_weights

from mm_ckpt_migrate.zoo.patch_metafile import patch_metafile

pytestmark = pytest.mark.thorough


@pytest.mark.mm
@pytest.mark.parametrize(("package", "least"), [("mmseg", 480), ("mmdet", 590)])
def test_all_metafiles_of_a_release(package: str, least: int) -> None:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"{package} is not installed")
    replaced = 0
    for path in sorted((Path(spec.origin).parent / ".mim").rglob("*.y*ml")):
        text = path.read_bytes().decode()
        patched = patch_metafile(path, text, rename_all(text))
        check_lines(text, patched)
        if patched.replaced:
            assert without_weights(patched.text) == without_weights(text)
        replaced += len(patched.replaced)
    assert replaced >= least
