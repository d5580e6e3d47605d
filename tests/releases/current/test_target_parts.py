"""What a training goes on with, and what a test loop is built from: all of it from the list."""

from __future__ import annotations

from typing import Any

import pytest

from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.releases.allowed.parts import evaluation_config, training_text
from mm_ckpt_migrate.releases.allowed.request import make_request

MODEL = make_request({"type": "EncoderDecoder", "pretrained": "x.pth"}, "mmseg")
TRAINING: dict[str, Any] = {
    "optim_wrapper": {
        "type": "AmpOptimWrapper",
        "constructor": "LearningRateDecayOptimizerConstructor",
        "optimizer": {"type": "AdamW", "lr": 0.1},
    },
    "param_scheduler": [{"type": "LinearLR"}, {"type": "PolyLR"}],
    "train_cfg": {"type": "Evil"},
}
EVALUATION: dict[str, Any] = {
    "model": {"type": "Evil"},
    "custom_hooks": [{"type": "os.system"}],
    "visualizer": {"type": "Evil"},
    "test_cfg": {"type": "TestLoop"},
    "test_evaluator": {"type": "IoUMetric", "iou_metrics": ["mIoU"]},
    "test_dataloader": {
        "batch_size": 1,
        "sampler": {"type": "DefaultSampler", "shuffle": False},
        "dataset": {
            "type": "ADE20KDataset",
            "data_root": "data/ade",
            "pipeline": [{"type": "LoadImageFromFile", "backend_args": {"backend": "local"}}],
        },
    },
}


def changed(config: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one setting at a dotted path."""
    name, _, rest = path.partition(".")
    if isinstance(config, list):
        return [changed(v, rest, value) if str(i) == name else v for i, v in enumerate(config)]
    return {**config, name: changed(config.get(name, {}), rest, value) if rest else value}


def test_a_training_is_handed_over_and_nothing_beside_it() -> None:
    text = training_text(TRAINING, MODEL)
    assert "AdamW" in text
    assert "PolyLR" in text
    assert "Evil" not in text


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("optim_wrapper.type", "os.system"),
        ("optim_wrapper.constructor", "subprocess.Popen"),
        ("optim_wrapper.constructor", {"type": "x"}),
        ("optim_wrapper.optimizer.type", "ZeroRedundancyOptimizer"),
        ("optim_wrapper.optimizer.type", "ResNet"),
        ("param_scheduler.1.type", "mmengine.runner.Runner"),
    ],
)
def test_a_training_with_what_is_on_no_list_is_refused(path: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=r"optim_wrapper|param_scheduler\[1\]"):
        training_text(changed(TRAINING, path, value), MODEL)


@pytest.mark.parametrize("config", [{}, {"optim_wrapper": []}])
def test_a_config_of_a_model_alone_tells_of_no_training(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="no `optim_wrapper`"):
        training_text(config, MODEL)


def test_a_test_loop_gets_what_it_needs_and_the_stripped_model() -> None:
    kept = evaluation_config(EVALUATION, MODEL)
    assert kept["model"] == {"type": "EncoderDecoder", "pretrained": None}
    assert set(kept) == {"model", "test_cfg", "test_evaluator", "test_dataloader"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("test_cfg.type", "EvilLoop"),
        ("test_cfg.type", "LoggerHook"),
        ("test_evaluator.type", "CityscapesMetric"),
        ("test_evaluator.output_dir", "/tmp/results"),
        ("test_evaluator", [{"type": "DumpResults", "out_file_path": "/tmp/results.pkl"}]),
        ("test_evaluator.type", "mmdet.VOCMetric"),  # starts processes
        ("test_dataloader.sampler.type", "os.system"),
        ("test_dataloader.collate_fn", {"type": "builtins.eval"}),
        ("test_dataloader.dataset.type", "DecathlonDataset"),
        ("test_dataloader.dataset.ann_file", "http://x/list.txt"),
        ("test_dataloader.dataset.data_root", "s3://bucket"),
        ("test_dataloader.dataset.pipeline.0.type", "Albu"),
        *(
            ("test_dataloader.dataset.pipeline.0", {"type": kind, "decode_backend": "pickle"})
            for kind in ("LoadBiomedicalData", "LoadDepthAnnotation", "LoadBiomedicalAnnotation")
        ),
        ("test_dataloader.dataset.pipeline.0.backend_args", {"backend": "petrel"}),
        ("test_dataloader.dataset.pipeline.0.file_client_args", {"backend": "lmdb"}),
        ("data_preprocessor", {"type": "VPD"}),
    ],
)
def test_a_test_loop_with_what_is_on_no_list_is_refused(path: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=r": (test_|data_preprocessor)"):
        evaluation_config(changed(EVALUATION, path, value), MODEL)


def test_a_transform_may_decode_what_is_no_pickle() -> None:
    loading = {"type": "LoadDepthAnnotation", "decode_backend": "cv2"}
    evaluation_config(changed(EVALUATION, "test_dataloader.dataset.pipeline.0", loading), MODEL)


def test_the_user_may_trust_a_package_for_these_as_well() -> None:
    model = make_request({}, "mmseg", allow_imports=["mmseg"])
    evaluation_config(changed(EVALUATION, "test_evaluator.type", "CityscapesMetric"), model)
