"""mmengine's `base_param_settings`: the settings of a parameter that no special rule is for.

Since 0.10.0 its optimizer wrapper keeps them beside the groups, when there are several, and its
schedulers have them follow, so that the base learning rate can be logged.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from mm_ckpt_migrate.convert.training.optimizer import Optimizer, OptimizerMove
from mm_ckpt_migrate.files.pickles import opcodes as op
from mm_ckpt_migrate.files.pickles.build import (
    find,
    from_plain,
    mapping_of,
    memoized,
    pairs,
    text_of,
    text_value,
)
from mm_ckpt_migrate.files.pickles.nodes import Call, Global, Mutable, Node, Persistent, Scalar, Tuple


def base_group(optimizer: Optimizer, move: OptimizerMove, settings: Mapping[str, object]) -> int | None:
    """The group whose settings are the config's own, where `base_param_settings` are to be made.

    None where mmengine makes none, where the file has some, or where no group tells.
    """
    if len(move.groups) < 2 or find(optimizer.node, "base_param_settings") is not None:
        return None
    for group in move.groups:
        node = optimizer.groups[group.source]
        if _is_base(node, settings):
            return group.source
    return None


def _is_base(group: Node, settings: Mapping[str, object]) -> bool:
    if find(group, "lr_mult") is not None or find(group, "decay_mult") is not None:
        return False
    rate, decay = find(group, "initial_lr"), find(group, "weight_decay")
    same_decay = "weight_decay" not in settings or _number(decay) == settings["weight_decay"]
    return _number(rate) is not None and _number(rate) == settings.get("lr") and same_decay


def _number(node: Node | None) -> float | None:
    return node.value if isinstance(node, Scalar) and type(node.value) in (int, float) else None


def base_settings(group: Mutable, key: str, storages: dict[str, bytes]) -> Node:
    """`{"params": torch.tensor([0.0]), **settings of the group}`, as mmengine makes it.

    Args:
        key: of the tensor's storage, which is put into `storages`.
    """
    storages[key] = struct.pack("<f", 0.0)
    settings = {
        name: value
        for name_node, value in pairs(group)
        if (name := text_value(name_node)) is not None and name not in ("params", "param_names")
    }
    return mapping_of({"params": _tensor(key), **settings})


def _tensor(key: str) -> Node:
    """A float32 tensor of one element, as torch pickles it."""
    pid = memoized(
        Tuple(
            [
                text_of("storage"),
                memoized(Global("torch", "FloatStorage")),
                text_of(key),
                text_of("cpu"),
                from_plain(1),
            ]
        )
    )
    hooks = memoized(Call(memoized(Global("collections", "OrderedDict")), Tuple([]), op.REDUCE))
    args = [
        Persistent(pid),
        from_plain(0),
        memoized(Tuple([from_plain(1)])),
        memoized(Tuple([from_plain(1)])),
        from_plain(False),
        hooks,
    ]
    rebuild = memoized(Global("torch._utils", "_rebuild_tensor_v2"))
    return memoized(Call(rebuild, memoized(Tuple(args)), op.REDUCE))
