"""What `torch.load` refuses at its defaults, which since torch 2.6 are `weights_only=True`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from mm_ckpt_migrate.files.pickles.nodes import Global, Node

# What torch.load(weights_only=True) of torch 2.6 to 2.13 accepts, as far as checkpoints use it.
_WEIGHTS_ONLY: Final = re.compile(
    r"collections\.(OrderedDict|Counter)"
    r"|torch\._utils\._rebuild_(tensor(_v[23])?|parameter(_with_state)?|qtensor|sparse_tensor"
    r"|meta_tensor_no_storage|device_tensor_from_numpy)"
    r"|torch\._tensor\._rebuild_from_type_v2|torch\.serialization\._get_layout"
    r"|torch(\.cuda)?\.\w+(Storage|Tensor)|torch\.storage\.(Typed|Untyped)Storage"
    r"|torch\.(Size|device|Tensor|nn\.parameter\.Parameter)"
    r"|torch\.(b?float|u?int|bool|complex|q?u?int|per_|bits)\w*"
    r"|_codecs\.encode|(__builtin__|builtins)\.(bytearray|complex|set)"
)


def refused_globals(nodes: Iterable[Node]) -> tuple[str, ...]:
    """The names, each once, for which `torch.load(path)` refuses the file; () where it takes it."""
    paths = (node.path for node in nodes if isinstance(node, Global))
    return tuple(dict.fromkeys(path for path in paths if not _WEIGHTS_ONLY.fullmatch(path)))
