"""P1 to P4: which names a checkpoint may hold, and what may be done with `getattr`."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from support.files import golden_files, golden_id
from support.opened import opened, opened_stream
from support.streams import ORDERED_DICT, call, mapping, name, plain, system_call, tensor, text

from mm_ckpt_migrate.files.checkpoint.policy import foreign_globals
from mm_ckpt_migrate.files.pickles.nodes import Global, walk
from mm_ckpt_migrate.files.pickles.parse import parse_whole

WEIGHTS = mapping({"w": tensor()})
BUFFER = "mmengine.logging.history_buffer.HistoryBuffer"


def foreign(value: bytes) -> tuple[str, ...]:
    """What is listed of a value that lies beside the state dict."""
    tree = opened_stream(mapping({"state_dict": WEIGHTS, "message_hub": value})).tree
    assert tree is not None
    return tree.foreign


def getattr_of(owner: bytes, attribute: bytes, builtins: str = "__builtin__") -> bytes:
    return call(f"{builtins}.getattr", owner, attribute)


def history_buffer() -> bytes:
    """As mmengine pickles one: its statistics are methods of the class, fetched by getattr."""
    methods = {s: getattr_of(name(BUFFER), text(s)) for s in ("min", "max", "mean", "current")}
    state = mapping({"_max_length": plain(10), "_statistics_methods": mapping(methods)})
    return call(BUFFER, opcode=b"\x81") + state + b"b"


@pytest.mark.parametrize("path", golden_files(), ids=golden_id)
def test_genuine_files_hold_nothing_foreign(path: Path) -> None:
    tree = opened(path.read_bytes()).tree
    assert tree is not None
    assert tree.foreign == ()


def test_some_genuine_file_holds_a_history_buffer() -> None:
    trees = [opened(path.read_bytes()).tree for path in golden_files()]
    paths = {node.path for tree in trees if tree for node in walk(tree.root) if isinstance(node, Global)}
    assert BUFFER in paths
    assert paths & {"__builtin__.getattr", "builtins.getattr"}


def test_p03_genuine_history_buffer() -> None:
    assert foreign(history_buffer()) == ()


def test_p03_history_buffer_of_the_installed_mmengine() -> None:
    logging = pytest.importorskip("mmengine.logging")
    raw = pickle.dumps({"loss": logging.HistoryBuffer([0.5], [1])}, protocol=2)
    assert foreign_globals(walk(parse_whole(raw))) == []


ONE_CYCLE = "mmengine.optim.scheduler.param_scheduler.OneCycleParamScheduler"


@pytest.mark.parametrize("strategy", ["_annealing_cos", "_annealing_linear"])
def test_p03_genuine_one_cycle(strategy: str) -> None:
    assert foreign(mapping({"anneal_func": getattr_of(name(ONE_CYCLE), text(strategy))})) == ()


@pytest.mark.parametrize("strategy", ["cos", "linear"])
def test_p03_one_cycle_of_the_installed_mmengine(strategy: str) -> None:
    optim, torch = pytest.importorskip("mmengine.optim"), pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    made = optim.OneCycleLR(optimizer, eta_max=0.5, total_steps=5, anneal_strategy=strategy)
    raw = pickle.dumps(made.state_dict(), protocol=2)
    assert b"OneCycleParamScheduler" in raw
    assert foreign_globals(walk(parse_whole(raw))) == []


GETATTR: dict[str, bytes] = {
    "other_method_of_one_cycle": getattr_of(name(ONE_CYCLE), text("__init__")),
    "method_of_another_owner": getattr_of(name(BUFFER), text("_annealing_cos")),
    "statistic_of_one_cycle": getattr_of(name(ONE_CYCLE), text("mean")),
    "another_schedule": getattr_of(name(ONE_CYCLE.replace("OneCycle", "Poly")), text("_annealing_cos")),
    "of_a_module": getattr_of(name("torch.os"), text("system")),
    "of_a_harmless_class": getattr_of(name("collections.OrderedDict"), text("mean")),
    "other_attribute": getattr_of(name(BUFFER), text("__init__")),
    "globals_of_a_method": getattr_of(getattr_of(name(BUFFER), text("mean")), text("__globals__")),
    "dotted": getattr_of(name(BUFFER), text("mean.__globals__")),
    "attribute_is_a_class": getattr_of(name(BUFFER), name("builtins.str")),
    "three_arguments": call("__builtin__.getattr", name(BUFFER), text("mean"), b"N"),
    "one_argument": call("__builtin__.getattr", name(BUFFER)),
    "by_newobj": call("__builtin__.getattr", name("os.path"), text("join"), opcode=b"\x81"),
    "never_called": name("__builtin__.getattr"),
    "passed_to_another": call("collections.defaultdict", name("builtins.getattr")),
    "called_by_another": call(
        "torch._tensor._rebuild_from_type_v2",
        name("builtins.getattr"),
        name("torch.Tensor"),
        name(BUFFER) + text("mean") + b"\x86",
        b"}",
    ),
}


@pytest.mark.parametrize("beside", [b"N", history_buffer()], ids=["alone", "beside_a_genuine"])
@pytest.mark.parametrize("case", GETATTR)
def test_p03_any_other_getattr(case: str, beside: bytes) -> None:
    found = foreign(mapping({"genuine": beside, "odd": GETATTR[case]}))
    assert any(path.endswith(".getattr") for path in found)


FOREIGN = [
    "os.system",
    "posix.system",
    "nt.system",
    "subprocess.Popen",
    "builtins.eval",
    "builtins.exec",
    "__builtin__.eval",
    "builtins.__import__",
    "builtins.open",
    "builtins.compile",
    "builtins.globals",
    "builtins.setattr",
    "builtins.getattr",
    "builtins.type",
    "builtins.map",
    "builtins.object",
    "builtins.breakpoint",
    "builtins.list.__init__",
    "importlib.import_module",
    "runpy.run_path",
    "pickle.loads",
    "_pickle.loads",
    "torch.load",
    "torch.hub.load",
    "torch.storage._load_from_bytes",
    "torch.jit.load",
    "torch.os.system",
    "torch.serialization.load",
    "torch.utils.cpp_extension.load",
    "torch.FloatTensor",
    "torch._utils._rebuild_tensor_v2.evil",
    "torch._utils._import_dotted_name",
    "torch.nn.modules.linear.Linear",
    "torch.nn.Module",
    "torch.float32.__class__",
    "torch.distributed._shard.sharded_tensor.api.ShardedTensor",
    "numpy.load",
    "numpy.fromfile",
    "numpy.f2py.crackfortran.myeval",
    "numpy.core.multiarray.open",
    "numpy.testing._private.utils.runstring",
    "collections.namedtuple",
    "collections.ChainMap",
    "functools.partial",
    "operator.methodcaller",
    "operator.attrgetter",
    "copyreg._reconstructor",
    "codecs.decode",
    "_codecs.decode",
    "pathlib.Path",
    "shutil.rmtree",
    "sys.exit",
    "ctypes.CDLL",
    "mmengine.config.config.Config.fromfile",
    "mmengine.fileio.load",
    "mmengine.runner.Runner",
    "mmseg.models.EncoderDecoder",
    "mmcv.utils.config.Config.fromstring",
    "addict.Dict",
    "webbrowser.open",
    "socket.socket",
    "pip.main",
    "pydoc.pipepager",
    "timeit.timeit",
    "datetime.datetime.now",
    "argparse.FileType",
    "canary_module.anything",
]


@pytest.mark.parametrize("path", FOREIGN)
def test_p01_p02_foreign_name(path: str) -> None:
    assert path in foreign(call(path, text("ls")))
    assert path in foreign(name(path))


HARMLESS: dict[str, Any] = {
    "containers": [{1}, frozenset({1}), 1j, range(3), slice(1), b"bytes", bytearray(b"a")],
    "exact_types": [int, float, str, dict, list],
}


@pytest.mark.parametrize("case", HARMLESS)
def test_what_python_pickles_of_plain_values(case: str) -> None:
    raw = pickle.dumps(HARMLESS[case], protocol=2)
    assert foreign_globals(walk(parse_whole(raw))) == []


def test_p04_numpy_1_and_2() -> None:
    np = pytest.importorskip("numpy")
    values = [np.float64(0.5), np.arange(3), np.dtype("f4"), np.random.RandomState(0), np.str_("a")]
    raw = pickle.dumps(values, protocol=2)
    assert foreign_globals(walk(parse_whole(raw))) == []
    older = raw.replace(b"numpy._core.", b"numpy.core.")
    assert older != raw
    assert foreign_globals(walk(parse_whole(older))) == []


HOSTILE_METADATA = mapping({"_metadata": mapping({"": system_call()})}) + b"b"
PLACES = {
    "in_meta": {"meta": mapping({"time": system_call()}), "state_dict": WEIGHTS},
    "in_the_optimizer": {"state_dict": WEIGHTS, "optimizer": mapping({"state": system_call()})},
    "as_a_section": {"state_dict": WEIGHTS, "more": system_call()},
    "in_metadata": {"state_dict": mapping({"w": tensor()}, ORDERED_DICT) + HOSTILE_METADATA},
    "as_state": {"state_dict": WEIGHTS, "x": call(BUFFER, opcode=b"\x81") + system_call() + b"b"},
    "in_arguments": {"state_dict": WEIGHTS, "x": call("builtins.set", system_call())},
    "unused": {"state_dict": WEIGHTS, "more": name("os.system")},
}


@pytest.mark.parametrize("place", PLACES)
def test_p02_found_wherever_it_lies(place: str) -> None:
    tree = opened_stream(mapping(PLACES[place])).tree
    assert tree is not None
    assert tree.foreign == ("os.system",)


@pytest.mark.parametrize(
    "value",
    [
        call("torch.Tensor", plain(5 * 10**8), opcode=b"\x81"),
        call("torch.Tensor", call("torch.Size", plain([10**6, 10**6]))),
        call("torch.FloatStorage", plain(10**12)),
        call("torch.storage.UntypedStorage", plain(10**12)),
        call("numpy.ndarray", plain([10**9])),
        call("__builtin__.bytearray", plain(3 * 10**9)),
        call("builtins.bytes", plain(3 * 10**9)),
    ],
)
def test_p15_what_makes_memory_is_foreign_wherever_it_lies(value: bytes) -> None:
    (said,) = foreign(value)
    assert said.endswith("called in an odd way")


@pytest.mark.parametrize("kind", [b"", b"few", bytearray(b"few"), bytearray()])
def test_p15_genuine_bytes_are_none_of_it(kind: Any) -> None:
    raw = pickle.dumps(kind, protocol=2)
    assert foreign(raw[2:-1]) == ()


@pytest.mark.parametrize("opcode", [b"R", b"\x81"])
def test_p03_one_cycle_is_named_and_never_made(opcode: bytes) -> None:
    assert foreign(call(ONE_CYCLE, opcode=opcode)) == (f"{ONE_CYCLE} called in an odd way",)
