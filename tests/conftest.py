"""What every test needs of the machine, and what folders of tests share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

from mm_ckpt_migrate.mapping.rules.library import Library, load_rules
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet


def pytest_configure() -> None:
    """A shell starts what runs in its background deaf to Ctrl-C, and nohup to a hang-up."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # How long an example takes says something of the machine.
    settings.register_profile("patient", deadline=None)
    settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the OpenMMLab stack, where it is missing."""
    if find_spec("mmseg") is not None:
        return
    skip = pytest.mark.skip(reason="the OpenMMLab stack is not installed")
    for item in items:
        if item.get_closest_marker("mm"):
            item.add_marker(skip)


@pytest.fixture(autouse=True, scope="session")
def schema_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cache for the session and all who work for it, so that each model is built once."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MM_CKPT_MIGRATE_CACHE", str(folder / "schemas"))
        yield folder / "schemas"


@pytest.fixture(scope="session")
def library() -> Library:
    return load_rules()


@pytest.fixture(scope="session")
def families(library: Library) -> dict[str, RuleSet]:
    return {rules.family: rules for rules in library.families}
