from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, LOGGED, NAMES, Case, edited, few_by_default, run

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.errors import MigrateError
from mm_ckpt_migrate.verdicts import ConvertReport


@pytest.fixture(params=few_by_default(NAMES))
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture(params=few_by_default(LOGGED))
def logged(request: pytest.FixtureRequest) -> Case:
    """A case of mmengine: mmcv 1.x kept no message hub."""
    return CASES[request.param]


class Conversions:
    """Conversions made once, on demand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: dict[str, tuple[ConvertReport, Path]] = {}

    def __call__(self, case: Case, family: str = "auto", **options: Any) -> tuple[ConvertReport, Path]:
        name = "-".join([case.name, family, *map(str, sorted(options.items()))])
        if name not in self.made:
            path = self.folder / f"{len(self.made)}.pth"
            self.made[name] = run(case, path, family, **options), path
        return self.made[name]


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Conversions:
    """Give the report and the new file of a case; nobody may write to that file."""
    return Conversions(tmp_path_factory.mktemp("converted"))


Change = Callable[[Any], Any]


@pytest.fixture
def attempt(tmp_path: Path) -> Callable[..., ConvertReport]:
    """Convert a changed golden checkpoint without building the model."""

    def run_one(case: Case, change: Change, family: str = "auto", **options: Any) -> ConvertReport:
        old = edited(case, tmp_path / "old.pth", change)
        return convert(family, "-", old, tmp_path / "new.pth", Options(build=False, **options))

    return run_one


@pytest.fixture
def refused(attempt: Callable[..., ConvertReport], tmp_path: Path) -> Callable[..., MigrateError]:
    """The same, where it must fail and leave nothing behind."""

    def run_one(case: Case, change: Change, family: str = "auto", **options: Any) -> MigrateError:
        with pytest.raises(MigrateError) as caught:
            attempt(case, change, family, **options)
        assert [path.name for path in tmp_path.iterdir()] == ["old.pth"]
        return caught.value

    return run_one
