"""How genuine checkpoints call what they may name: with which arguments, and what fills it then.

A harmless name does harm with other arguments: `bytearray(3000000000)`, or a function that calls
what it is handed. So each has its forms here, as CPython's pickler, torch, numpy and mmengine write
them, and whatever is called in no form of its own is refused. A form more is a line more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from mm_ckpt_migrate.files.checkpoint import call_args as is_
from mm_ckpt_migrate.files.checkpoint import call_arrays as np_
from mm_ckpt_migrate.files.pickles import opcodes as op
from mm_ckpt_migrate.files.pickles.nodes import Call, Global, Node, Text, Tuple

Check: TypeAlias = Callable[[Node], bool]
Args: TypeAlias = "tuple[Check, ...]"

_ITEMS: Final = (op.SETITEM, op.SETITEMS)
_ELEMENTS: Final = (op.APPEND, op.APPENDS)


@dataclass(frozen=True, slots=True)
class Form:
    """One way to make an object.

    Attributes:
        args: what each argument must be.
        made_by: REDUCE or NEWOBJ.
        state: what BUILD may give it; None where it takes no state.
        filled: the opcodes that put something into it.
        whole: what else must be right.
    """

    args: Args = ()
    made_by: bytes = op.REDUCE
    state: Check | None = None
    filled: tuple[bytes, ...] = ()
    whole: Callable[[Call], bool] = lambda call: True

    def fits(self, call: Call) -> bool:
        args = call.args.items if isinstance(call.args, Tuple) else []
        if call.opcode != self.made_by or len(args) != len(self.args):
            return False
        # Loops, as a training has thousands of calls, and a generator costs as much as a check.
        for check, arg in zip(self.args, args, strict=True):
            if not check(arg):
                return False
        for change in call.changes:
            if not self._takes(call, change.opcode, change.operands[0]):
                return False
        return self.whole(call)

    def _takes(self, call: Call, opcode: bytes, operand: Node) -> bool:
        if opcode == op.BUILD:
            # addict's dicts are their own state.
            return self.state is not None and (operand is call or self.state(operand))
        return opcode in self.filled


# What mmengine pickles by its class and its name, which protocol 2 spells as a call of `getattr`.
METHODS: Final[Mapping[str, frozenset[str]]] = {
    "mmengine.logging.history_buffer.HistoryBuffer": frozenset({"min", "max", "mean", "current"}),
    "mmengine.optim.scheduler.param_scheduler.OneCycleParamScheduler": frozenset(
        {"_annealing_cos", "_annealing_linear"}
    ),
}
_GETATTR: Final = ("__builtin__.getattr", "builtins.getattr")


def is_method(node: Node) -> bool:
    """Whether a node is the `getattr` of one of METHODS, such as `HistoryBuffer.mean`."""
    args = is_.items(node.args) if isinstance(node, Call) else []
    return (
        is_.called(node) in _GETATTR
        and len(args) == 2
        and isinstance(args[0], Global)
        and isinstance(args[1], Text)
        and args[1].value in METHODS.get(args[0].path, ())
    )


def call_fault(call: Call) -> str | None:
    """What is odd about a call of a harmless name, or None."""
    assert isinstance(call.callee, Global)
    for form in _forms(call.callee.module, call.callee.name):
        if form.fits(call):
            return None
    return f"{call.callee.path} {'changed' if call.changes else 'called'} in an odd way"


@lru_cache(maxsize=1000)
def _forms(module: str, name: str) -> tuple[Form, ...]:
    return FORMS.get(canonical(f"{module}.{name}"), ())


def canonical(path: str) -> str:
    """A name as Python 3, numpy 1 and Python up to 3.12 spell it."""
    path = path.replace("__builtin__.", "builtins.", 1) if path[:2] == "__" else path
    return path.replace("numpy._core.", "numpy.core.").replace("pathlib._local.", "pathlib.")


def _rebuilt_fits(call: Call) -> bool:
    """Whether what `_rebuild_from_type_v2` is to call, it may call with these arguments."""
    function, _, args, _ = is_.items(call.args)
    inner = Call(function, args, op.REDUCE)
    return any(form.fits(inner) for form in FORMS[is_.path(function)])


_TENSOR: Final = (is_.storage, is_.natural, is_.sizes, is_.sizes)
_HOOKS: Final = (is_.boolean, is_.no_hooks)
_DICTS: Final = (
    Form((is_.mapping,)),
    Form(made_by=op.NEWOBJ, state=is_.attributes, filled=_ITEMS),
    Form(state=is_.attributes, filled=_ITEMS),
)
_CONFIG: Final = (Form(made_by=op.NEWOBJ, state=is_.tuple_), Form(state=is_.tuple_))
_OBJECT: Final = (Form(made_by=op.NEWOBJ, state=is_.attributes),)
_SET: Final = (Form((is_.list_,)), Form())
_DATES: Final = tuple(Form((is_.of_date,) * count) for count in range(1, 9))
_PATHS: Final = tuple(Form((is_.text,) * count) for count in range(65))
_RANDOM: Final = (
    Form((is_.text, np_.bit_generator_ctor), state=is_.attributes),
    Form((np_.bit_generator,), state=np_.random_state),
)

FORMS: Final[Mapping[str, tuple[Form, ...]]] = {
    "builtins.getattr": (Form((is_.anything, is_.anything), whole=is_method),),
    "builtins.set": _SET,
    "builtins.frozenset": _SET,
    "builtins.bytes": (Form(),),
    "builtins.bytearray": (Form(), Form((is_.made_bytes,)), Form((is_.text, is_.latin1))),
    "builtins.complex": (Form((is_.number, is_.number)),),
    "builtins.slice": (Form((is_.number, is_.number, is_.number)),),
    "builtins.range": (Form((is_.integer, is_.integer, is_.integer), whole=is_.short_range),),
    "builtins.xrange": (Form((is_.integer, is_.integer, is_.integer), whole=is_.short_range),),
    "_codecs.encode": (Form((is_.text, is_.latin1)),),
    "collections.OrderedDict": (Form(state=is_.attributes, filled=_ITEMS),),
    "collections.defaultdict": (Form((is_.factory,), filled=_ITEMS), Form(filled=_ITEMS)),
    "collections.deque": (
        Form(filled=_ELEMENTS),
        Form((is_.list_,), filled=_ELEMENTS),
        Form((is_.empty_tuple, is_.natural), filled=_ELEMENTS),
        Form((is_.list_, is_.natural), filled=_ELEMENTS),
    ),
    "collections.Counter": (Form((is_.mapping,)), Form()),
    **{f"datetime.{name}": _DATES for name in is_.DATES},
    **{f"pathlib.{name}": _PATHS for name in is_.PATHS},
    "argparse.Namespace": _OBJECT,
    "mmengine.logging.history_buffer.HistoryBuffer": (Form(made_by=op.NEWOBJ, state=is_.history),),
    "mmengine.logging.message_hub.MessageHub": _OBJECT,
    "mmengine.config.config.Config": _CONFIG,
    "mmcv.utils.config.Config": _CONFIG,
    "mmengine.config.config.ConfigDict": _DICTS,
    "mmcv.utils.config.ConfigDict": _DICTS,
    "addict.addict.Dict": _DICTS,
    "numpy.core.multiarray._reconstruct": (
        Form((np_.ndarray, is_.zero, is_.made_bytes), state=np_.array_state, whole=np_.built),
    ),
    "numpy.core.multiarray.scalar": (Form((np_.dtype, is_.raw), whole=np_.scalar_fits),),
    "numpy.core.numeric._frombuffer": (Form((is_.raw, np_.dtype, is_.sizes, is_.text)),),
    "numpy.dtype": (Form((np_.dtype_name, is_.false, is_.true), state=np_.dtype_state),),
    "numpy.random._pickle.__bit_generator_ctor": (
        Form((is_.text,), state=np_.random_state),
        Form((np_.bit_generator_class,), state=np_.random_state),
    ),
    "numpy.random._pickle.__randomstate_ctor": _RANDOM,
    "numpy.random._pickle.__generator_ctor": _RANDOM,
    "torch.Size": (Form((is_.sizes,)), Form((is_.list_,))),
    "torch.device": (Form((is_.text,)), Form((is_.text, is_.natural))),
    "torch.serialization._get_layout": (Form((is_.text,)),),
    "torch._utils._rebuild_tensor": (Form(_TENSOR),),
    "torch._utils._rebuild_tensor_v2": (Form((*_TENSOR, *_HOOKS)), Form((*_TENSOR, *_HOOKS, is_.mapping))),
    "torch._utils._rebuild_tensor_v3": (
        Form((*_TENSOR, *_HOOKS, is_.torch_name)),
        Form((*_TENSOR, *_HOOKS, is_.torch_name, is_.mapping)),
    ),
    "torch._utils._rebuild_qtensor": (
        Form((*_TENSOR, is_.quantizer, *_HOOKS), whole=is_.no_larger_than_storage),
    ),
    "torch._utils._rebuild_sparse_tensor": (Form((is_.layout, is_.sparse_parts)),),
    "torch._utils._rebuild_meta_tensor_no_storage": (
        Form((is_.torch_name, is_.sizes, is_.sizes, is_.boolean)),
    ),
    "torch._utils._rebuild_device_tensor_from_numpy": (
        Form((np_.array, is_.torch_name, is_.text, is_.boolean)),
    ),
    "torch._utils._rebuild_parameter": (Form((is_.tensor, *_HOOKS)),),
    "torch._utils._rebuild_parameter_with_state": (Form((is_.tensor, *_HOOKS, is_.attributes)),),
    "torch._tensor._rebuild_from_type_v2": (
        Form((is_.rebuild, is_.tensor_class, is_.tuple_, is_.attributes), whole=_rebuilt_fits),
    ),
}
