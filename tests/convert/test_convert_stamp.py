"""The stamp: who made the file from what, by which plan; and runs that change nothing."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest
from golden_cases import CASES, FEW, Case, load, run, sha256, statuses

from mm_ckpt_migrate import __version__
from mm_ckpt_migrate.convert.api import convert, plan
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.convert.stamp import DIGEST_PLACEHOLDER, make_stamp, read_stamp
from mm_ckpt_migrate.errors import DestinationError, ExitCode, MigrateError, PlanError
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.files.pickles.build import Plain
from mm_ckpt_migrate.mapping.plan import Plan, plan_from_json
from mm_ckpt_migrate.mapping.rules.library import load_rules
from mm_ckpt_migrate.verify.files import open_files

M2F = CASES["mask2former_r18"]
CONFIGS = {"meta.cfg": "x = 1", "message_hub.runtime_info.cfg": "x = 1", "meta.config": "x = 2"}


@pytest.fixture(params=FEW)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def stamp_of(path: Path) -> dict[str, Plain]:
    with Source(path) as source:
        stamp = open_checkpoint(source).stamp
    assert stamp is not None
    return dict(stamp)


def test_what_a_stamp_says(case: Case, tmp_path: Path) -> None:
    new = tmp_path / "new.pth"
    report = run(case, new, build=False)
    stamp = stamp_of(new)
    assert stamp["tool"] == f"mm-ckpt-migrate {__version__}"
    assert stamp["family"] == case.family
    assert "1.0.0rc4" in str(stamp["from"])
    assert "1.0.0rc5" in str(stamp["to"])
    assert stamp["source_sha256"] == stamp["origin_sha256"] == case.sha256
    assert stamp["plan_sha256"] == report.plan_digest
    # Where nothing was left out of the file, nothing is said to be.
    assert stamp["dropped"] == [name for name in case.training_state if not _carries(new, name)]
    assert stamp["added"] == []
    with Source(case.old) as source:
        text = open_checkpoint(source).config
    assert text
    paths: list[Plain] = ["meta.cfg", "message_hub.runtime_info.cfg"]
    assert stamp["configs"] == [{"paths": paths, "text": text}]
    assert plan_from_json(json.loads(str(stamp["plan"]))).digest == report.plan_digest
    assert str(tmp_path) not in json.dumps(stamp)


def _carries(path: Path, section: str) -> bool:
    with Source(path) as source:
        return section in open_checkpoint(source).sections


def test_same_input_and_options_give_the_same_bytes(case: Case, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.pth", "b.pth")]
    for path in paths:
        run(case, path, build=False)
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("family", ["auto", "1", "maskformer"])
def test_what_was_typed_does_not_matter(family: str, tmp_path: Path) -> None:
    case = CASES["maskformer_r18"]
    run(case, tmp_path / "a.pth", build=False)
    run(case, tmp_path / "b.pth", family, build=False)
    assert sha256(tmp_path / "a.pth") == sha256(tmp_path / "b.pth")


def test_converting_again_says_nothing_to_do(case: Case, tmp_path: Path) -> None:
    run(case, tmp_path / "new.pth", build=False)
    report = convert("auto", "-", tmp_path / "new.pth", tmp_path / "x.pth", Options(build=False))
    assert not (tmp_path / "x.pth").exists()
    assert (report.exit_code, report.destination, report.moved) == (ExitCode.OK, None, 0)
    assert set(statuses(report).values()) == {"skipped"}
    assert report.notices == (f"it was migrated before, by mm-ckpt-migrate {__version__}: nothing to do",)


def test_a_plan_writes_nothing_but_itself(case: Case, tmp_path: Path) -> None:
    before = case.old.stat()
    table, report = plan("auto", "-", case.old, Options(build=False))
    assert list(tmp_path.iterdir()) == []
    assert table is not None
    assert set(statuses(report).values()) == {"skipped", "pass"}
    plan("auto", "-", case.old, Options(build=False, plan_file=tmp_path / "plan.json"))
    assert plan_from_json(json.loads((tmp_path / "plan.json").read_text())) == table
    after = case.old.stat()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)


@pytest.mark.parametrize("role", ["source", "link", "hard link", "destination"])
def test_the_plan_is_never_saved_over_the_checkpoint(role: str, tmp_path: Path) -> None:
    old, new = tmp_path / "old.pth", tmp_path / "new.pth"
    old.write_bytes(M2F.old.read_bytes())
    (tmp_path / "link").symlink_to(old)
    (tmp_path / "hard").hardlink_to(old)
    plan_file = {
        "source": old,
        "link": tmp_path / "link",
        "hard link": tmp_path / "hard",
        "destination": tmp_path / "." / "new.pth",
    }[role]
    for force in (False, True):
        with pytest.raises(DestinationError, match=r"the source itself|are one file"):
            convert("auto", "-", old, new, Options(build=False, plan_file=plan_file, force=force))
    assert sha256(old) == M2F.sha256
    assert not new.exists()


# --- the first origin ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table() -> Plan:
    found, _ = plan("auto", "-", M2F.old, Options(build=False))
    assert found is not None
    return found


@pytest.fixture
def stamp(table: Plan) -> dict[str, Plain]:
    return make_stamp(table, None, ("optimizer",), CONFIGS, ("message_hub",), wrapped=True)


def test_the_first_origin_is_kept(table: Plan) -> None:
    first = make_stamp(table, None, (), {}, wrapped=False)
    assert first["origin_sha256"] == first["source_sha256"] == DIGEST_PLACEHOLDER
    second = make_stamp(table, first | {"origin_sha256": "0" * 64}, (), {}, wrapped=False)
    assert second["origin_sha256"] == "0" * 64
    assert second["source_sha256"] == DIGEST_PLACEHOLDER


def test_a_stamp_is_read_back(stamp: dict[str, Plain], table: Plan) -> None:
    origin = read_stamp(stamp)
    assert (origin.plan, origin.dropped, origin.wrapped) == (table, ("optimizer",), True)
    assert (origin.configs, origin.added) == (CONFIGS, ("message_hub",))


def test_equal_configs_are_kept_once(stamp: dict[str, Plain]) -> None:
    assert stamp["configs"] == [
        {"paths": ["meta.cfg", "message_hub.runtime_info.cfg"], "text": "x = 1"},
        {"paths": ["meta.config"], "text": "x = 2"},
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"plan": "{}"},
        {"plan": None},
        {"plan": 7},
        {"plan": "[" * 100_000},
        {"plan_sha256": "0" * 64},
        {"plan_sha256": None},
    ],
    ids=lambda change: str(change)[:30],
)
def test_a_stamp_that_was_tampered_with(change: dict[str, Plain], stamp: dict[str, Plain]) -> None:
    with pytest.raises(PlanError):
        read_stamp(stamp | change)


def test_a_file_that_was_made_with_fold(tmp_path: Path) -> None:
    """Its stamp and its saved plan are refused for what they are, not for a digest."""
    import torch

    new, saved = tmp_path / "new.pth", tmp_path / "plan.json"
    run(CASES["vit_upernet"], new, build=False, plan_file=saved)
    content, data = load(new), json.loads(saved.read_text())
    data["fold"] = {"operation": "add_to_tokens", "from": "a.bias", "into": "b", "why": "it can"}
    saved.write_text(json.dumps(data))
    content["meta"]["mm_ckpt_migrate"] |= {"plan": json.dumps(data), "plan_sha256": "0" * 64}
    torch.save(content, new)
    for plan_file in (None, saved):
        options = Options(reverse=True, plan_file=plan_file)
        with pytest.raises(PlanError, match="--fold"):
            convert("auto", "-", new, tmp_path / "back.pth", options)
    with ExitStack() as stack, pytest.raises(PlanError, match="--fold"):
        open_files(stack, new, CASES["vit_upernet"].old, load_rules())
    assert not (tmp_path / "back.pth").exists()


@pytest.mark.parametrize(
    "name", ["plan", "plan_sha256", "dropped", "wrapped", "origin_sha256", "configs", "added"]
)
def test_a_stamp_that_lacks_something(name: str, stamp: dict[str, Plain]) -> None:
    del stamp[name]
    if name.startswith("plan"):
        with pytest.raises(PlanError):
            read_stamp(stamp)
    else:
        read_stamp(stamp)


PATHS = ["", ".", "state_dict", "meta", "meta.mm_ckpt_migrate", "state_dict.backbone", "optimizer"]


@pytest.mark.mm
@pytest.mark.parametrize("field", ["configs", "added"])
@pytest.mark.parametrize("path", PATHS)
def test_a_stamp_reaches_no_further_than_a_migration(field: str, path: str, tmp_path: Path) -> None:
    """It may take back what a migration does, and nothing else: no weight and no section."""
    import torch

    new, forged, back = (tmp_path / name for name in ("new.pth", "forged.pth", "back.pth"))
    run(M2F, new, build=False)
    content = load(new)
    entry = {"configs": [{"paths": [path], "text": "x"}], "added": [path]}[field]
    content["meta"]["mm_ckpt_migrate"][field] = entry
    torch.save(content, forged)
    try:
        report = convert("auto", "-", forged, back, Options(reverse=True))
    except MigrateError:
        report = None
    if report is None or report.destination is None:
        assert not back.exists()
        return
    old, found = load(M2F.old), load(back)
    assert list(found["state_dict"]) == list(old["state_dict"])
    assert set(found) == set(old) - {"optimizer", "param_schedulers"}
    assert set(found["meta"]) == set(old["meta"])
