"""Methods that mmengine's schedulers leave in their state, which `torch.load` refuses.

OneCycleLR keeps its annealing function as `anneal_func`. mmengine's `load_state_dict` only updates
the attributes of a scheduler that was built from the config, so without the entry it keeps the
function that `anneal_strategy` gave it: the same one (mmengine 0.7.4 to 0.10.7).
"""

from __future__ import annotations

from collections.abc import Iterator

from mm_ckpt_migrate.files.checkpoint.calls import is_method
from mm_ckpt_migrate.files.pickles.build import elements, find, is_mapping, pairs, set_pairs, text_value
from mm_ckpt_migrate.files.pickles.nodes import Mutable, Node

_SECTION = "param_schedulers"
_METHOD = "anneal_func"


def leave_methods_out(root: Node) -> tuple[str, ...]:
    """Take them out of a checkpoint's nodes, in place; a sentence that says so, or ()."""
    found = [one for one in _schedulers(find(root, _SECTION)) if _has_method(one)]
    for scheduler in found:
        kept = [entry for entry in pairs(scheduler) if text_value(entry[0]) != _METHOD]
        set_pairs(scheduler, kept)
    if not found:
        return ()
    return (f"{_METHOD} left out of {_SECTION}: mmengine makes it of the config's anneal_strategy",)


def _schedulers(section: Node | None) -> Iterator[Mutable]:
    """Those of the only optimizer, or of each by its name."""
    if section is None:
        return
    lists = [node for _, node in pairs(section)] if is_mapping(section) else [section]
    for one in lists:
        yield from (s for s in elements(one) if isinstance(s, Mutable) and is_mapping(s))


def _has_method(scheduler: Node) -> bool:
    method = find(scheduler, _METHOD)
    return method is not None and is_method(method)
