"""Which classes and functions a checkpoint may name.

They are never imported here, but what is carried into the new file will be by whoever loads
that one without `weights_only`. So a name outside this list is refused rather than passed on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from mm_ckpt_migrate.files.checkpoint.calls import call_fault, is_method
from mm_ckpt_migrate.files.pickles.nodes import Call, Global, Node, Parent, children, walk
from mm_ckpt_migrate.files.pickles.parse import Parsed

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
_GETATTR: Final = ("builtins.getattr", "__builtin__.getattr")


def foreign_globals(nodes: Iterable[Node]) -> list[str]:
    """The names, each once, that no genuine checkpoint of OpenMMLab needs.

    Where there are none, the calls, each once, that none makes of the others.
    """
    nodes = list(nodes)
    names = [node.path for node in nodes if isinstance(node, Global)]
    odd = {path for path in set(names) if not _HARMLESS.fullmatch(path)}
    if not odd.isdisjoint(_GETATTR) and _only_methods(nodes):
        odd.difference_update(_GETATTR)
    if odd:
        return list(dict.fromkeys(path for path in names if path in odd))
    calls = (node for node in nodes if isinstance(node, Call))
    return list(dict.fromkeys(filter(None, map(call_fault, calls))))


def foreign(parsed: Parsed) -> list[str]:
    """What `foreign_globals` says of a whole stream; where that is nothing, as a rule without a walk."""
    made = parsed.made
    if not any(map(_is_getattr, made.names)) and not foreign_globals([*made.names, *made.calls]):
        return []
    return foreign_globals(walk(parsed.root, numbers=False))


def _only_methods(nodes: Iterable[Node]) -> bool:
    """Whether `getattr` is named only to fetch what mmengine fetches by it."""
    for node in nodes:
        if isinstance(node, Call) and _is_getattr(node.callee):
            if not is_method(node):
                return False
        elif isinstance(node, Parent) and any(map(_is_getattr, children(node))):
            return False
    return True


def _is_getattr(node: Node) -> bool:
    return isinstance(node, Global) and node.path in _GETATTR
