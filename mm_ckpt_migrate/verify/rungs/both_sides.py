"""Run what two releases are asked for; where one cannot, say whether that tells anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from mm_ckpt_migrate.configs.values import Config, ConfigValue, lookup
from mm_ckpt_migrate.errors import ConfigError, MigrateError, MissingSoftwareError
from mm_ckpt_migrate.releases.refusals import UnconfinedError, WallError
from mm_ckpt_migrate.verdicts import Rung, Verdict, failed, skipped
from mm_ckpt_migrate.verify.raw_outputs import Image, Side

T = TypeVar("T")
Size = tuple[int, int]

NOTHING: Final = "cannot tell, for this proves nothing"

# Where configs say what size of image a model was made for, the narrowest first.
_SIZES: Final = (
    "model.backbone.img_size",
    "model.backbone.pretrain_img_size",
    "model.data_preprocessor.size",
    "model.test_cfg.crop_size",
    "crop_size",
    "image_size",
    "img_scale",
)
_LARGEST: Final = 2048
# So does this program refuse a class, a file or a connection, in the process that runs the model.
_REFUSED: Final = "PermissionError: "


class CannotRunError(Exception):
    """A release gave no answer.

    Attributes:
        old, new: why not; None for a release that did, or was not asked.
    """

    def __init__(self, old: MigrateError | None = None, new: MigrateError | None = None) -> None:
        super().__init__("; ".join(error.message for error in (old, new) if error is not None))
        self.old = old
        self.new = new

    @property
    def of_the_model(self) -> bool:
        """Whether it is for the model that there is no answer; it may run on another image."""
        errors = [error for error in (self.old, self.new) if error is not None]
        return all(isinstance(e, ConfigError) and not isinstance(e, WallError) for e in errors)

    def verdict(self, rung: Rung) -> Verdict:
        """Failed where the old release can run its model and the current one cannot.

        Raises:
            MissingSoftwareError: the current release itself is not there, or broke down.
            UnconfinedError: there is no wall to run its model within.
        """
        if isinstance(self.new, (MissingSoftwareError, UnconfinedError)):
            raise self.new
        if self.old is not None:
            return skipped(rung, f"cannot tell: the old release gives no result: {_said(self.old)}")
        assert self.new is not None
        if _REFUSED in self.new.message:
            return skipped(rung, f"cannot tell: {_said(self.new)}")
        return failed(rung, f"the old release can run it, the current one cannot: {_said(self.new)}")


def _said(error: MigrateError) -> str:
    return " ".join(error.message.split())


def answers_of(old: Side, new: Side, of_old: int, of_new: int) -> list[dict[str, Any]]:
    """So many answers of either, the old release's first; none is left over for a later request.

    Raises:
        CannotRunError: one of them is a failure.
    """
    found: list[dict[str, Any]] = []
    errors: list[MigrateError | None] = []
    for side, count in ((old, of_old), (new, of_new)):
        try:
            found += side.receive(count)
            errors.append(None)
        except MigrateError as error:
            errors.append(error)
    if any(errors):
        raise CannotRunError(*errors)
    return found


def on_an_image(images: Sequence[Image], run: Callable[[Image], T]) -> tuple[T, Image]:
    """What `run` gives for the first image that the models can be run on, and the image.

    A backbone may be bound to the size of its crop, as BEiT is by its relative positions.

    Raises:
        CannotRunError: none can be; the failure of the current release alone, if there is one.
    """
    failures: list[CannotRunError] = []
    for image in images:
        try:
            return run(image), image
        except CannotRunError as error:
            failures.append(error)
            if not error.of_the_model:
                break
    raise next((error for error in failures if error.old is None), failures[0])


def images_for(usual: Image, config: Config | None) -> tuple[Image, ...]:
    """The usual image, and one of each size that a config names."""
    sizes = dict.fromkeys((usual.size, *_sizes(config or {})))
    return tuple(Image(usual.seed, size, usual.record) for size in sizes)


def _sizes(config: Config) -> Iterator[Size]:
    for path in _SIZES:
        size = _size(lookup(config, path))
        if size is not None:
            yield size


def _size(value: ConfigValue) -> Size | None:
    """Height and width; a number alone is both."""
    pair = (value, value) if isinstance(value, int) else value
    if not isinstance(pair, (list, tuple)) or len(pair) != len(("height", "width")):
        return None
    sides = [side for side in pair if type(side) is int and 0 < side <= _LARGEST]
    return (sides[0], sides[1]) if len(sides) == len(pair) else None
