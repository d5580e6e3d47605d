"""mmcv 1.x kept the second set of weights of an averaged training as buffers of the model.

Its EMAHook registers `ema_` and the parameter's name, with underscores for dots. Before it saves,
it exchanges both sets, as mmengine does: the averaged weights have the parameters' names, and the
raw ones are in the buffers. mmengine keeps the raw ones in `ema_state_dict`, behind `module.`.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from mm_ckpt_migrate.files.pickles.build import mapping_of, named_pairs, set_pairs
from mm_ckpt_migrate.files.pickles.nodes import Mutable

_PREFIX: Final = "ema_"


def take_ema_buffers(state_dict: Mutable) -> Mutable | None:
    """Move the buffers out of a state dict, to where mmengine keeps them.

    Returns:
        The raw weights, as mmengine's `ema_state_dict`; None where there are no such buffers, or
        where a buffer's name is that of no parameter, or of several.
    """
    entries = named_pairs(state_dict)
    buffers = {key.value: value for key, value in entries if key.value.startswith(_PREFIX)}
    if not buffers:
        return None
    others = [(key, value) for key, value in entries if key.value not in buffers]
    owners = {_buffer_name(key.value): key.value for key, _ in others}
    names = Counter(_buffer_name(key.value) for key, _ in others)
    if any(names[buffer] != 1 for buffer in buffers):
        return None
    set_pairs(state_dict, others)
    return mapping_of({f"module.{owners[name]}": value for name, value in buffers.items()})


def _buffer_name(parameter: str) -> str:
    return _PREFIX + parameter.replace(".", "_")
