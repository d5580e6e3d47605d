"""Child only: record a test run through mmseg's own metric as it computes.

The metric rounds to two digits and prints its classes as a table. The numbers behind both are
those that it returns from `total_area_to_metrics`, before it rounds them.
"""

from __future__ import annotations

import base64
import io
import math
import os
import time
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from mm_ckpt_migrate.releases.probe.evaluate_data import Found, ProblemError, wrong_labels

EVENTS_EVERY = 0.5  # seconds
LONGEST_SIDE = 640  # pixels of a sample's picture
MOST_CLASSES = 256  # that a PNG of one byte for each pixel can show
AREAS = ("intersect", "union", "predicted", "labelled")


class Recorder:
    """Watches a Runner's test loop.

    Attributes:
        exact: the metrics before rounding, in percent.
        classes: of each class its name, scores and areas in pixels; None where it is absent.
        inputs_crc32: of all images as the model was given them; None with several processes.
        varied: whether some image is predicted to show more than one class.
    """

    def __init__(
        self, request: dict[str, Any], found: Found, progress: Callable[[dict[str, Any]], None]
    ) -> None:
        self.exact: dict[str, float | None] = {}
        self.classes: list[dict[str, Any]] = []
        self.inputs_crc32: int | None = 0
        self.varied = False
        self._found = found
        self._progress = progress
        self._samples: dict[str, tuple[str, str]] = {}
        samples = int(request.get("samples") or 0) if len(found.classes) <= MOST_CLASSES else 0
        self._wanted = _evenly(found.paths, samples)
        self._ignored = 255
        self._problem: ProblemError | None = None
        self._done = 0
        self._started = self._told = time.monotonic()
        dist = import_module("mmengine.dist")
        self._world, self._gather = dist.get_world_size(), dist.all_gather_object
        self._is_main = dist.is_main_process

    def attach(self, runner: Any) -> None:
        """Put itself behind the metric and into the loop.

        Raises:
            ProblemError: the config's evaluator computes no IoU.
        """
        base = import_module("mmseg.evaluation").IoUMetric
        metric = next((m for m in runner.test_loop.evaluator.metrics if isinstance(m, base)), None)
        if metric is None:
            raise ProblemError("config", "the config's test_evaluator has no IoUMetric")
        self._ignored = metric.ignore_index
        compute = metric.total_area_to_metrics

        def recorded(*areas: Any, **options: Any) -> Any:
            scores = compute(*areas, **options)
            self._keep(areas, scores)
            return scores

        metric.total_area_to_metrics = recorded
        recorder, hook = self, import_module("mmengine.hooks").Hook

        class Watch(hook):  # type: ignore[misc, valid-type]
            def after_test_iter(
                self, _runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
            ) -> None:
                recorder.after_batch(data_batch, outputs)

            def after_test_epoch(self, _runner: Any, metrics: Any = None) -> None:
                recorder.after_all()

        runner.register_hook(Watch(), priority="LOWEST")

    def after_batch(self, batch: Any, outputs: Any) -> None:
        """Count, check and look at what was just computed."""
        self._check(outputs)
        self._done += len(outputs) * self._world
        if self._world > 1:
            self.inputs_crc32 = None
        elif self.inputs_crc32 is not None:
            for image in batch["inputs"]:
                pixels = image.contiguous().numpy()
                self.inputs_crc32 = zlib.crc32(pixels.data, self.inputs_crc32)
        for sample in outputs:
            self.varied = self.varied or _varies(sample.pred_sem_seg.data)
            if sample.img_path in self._wanted:
                self._keep_sample(sample)
        self._tell()

    def _check(self, outputs: Any) -> None:
        problem = next(wrong_labels(outputs, self._found, self._ignored), None)
        if problem is not None and self._world == 1:
            raise problem
        # With several processes all of them have to reach the end, or the others wait for ever.
        self._problem = self._problem or problem

    def after_all(self) -> None:
        """Say in every process what one of them found."""
        self.varied = any(self._gather(self.varied))
        problem = self._problem
        found = problem and (problem.kind, str(problem), problem.hint)
        first = next((other for other in self._gather(found) if other is not None), None)
        if first is not None:
            raise ProblemError(*first)
        if self._is_main() and not self.classes:
            raise ProblemError("config", "the config's IoUMetric computes nothing of each class")

    def _tell(self) -> None:
        now, images = time.monotonic(), self._found.images
        done = min(self._done, images)
        if now - self._told < EVENTS_EVERY and done < images:
            return
        self._told = now
        speed = done / max(now - self._started, 1e-9)
        self._progress(
            {
                "done": done,
                "of": images,
                "images_per_second": round(speed, 3),
                "seconds_left": round((images - done) / speed, 1),
            }
        )

    def _keep(self, areas: Any, scores: Any) -> None:
        for key, values in scores.items():
            name = key if key == "aAcc" else f"m{key}"
            self.exact[name] = number(np.nanmean(values), 100)
        counts = [[number(value) for value in area] for area in areas[: len(AREAS)]]
        scored = {key: values for key, values in scores.items() if key != "aAcc"}
        rounded = {key: np.round(values * 100, 2) for key, values in scored.items()}
        self.classes = [
            {
                "name": name,
                **{key: printed(values[i]) for key, values in rounded.items()},
                "exact": {key: number(values[i], 100) for key, values in scored.items()},
                **{key: counts[k][i] for k, key in enumerate(AREAS)},
            }
            for i, name in enumerate(self._found.classes)
        ]

    def _keep_sample(self, sample: Any) -> None:
        """The image as it is displayed, and the labels found, as small as a report needs them."""
        module, ops = import_module("PIL.Image"), import_module("PIL.ImageOps")
        labels = sample.pred_sem_seg.data.squeeze(0).cpu().numpy().astype(np.uint8)  # (height, width)
        with module.open(sample.img_path) as opened:
            image = ops.exif_transpose(opened).convert("RGB")
        prediction = module.fromarray(labels)
        scale = LONGEST_SIDE / max(image.size)
        if scale < 1:
            size = tuple(max(1, round(side * scale)) for side in image.size)
            image, prediction = image.resize(size), prediction.resize(size, module.NEAREST)
        self._samples[sample.img_path] = (_png(image), _png(prediction))

    def samples(self) -> list[dict[str, str]]:
        """The pictures that are kept, in the order of the data set: PNGs, in base 64."""
        return [
            {"name": os.path.basename(path), "image": pictures[0], "prediction": pictures[1]}
            for path, pictures in ((path, self._samples.get(path)) for path in self._wanted)
            if pictures
        ]


def _png(picture: Any) -> str:
    written = io.BytesIO()
    picture.save(written, "PNG")
    return base64.b64encode(written.getvalue()).decode()


def _evenly(paths: tuple[str, ...], count: int) -> list[str]:
    """A few of the images, spread over all."""
    count = min(count, len(paths))
    return [paths[number * len(paths) // count] for number in range(count)]


def _varies(labels: Any) -> bool:
    return bool(labels.numel()) and bool((labels != labels.flatten()[0]).any())


def number(value: Any, scale: int = 1) -> float | None:
    """A plain number for JSON, which has no NaN."""
    plain = float(value) * scale
    return None if math.isnan(plain) else plain


def printed(value: Any) -> float | None:
    """The two digits that mmseg prints; numpy 2 leaves 42.05 in single precision, numpy 1 not."""
    plain = number(value)
    return None if plain is None else round(plain, 2)
