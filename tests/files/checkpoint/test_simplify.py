"""What mmengine and the standard library leave in a checkpoint becomes plain, and nothing else."""

from __future__ import annotations

import argparse
import collections
import datetime
import io
import pickle
import zipfile
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.files import golden_files, golden_id
from support.simplified import load, said, simplified, simplified_file, simplified_stream, stays
from support.streams import ORDERED_DICT, call, mapping, name, plain, stream, system_call, text
from support.zips import torch_zip

from mm_ckpt_migrate.files.checkpoint.simplify import simplify
from mm_ckpt_migrate.files.checkpoint.weights_only import refused_globals
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.errors import PickleError
from mm_ckpt_migrate.files.pickles.nodes import walk
from mm_ckpt_migrate.files.pickles.parse import parse_whole

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")
mmengine = pytest.importorskip("mmengine")

from mmengine.logging import HistoryBuffer, MessageHub  # noqa: E402

BUFFER = "mmengine.logging.history_buffer.HistoryBuffer"
MESSAGE_HUB = "mmengine.logging.message_hub"


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What MessageHub logs."""
    lines: list[str] = []
    monkeypatch.setattr(f"{MESSAGE_HUB}.print_log", lambda line, **_: lines.append(line))
    return lines


def fresh_hub() -> MessageHub:
    return MessageHub.get_instance(f"test-{len(MessageHub._instance_dict)}")


def trained(steps: int = 5) -> MessageHub:
    hub = fresh_hub()
    for step in range(steps):
        hub.update_scalars({"train/loss": 1 / (step + 1), "train/lr": {"value": 0.1, "count": 2}})
    hub.update_info_dict({"eta": np.float64(0.25), "iter": steps, "name": "a"})
    return hub


def same(one: Any, other: Any) -> bool:
    """Equal, in type too; a number of numpy equals Python's."""
    if isinstance(other, (np.generic, np.ndarray)):
        return repr(one) == repr(other.tolist())
    if isinstance(other, torch.Tensor):
        return type(one) is type(other) and torch.equal(one, other)
    if isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in other)
    if isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def saved(value: Any) -> bytes:
    out = io.BytesIO()
    torch.save(value, out)
    with zipfile.ZipFile(out) as archive:
        return archive.read("archive/data.pkl")


@pytest.fixture(params=golden_files(holding="message_hub"), ids=golden_id)
def genuine(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_genuine_files_load_at_the_defaults(genuine: Path) -> None:
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        torch.load(genuine)
    new, _ = simplified_file(genuine)
    old, made = torch.load(genuine, weights_only=False), load(new)
    hubs = old.pop("message_hub"), made.pop("message_hub")
    assert same(made, old)
    assert [type(value) for value in made.values()] == [type(value) for value in old.values()]
    assert made["state_dict"]._metadata == old["state_dict"]._metadata
    assert same(hubs[1]["runtime_info"], hubs[0]["runtime_info"])
    assert type(hubs[1]["runtime_info"]["eta"]) is float


def test_genuine_logs_keep_every_number(genuine: Path) -> None:
    old = torch.load(genuine, weights_only=False)["message_hub"]
    made = load(simplified_file(genuine)[0])["message_hub"]
    assert list(made) == [*old, "log_history"]
    assert list(made["log_history"]) == list(old["log_scalars"])
    assert len(made["log_history"]) >= 8
    for name_, buffer in old["log_scalars"].items():
        logs, counts = buffer.data
        plain_ = made["log_history"][name_]
        assert plain_ == {
            "max_length": 1000000,
            "log_history": logs.tolist(),
            "count_history": counts.tolist(),
        }
    assert made["log_scalars"] == {}
    assert type(made["log_scalars"]) is collections.OrderedDict
    assert made["resumed_keys"] == {
        key: value for key, value in old["resumed_keys"].items() if key not in old["log_scalars"]
    }
    assert list(made["resumed_keys"])


def test_mmengine_takes_a_genuine_hub_without_a_warning(genuine: Path, warned: list[str]) -> None:
    made = load(simplified_file(genuine)[0])["message_hub"]
    hub = fresh_hub()
    hub.load_state_dict(made)
    assert warned == []
    assert dict(hub.runtime_info) == dict(made["runtime_info"])
    hub.update_scalar("train/loss", 0.5)
    assert hub.get_scalar("train/loss").current() == 0.5
    assert list(hub.state_dict()["resumed_keys"]) == [*made["resumed_keys"], "train/loss"]


def test_genuine_report(genuine: Path) -> None:
    report = simplified_file(genuine)[1]
    count = len(torch.load(genuine, weights_only=False)["message_hub"]["log_scalars"])
    assert report[0] == f"{count} log buffers became plain dicts of numbers: message_hub.log_scalars"
    assert "message_hub.runtime_info.eta" in report[1]
    assert "log_history" in report[2]
    assert len(report) == 3


def test_twice_is_once(genuine: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.pth"
    new.write_bytes(simplified_file(genuine)[0])
    again, report = simplified_file(new)
    assert report == ()
    assert again == new.read_bytes()


def test_genuine_files_without_logs_stay() -> None:
    """As mim publishes them: the weights and `meta`, whose config is text."""
    for path in golden_files():
        old = torch.load(path, weights_only=False)
        weights = {key: old[key] for key in ("meta", "state_dict")}
        assert stays(saved(weights))


def checkpoint(hub: Any) -> bytes:
    return pickle.dumps({"message_hub": hub, "state_dict": {}}, protocol=2)


def hub_of(streamed: bytes) -> Any:
    return load(torch_zip(simplified_stream(streamed)[0], {}))["message_hub"]


def test_hub_of_the_installed_mmengine(warned: list[str]) -> None:
    made = hub_of(checkpoint(trained().state_dict()))
    assert made["log_history"]["train/lr"]["count_history"] == [2] * 5
    assert made["runtime_info"] == {"eta": 0.25, "iter": 5, "name": "a"}
    assert made["resumed_keys"] == {"eta": True, "iter": True, "name": True}
    fresh_hub().load_state_dict(made)
    assert warned == []


def test_a_pickled_hub_becomes_its_state(warned: list[str]) -> None:
    made = hub_of(checkpoint(trained()))
    assert made == hub_of(checkpoint(trained().state_dict()))
    fresh_hub().load_state_dict(made)
    assert warned == []
    assert "1 message hub became a plain dict: message_hub" in said({"message_hub": trained()})


def test_a_long_log_keeps_its_bytes() -> None:
    logs = np.arange(3000) / 7
    state = {
        "log_scalars": {"a": HistoryBuffer(logs, np.ones(3000, "i8"))},
        "runtime_info": {},
        "resumed_keys": {"a": True},
    }
    made = hub_of(checkpoint(state))["log_history"]["a"]
    assert made["log_history"]["dtype"] == "<f8"
    assert made["log_history"]["shape"] == [3000]
    assert made["log_history"]["data"] == logs.tobytes()
    assert made["count_history"]["data"] == np.ones(3000, "i8").tobytes()


def test_an_empty_log() -> None:
    assert simplified(HistoryBuffer()) == {"max_length": 1000000, "log_history": [], "count_history": []}


def test_one_buffer_in_two_places_stays_one() -> None:
    buffer = HistoryBuffer([1.0], [1])
    found = simplified({"a": buffer, "b": [buffer]})
    assert found["a"] is found["b"][0]
    assert said({"a": buffer, "b": [buffer]}) == ("1 log buffer became a plain dict of numbers: a",)


def odd_buffers() -> dict[str, Any]:
    odd = {key: HistoryBuffer([1.0], [1]) for key in ("more", "objects", "less", "length", "twice", "key")}
    odd["more"].extra = 1
    odd["objects"]._log_history = np.array([None])
    del odd["less"]._count_history
    odd["length"].max_length = "many"
    odd["twice"]._max_length = 3
    odd["key"].__dict__[3] = 3
    return odd


@pytest.mark.parametrize("case", odd_buffers())
def test_an_odd_buffer_stays(case: str) -> None:
    raw = pickle.dumps({"v": odd_buffers()[case]}, protocol=2)
    assert stays(raw)
    assert BUFFER in refused_globals(walk(parse_whole(raw)))


def test_a_buffer_made_with_arguments_stays() -> None:
    """Its class may do something with them."""
    raw = pickle.dumps({"v": HistoryBuffer([1.0], [1])}, protocol=2)
    made = f"c{BUFFER.rpartition('.')[0]}\nHistoryBuffer\n".encode()
    start = raw.index(made) + len(made)
    assert raw[start + 2 : start + 4] == b")\x81"
    assert stays(raw[: start + 2] + b"N\x85\x81" + raw[start + 4 :])


def test_an_odd_buffer_stays_where_it_is() -> None:
    scalars = {"good": HistoryBuffer([1.0], [1]), "odd": odd_buffers()["more"], "number": 3}
    resumed = dict.fromkeys(scalars, True)
    made, _ = simplified_stream(
        checkpoint({"log_scalars": scalars, "runtime_info": {}, "resumed_keys": resumed})
    )
    assert BUFFER in refused_globals(walk(parse_whole(made)))
    hub = pickle.loads(made)["message_hub"]
    assert list(hub["log_history"]) == ["good"]
    assert list(hub["log_scalars"]) == list(hub["resumed_keys"]) == ["odd", "number"]
    assert hub["log_scalars"]["odd"].data[0].tolist() == [1.0]


def test_a_log_history_that_is_there_stays() -> None:
    state = {"log_scalars": {"a": HistoryBuffer([1.0], [1])}, "log_history": 1, "resumed_keys": {}}
    made = hub_of(checkpoint(state))
    assert made["log_history"] == 1
    assert made["log_scalars"]["a"]["log_history"] == [1.0]


@pytest.mark.parametrize("hub", [None, [], {}, {"log_scalars": []}, {"log_scalars": {"a": 1}}])
def test_other_hubs_stay(hub: Any) -> None:
    value = {"message_hub": hub, "x": np.float64(1)}
    assert said(value) == ("1 numpy scalar became a plain number: x",)
    assert hub_of(pickle.dumps(value, protocol=2)) == hub


def configs() -> dict[str, Any]:
    from addict import Dict as Addict
    from mmengine.config import Config, ConfigDict

    value = {"a": 1, "b": {"c": [{"d": "x"}, {}], "e": (1, None)}}
    return {
        "addict": Addict(value),
        "config_dict": ConfigDict(value),
        "config": Config(value),
        "defaultdict": collections.defaultdict(list, value),
        "ordered": collections.OrderedDict(value),
    }


@pytest.mark.parametrize("case", configs())
def test_configs_become_dicts(case: str) -> None:
    found = simplified(configs()[case])
    assert found == {"a": 1, "b": {"c": [{"d": "x"}, {}], "e": (1, None)}}
    assert type(found["b"]["c"][0]) is dict


@pytest.mark.parametrize("case", ["addict", "config_dict", "config", "defaultdict"])
def test_one_config_in_two_places_stays_one(case: str) -> None:
    value = configs()[case]
    found = simplified({"x": value, "y": [value]})
    assert found["x"] is found["y"][0]


def test_mmcv_pickles_a_config_dict_as_addict_does() -> None:
    raw = pickle.dumps({"v": configs()["addict"]}, protocol=2)
    made, _ = simplified_stream(raw.replace(b"addict.addict\nDict", b"mmcv.utils.config\nConfigDict"))
    assert load(torch_zip(made, {}))["v"]["b"]["c"] == [{"d": "x"}, {}]


def test_a_config_that_holds_itself() -> None:
    streamed = b"\x80\x02}X\x01\0\0\0vcaddict.addict\nDict\n)\x81q\0X\x01\0\0\0sh\0sh\0bs."
    made, _ = simplified_stream(streamed)
    found = load(torch_zip(made, {}))["v"]
    assert found["s"] is found


def test_config_report() -> None:
    assert said({"meta": {"cfg": configs()["config"]}}) == (
        "4 configs became plain dicts: meta.cfg; meta.cfg.b; meta.cfg.b.c.0, 1",
    )


@pytest.mark.parametrize(
    "path",
    [Path("/tmp/a/b"), Path("a"), Path(), PurePosixPath("a//b"), PureWindowsPath("C:\\a\\b")],
    ids=repr,
)
def test_paths_become_text(path: Any) -> None:
    assert simplified([path, path]) == [str(path)] * 2


def test_a_path_of_python_3_13() -> None:
    made = simplified_stream(stream(mapping({"v": call("pathlib._local.PosixPath", text("a"))})))
    assert load(torch_zip(made[0], {})) == {"v": "a"}


def test_a_path_as_a_key_stays() -> None:
    """It is not equal to its text, which may be a key as well."""
    value = {PurePosixPath("a"): 1, "a": 2}
    assert stays(pickle.dumps({"v": value}, protocol=2))
    path = Path("a")
    assert stays(pickle.dumps({"v": path, "w": {path: 1}}, protocol=2))
    assert stays(pickle.dumps({"v": path, "w": {(path,): 1}}, protocol=2))


def tensors() -> dict[str, Any]:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(2, 3, 4, 4)).sum().backward()
    optimizer.step()
    whole = torch.arange(12.0).reshape(3, 4)
    return {
        "state_dict": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "odd": [whole, whole.T, torch.nn.Parameter(whole), torch.eye(3).to_sparse()],
        "size": whole.shape,
        "dtype": torch.float16,
        "device": torch.device("cpu"),
        "counter": collections.Counter("aab"),
        "set": {1, "a"},
    }


def test_tensors_stay() -> None:
    assert stays(saved(tensors()))


def test_tensors_stay_beside_what_changes() -> None:
    both = tensors()
    made, report = simplified_stream(saved({**both, "hub": HistoryBuffer([1.0], [1])}))
    assert report == ("1 log buffer became a plain dict of numbers: hub",)
    plain_ = {"max_length": 1000000, "log_history": [1.0], "count_history": [1]}
    expected = saved({**both, "hub": plain_})
    weights = expected.index(b"hub")
    assert made[:weights] == expected[:weights]


STAYS: dict[str, bytes] = {
    "buffer_without_state": name(BUFFER) + b")\x81",
    "buffer_with_arguments": call(BUFFER, plain(1), opcode=b"\x81") + b"}b",
    "buffer_with_empty_state": name(BUFFER) + b")\x81}b",
    "buffer_with_a_tuple_for_state": name(BUFFER) + b")\x81)b",
    "buffer_with_entries": name(BUFFER) + b")\x81" + text("a") + plain(1) + b"s",
    "buffer_of_numbers": name(BUFFER)
    + b")\x81"
    + mapping({"max_length": plain(1), "_log_history": plain(1), "_count_history": plain(1)})
    + b"b",
    "buffer_of_calls": name(BUFFER)
    + b")\x81"
    + mapping({"max_length": plain(1), "_log_history": system_call(), "_count_history": b"]"})
    + b"b",
    "another_buffer": name("mmengine.logging.HistoryBuffer") + b")\x81}b",
    "hub_without_state": name(f"{MESSAGE_HUB}.MessageHub") + b")\x81",
    "hub_of_lists": name(f"{MESSAGE_HUB}.MessageHub")
    + b")\x81"
    + mapping({"_log_scalars": b"]", "_runtime_info": b"]", "_resumed_keys": b"]"})
    + b"b",
    "config_dict_of_two": call("mmengine.config.config.ConfigDict", b"}", b"}"),
    "config_dict_of_a_list": call("mmengine.config.config.ConfigDict", b"]"),
    "config_dict_changed": call("mmengine.config.config.ConfigDict", b"}") + b"}b",
    "addict_with_another_state": name("addict.addict.Dict") + b")\x81}b",
    "addict_with_items": name("addict.addict.Dict") + b")\x81" + plain(1) + b"a",
    "config_of_itself": name("mmengine.config.config.Config") + b")\x81q\0(h\0NNtb",
    "config_with_arguments": name("mmengine.config.config.Config") + b"N\x85\x81(}NNtb",
    "config_of_little": name("mmengine.config.config.Config") + b")\x81(}Ntb",
    "config_of_a_list": name("mmengine.config.config.Config") + b")\x81(]NNtb",
    "config_of_an_odd_dict": name("mmengine.config.config.Config")
    + b")\x81("
    + call("mmengine.config.config.ConfigDict", b"]")
    + b"NNtb",
    "defaultdict_with_state": call("collections.defaultdict", name("builtins.int")) + b"}b",
    "defaultdict_of_a_call": call("collections.defaultdict", system_call()),
    "defaultdict_of_entries": call("collections.defaultdict", b"N", b"}"),
    "path_of_a_number": call("pathlib.PosixPath", plain(1)),
    "path_with_state": call("pathlib.PosixPath", text("a")) + b"}b",
    "another_path": call("pathlib.Path", text("a")),
    "bytes_of_something": call("builtins.bytes", plain(3)),
    "bytes_changed": name("builtins.bytes") + b")R}b",
    "system": system_call(),
    "a_class_alone": name(BUFFER),
    "getattr": call("builtins.getattr", name(BUFFER), text("mean")),
    "inside_a_call": call("builtins.set", b"](" + call("pathlib.PosixPath", text("a")) + b"e"),
    "persistent": mapping({"a": text("b")}) + b"Q",
}


@pytest.mark.parametrize("case", STAYS)
def test_what_is_not_as_its_library_pickles_it_stays(case: str) -> None:
    raw = stream(mapping({"v": STAYS[case]}))
    assert stays(raw)
    if case != "persistent":
        assert refused_globals(walk(parse_whole(raw)))
        with pytest.raises(pickle.UnpicklingError):
            load(torch_zip(raw, {}))


@pytest.mark.parametrize(
    "value",
    [
        datetime.datetime(2020, 1, 2),
        collections.deque([1]),
        frozenset({1}),
        range(3),
        slice(1),
        argparse.Namespace(a=np.float64(1)),
        partial(int, np.float64(1)),
        {frozenset({1}): 1},
    ],
    ids=repr,
)
def test_other_objects_stay(value: Any) -> None:
    raw = pickle.dumps({"v": value}, protocol=2)
    assert stays(raw)
    assert refused_globals(walk(parse_whole(raw)))


@pytest.mark.parametrize(
    "value",
    [
        "mmengine.logging.history_buffer HistoryBuffer",
        {"log_scalars": {"a": [1]}},
        {"max_length": 1},
        b"bytes",
        {"_log_history": [], "_count_history": [], "max_length": 3},
        [{"a": ({},)}],
    ],
    ids=repr,
)
def test_plain_values_stay(value: Any) -> None:
    assert stays(pickle.dumps({"v": value, "message_hub": value}, protocol=2))


def test_a_state_dict_with_attributes_beside_a_number() -> None:
    state: Any = collections.OrderedDict(a=np.float64(1))
    state._metadata = collections.OrderedDict({"": {"version": np.int64(2)}})
    found = simplified(state)
    assert found == {"a": 1.0}
    assert found._metadata == {"": {"version": 2}}
    assert type(found._metadata[""]["version"]) is int


def test_a_mapping_made_from_entries_stays() -> None:
    entries = b"]((" + text("a") + call("pathlib.PosixPath", text("a")) + b"te"
    assert stays(stream(mapping({"v": call("collections.OrderedDict", entries)})))
    assert stays(stream(mapping({"v": ORDERED_DICT})))


SAMPLE = pickle.dumps(
    {
        "message_hub": trained().state_dict(),
        "hub": trained(),
        "path": [Path("a")],
        **configs(),
        "array": np.eye(2),
        "text": np.str_("ab"),
        "empty": b"",
    },
    protocol=2,
)


@given(
    changes=st.lists(st.tuples(st.integers(2, len(SAMPLE) - 2), st.integers(0, 255)), min_size=1, max_size=3)
)
def test_no_damage_is_too_much(changes: list[tuple[int, int]]) -> None:
    """What can be read at all is simplified without an exception, and can be read again."""
    damaged = bytearray(SAMPLE)
    for place, value in changes:
        damaged[place] = value
    try:
        root = parse_whole(bytes(damaged))
    except PickleError:
        return
    simplify(root)
    assert simplify(parse_whole(emit(root))) is not None


def test_the_sample_holds_nothing_that_stays() -> None:
    made, _ = simplified_stream(SAMPLE)
    assert refused_globals(walk(parse_whole(made))) == ()
    assert load(torch_zip(made, {}))["path"] == ["a"]
