"""Which classes and functions a checkpoint may name.

They are never imported here, but what is carried into the new file will be by whoever loads
that one without `weights_only`. So a name outside this list is refused rather than passed on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from mm_ckpt_migrate.pickles.nodes import Call, Global, Node, Scalar, Text, Tuple, children

_HARMLESS: Final = re.compile(
    r"""(
      collections\.(OrderedDict|defaultdict|deque|Counter)
    | torch\._utils\._rebuild_(tensor(_v[23])?|parameter|parameter_with_state|qtensor|sparse_tensor
                               |meta_tensor_no_storage|device_tensor_from_numpy)
    | torch\._tensor\._rebuild_from_type_v2
    | torch\.serialization\._get_layout
    | torch(\.storage)?\.\w+Storage
    | torch\.(Size|device|dtype|Tensor)
    | torch\.(float|bfloat|int|uint|bool|complex|double|half|long|short|q(u?)int|per_)\w*
    | torch\.nn\.parameter\.(Parameter|Buffer)
    | numpy\.(_core|core)\.(multiarray\.(_reconstruct|scalar)|numeric\._frombuffer)
    | numpy\.(dtype|ndarray|bool_?|u?int\d+|float\d+|str_)
    | numpy\.dtypes\.\w+DType
    | numpy\.random\.(_pickle\.\w+|mtrand\.RandomState|_mt19937\.MT19937|_pcg64\.PCG64)
    | _codecs\.encode
    | (__builtin__|builtins)\.(set|frozenset|bytes|bytearray|complex|slice|x?range|int|long|float
                               |str|unicode|bool|list|dict|tuple)
    | datetime\.(datetime|date|time|timedelta|timezone)
    | pathlib(\._local)?\.(PosixPath|WindowsPath|PurePosixPath|PureWindowsPath)
    | argparse\.Namespace
    | mmengine\.logging\.(history_buffer|message_hub)\.(HistoryBuffer|MessageHub)
    | mmengine\.optim\.scheduler\.param_scheduler\.OneCycleParamScheduler
    | mmengine\.config\.config\.(Config|ConfigDict)
    | mmcv\.utils\.config\.(Config|ConfigDict)
    | addict\.addict\.Dict
    )""",
    re.VERBOSE,
)
_SIZED: Final = re.compile(
    r"torch\.(Tensor|nn\.parameter\.(Parameter|Buffer))|torch(\.storage)?\.\w+Storage|numpy\.ndarray"
)
_FILLED: Final = re.compile(r"(__builtin__|builtins)\.(bytes|bytearray)")
_GETATTR: Final = re.compile(r"(__builtin__|builtins)\.getattr")
ONE_CYCLE: Final = "mmengine.optim.scheduler.param_scheduler.OneCycleParamScheduler"
# What mmengine pickles by its class and its name, which protocol 2 spells as a call of `getattr`.
METHODS: Final[Mapping[str, frozenset[str]]] = {
    "mmengine.logging.history_buffer.HistoryBuffer": frozenset({"min", "max", "mean", "current"}),
    ONE_CYCLE: frozenset({"_annealing_cos", "_annealing_linear"}),
}


def foreign_globals(nodes: Iterable[Node]) -> list[str]:
    """The names, each once, that no genuine checkpoint of OpenMMLab needs."""
    nodes = list(nodes)
    calls = [node for node in nodes if isinstance(node, Call) and _is_getattr(node.callee)]
    getattr_is_harmless = all(map(is_method, calls)) and (
        not any(map(_is_getattr, nodes)) or not any(map(_hands_on_getattr, nodes))
    )
    found = dict.fromkeys(filter(None, map(_allocates, nodes)))
    for node in nodes:
        if not isinstance(node, Global) or _HARMLESS.fullmatch(node.path):
            continue
        if not (getattr_is_harmless and _is_getattr(node)):
            found[node.path] = None
    return list(found)


def _allocates(node: Node) -> str | None:
    """A call of what genuine files only name: most would make as much memory as they are told."""
    if not isinstance(node, Call) or not isinstance(node.callee, Global):
        return None
    path, args = node.callee.path, node.args.items if isinstance(node.args, Tuple) else ()
    sized = _SIZED.fullmatch(path) and args
    filled = _FILLED.fullmatch(path) and any(isinstance(a, Scalar) for a in args)
    if path == ONE_CYCLE:  # genuine files name it as the owner of a method alone
        return f"{path} called"
    return f"{path} called with a size" if sized or filled else None


def _is_getattr(node: Node) -> bool:
    return isinstance(node, Global) and _GETATTR.fullmatch(node.path) is not None


def _hands_on_getattr(node: Node) -> bool:
    """Whether it names `getattr` otherwise than to call it, so that something else might."""
    return any(
        _is_getattr(child)
        for child in children(node)
        if not (isinstance(node, Call) and child is node.callee)
    )


def is_method(node: Node) -> bool:
    """`getattr(HistoryBuffer, "mean")`, which is how mmengine pickles a buffer's methods."""
    if not isinstance(node, Call) or not _is_getattr(node.callee):
        return False
    if not isinstance(node.args, Tuple) or len(node.args.items) != 2:
        return False
    owner, name = node.args.items
    if not isinstance(owner, Global) or not isinstance(name, Text):
        return False
    return name.value in METHODS.get(owner.path, ())
