"""Every model that the two releases ship a config of may still be built."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.configs.values import Config, custom_imports
from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.releases.allowed.parts import evaluation_config, training_text
from mm_ckpt_migrate.releases.allowed.request import TargetRequest, make_request

# None of these could be built before: without their packages, or with no network and from a
# folder that has no configs, their constructors fail.
NEVER = (
    "model.type: 'Detectron2Wrapper'",
    "model.backbone.type: 'VPD'",
    "model.backbone.type: 'mmpretrain.TIMMBackbone'",
    "model.teacher_config: 'configs/",
    "model.postprocess_model.checkpoint: 'https://",
    "test_dataloader.dataset.type: 'DSDLSegDataset'",
    "test_dataloader.dataset.pipeline[0].type: 'LoadMultipleRSImageFromFile'",
)


def shipped(package: str) -> Iterator[tuple[Path, Config]]:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"{package} is not installed")
    home = Path(spec.origin).parent
    for folder in (home / ".mim" / "configs", home / "configs"):
        for path in sorted(folder.rglob("*.py")):
            try:
                config = read_config(path)
            except ConfigError:
                continue  # a few need a base of another package, or say nothing of themselves
            if isinstance(config.get("model"), dict):
                yield path, config


@pytest.mark.parametrize(("package", "least"), [("mmdet", 700), ("mmseg", 600)])
def test_every_shipped_config_may_be_built(package: str, least: int) -> None:
    refused, count = [], 0
    for path, config in shipped(package):
        count += 1
        try:
            request = _request(config, package, path)
            if "optim_wrapper" in config:  # else it is a model alone, or a data set's test
                training_text(config, request)
            if package == "mmseg":  # a test loop is run for its data sets alone
                evaluation_config(config, _request({"model": {}}, package, path))
        except ConfigError as error:
            refused.append(str(error))
    assert count > least
    assert [line for line in refused if not re.search("|".join(map(re.escape, NEVER)), line)] == []


def _request(config: Config, package: str, path: Path) -> TargetRequest:
    model = config["model"]
    assert isinstance(model, dict)
    return make_request(model, package, imports=custom_imports(config), source=path)
