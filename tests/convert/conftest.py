from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
# `support` lies beside the rooms' folders; the golden checkpoints' makers know the raw outputs.
sys.path += [str(HERE.parent), str(HERE.parent / "make_golden")]

from golden_cases import CASES, LOGGED, NAMES, Case, edited, run, skip_without_stack  # noqa: E402

from mm_ckpt_migrate.convert import convert  # noqa: E402
from mm_ckpt_migrate.errors import MigrateError  # noqa: E402
from mm_ckpt_migrate.options import Options  # noqa: E402
from mm_ckpt_migrate.report import ConvertReport  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip_without_stack(items, HERE)


@pytest.fixture(autouse=True, scope="session")
def schema_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cache for the session, so that each model is built once."""
    folder = tmp_path_factory.getbasetemp() / "schemas"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MM_CKPT_MIGRATE_CACHE", str(folder))
        yield folder


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture(params=LOGGED)
def logged(request: pytest.FixtureRequest) -> Case:
    """A case of mmengine: mmcv 1.x kept no message hub."""
    return CASES[request.param]


class Conversions:
    """Conversions made once, on demand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: dict[str, tuple[ConvertReport, Path]] = {}

    def __call__(
        self, case: Case, family: str = "auto", **options: Any
    ) -> tuple[ConvertReport, Path]:
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
