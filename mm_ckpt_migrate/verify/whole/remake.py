"""Make again, in memory, what `convert` would write now of the old file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import product

from mm_ckpt_migrate.convert.contents import only_weights
from mm_ckpt_migrate.convert.decide.decision import decide
from mm_ckpt_migrate.convert.decide.family import AUTO
from mm_ckpt_migrate.convert.options import Options, Purpose
from mm_ckpt_migrate.convert.stamp import DIGEST_PLACEHOLDER, Origin
from mm_ckpt_migrate.convert.training.follow import TRAINING_STATE
from mm_ckpt_migrate.convert.write.new_file import stamp_of
from mm_ckpt_migrate.convert.write.to_safetensors import metadata_of, tied_names
from mm_ckpt_migrate.convert.write.to_torch import edit
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.pickles.build import Plain, from_plain
from mm_ckpt_migrate.files.pickles.nodes import Node
from mm_ckpt_migrate.mapping.plan import Plan
from mm_ckpt_migrate.mapping.rules.library import Library
from mm_ckpt_migrate.names import STAMP_KEY
from mm_ckpt_migrate.schema import TargetModel


@dataclass(frozen=True, slots=True)
class Remade:
    """The content of the file that `convert` would write.

    Attributes:
        source: the old file, whose storages the content refers to.
        plan: its table.
        layout: the keys in their order, and the paths of the modules that they are in.
        root: the object to be pickled; for safetensors the strings beside the tensors, as a dict.
        storages: the bytes of those that are not the source's, by their keys.
    """

    source: Checkpoint
    plan: Plan
    layout: tuple[tuple[str, ...], tuple[str, ...]]
    root: Node
    storages: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which the file may have been made.

    Attributes:
        model: the target model that it was checked against; None where none was built.
        borrowed: whether the file's own layout stands for a model that is not at hand.
    """

    options: Options
    model: TargetModel | None
    borrowed: bool = False

    def schema(self) -> TargetModel:
        assert self.model is not None
        return self.model


def ways(origin: Origin | None, models: list[tuple[TargetModel | None, bool]], kind: Format) -> Iterator[Way]:
    """Every way that agrees with a stamp, the likeliest first.

    Args:
        models: to be tried, and whether each is borrowed.
        kind: the format of the new file.
    """
    purposes: list[Purpose | None] = [None, Purpose.INFERENCE]
    choices, raw = [False, True], False
    if origin is not None:
        raw = origin.raw
        if origin.inference is not None:
            purposes = [Purpose.INFERENCE if origin.inference else None]
        elif raw or set(origin.dropped) - set(TRAINING_STATE):
            purposes = [Purpose.INFERENCE]
        choices = choices if origin.as_is is None else [origin.as_is]
    for (model, borrowed), purpose, as_is in product(models, purposes, choices):
        options = Options(
            build=model is not None,
            force_family=True,
            keep_opaque=True,
            purpose=purpose,
            raw_weights=raw,
            keep_as_is=as_is,
            format=kind if kind is Format.SAFETENSORS else None,
        )
        yield Way(options, model, borrowed)


def remake(
    checkpoint: Checkpoint, origin: Origin | None, way: Way, library: Library, kind: Format
) -> Remade | None:
    """What `convert` would write; None where it has nothing to do.

    Args:
        kind: the format of the new file.

    Raises:
        MigrateError: it would refuse to.
    """
    if way.options.purpose is Purpose.INFERENCE:
        checkpoint = only_weights(checkpoint, raw=way.options.raw_weights)
    family = origin.plan.family if origin is not None else AUTO
    target = way if way.model is not None else None
    decision = decide(checkpoint, family, library, target, way.options)
    if (plan := decision.plan) is None:
        return None
    stamp = _complete(stamp_of(checkpoint, plan, decision.contents), checkpoint)
    layout = decision.order, _holding(decision.modules, decision.order)
    if kind is Format.SAFETENSORS:
        strings = metadata_of(checkpoint, tied_names(checkpoint, plan), stamp)
        return Remade(checkpoint, plan, layout, strings_node(strings))
    edited = edit(checkpoint, plan, decision.order, decision.modules, stamp, decision.contents)
    return Remade(source=checkpoint, plan=plan, layout=layout, root=edited.root, storages=edited.storages)


def strings_node(strings: Mapping[str, str]) -> Node:
    """The strings of a safetensors file as a dict, with the stamp in them opened."""
    plain: dict[str, Plain] = dict(strings)
    with suppress(ValueError, RecursionError):
        return from_plain({**plain, STAMP_KEY: json.loads(strings.get(STAMP_KEY, ""))})
    return from_plain(plain)


def _holding(modules: Sequence[str], keys: Sequence[str]) -> tuple[str, ...]:
    """Those that hold a tensor; of others, a state dict's `_metadata` tells nothing to torch."""
    paths = {key[:end] for key in keys for end in range(len(key)) if key[end] == "."}
    return tuple(path for path in modules if path in paths)


def _complete(stamp: dict[str, Plain], checkpoint: Checkpoint) -> dict[str, Plain]:
    digest = checkpoint.source.digest()
    return {name: digest if value == DIGEST_PLACEHOLDER else value for name, value in stamp.items()}
