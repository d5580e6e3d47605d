"""The page: complete in itself, well-formed, accessible, and the same for the same data."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from report_examples import bad, good, hostile, odd, short
from report_parser import Element, parse

from mm_ckpt_migrate.pages.data import ReportData
from mm_ckpt_migrate.pages.write import write_report
from mm_ckpt_migrate.verdicts import Rung, failed, passed

EXAMPLES: dict[str, Callable[[Path], ReportData]] = {
    "good": good,
    "bad": bad,
    "hostile": hostile,
    "short": lambda _: short(),
    "odd": lambda _: odd(),
}


def write(folder: Path, data: ReportData) -> str:
    _, page = write_report(folder / "report", data)
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=EXAMPLES)
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp(request.param)
    return write(folder, EXAMPLES[request.param](folder))


@pytest.fixture(scope="module")
def tree(page: str) -> Element:
    return parse(page)


def test_every_link_inside_leads_somewhere_and_ids_are_unique(tree: Element) -> None:
    ids = [element.attributes["id"] for element in tree.all() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    links = [str(element.attributes["href"]) for element in tree.all("a")]
    pointers = [
        str(element.attributes[name])
        for name in ("aria-labelledby", "aria-describedby", "data-filter")
        for element in tree.all()
        if name in element.attributes
    ]
    assert {link[0] for link in links} == {"#"}
    assert {*(link[1:] for link in links), *pointers} <= set(ids)


def test_nothing_is_asked_from_outside(tree: Element) -> None:
    for element in tree.all():
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            assert re.match(r"#|data:", element.attributes.get(name) or "#"), element
    assert "url(" not in tree.one("style").text
    assert "@import" not in tree.one("style").text
    assert not re.search(r"fetch|XMLHttp|import|http", tree.one("script").text)


def test_the_policy_forbids_all_but_what_is_there(page: str, tree: Element) -> None:
    policy = tree.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    for element in tree.all():
        assert "style" not in element.attributes
        assert not [name for name in element.attributes if name.startswith("on")]


def test_it_reads_well_without_eyes(tree: Element) -> None:
    assert tree.one("html").attributes["lang"] == "en"
    assert tree.one("head").one("title").text
    assert len(tree.all("h1")) == len(tree.all("main")) == 1
    headings = re.findall(r"h[1-6]", " ".join(e.tag for e in in_order(tree)))
    levels = [int(heading[1]) for heading in headings]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(image.attributes["alt"] for image in tree.all("img"))
    for svg in tree.all("svg"):
        assert svg.attributes.get("aria-hidden") == "true" or svg.all("title")
    for cell in tree.all("th"):
        assert cell.attributes["scope"] in ("row", "col")
        assert cell.text or cell.attributes["aria-label"]


def in_order(element: Element) -> list[Element]:
    return [part for child in element.children for part in (child, *in_order(child))]


def test_the_ladder_has_six_rungs_and_skipped_is_not_passed(tree: Element) -> None:
    rungs = tree.one("ol", **{"class": "ladder"}).children
    assert [r.one("h3").text.split()[0] for r in rungs] == [rung.value for rung in Rung]
    for rung in rungs:
        word = rung.one("h3").text.split()[1]
        status = rung.attributes["class"]
        assert {"passed": "pass", "failed": "fail", "skipped": "skipped"}[word] == status
        assert ("Does not count as passed." in rung.text) == (status == "skipped")
    (banner,) = [e for e in tree.all("div") if (e.attributes.get("class") or "").startswith("banner")]
    assert banner.attributes["class"] in ("banner partial", "banner fail")
    assert "All six" not in tree.one("head").one("title").text


def test_equal_data_give_equal_bytes(tmp_path: Path) -> None:
    for build in EXAMPLES.values():
        first, again = (
            [path.read_bytes() for path in write_report(tmp_path / name, build(tmp_path / "s"))]
            for name in ("first", "again")
        )
        assert first == again


def test_everything_is_on_the_page(tmp_path: Path) -> None:
    data = good(tmp_path)
    tree = parse(write(tmp_path, data))
    text = tree.text
    assert data.source_sha256 is not None
    assert data.old_versions is not None
    for part in (
        "new.pth",
        "mask2former",
        data.sha256,
        data.source_sha256,
        str(data.source),
        *data.versions.values(),
        *data.old_versions.values(),
        *data.notices,
        "Five of six rungs passed, none failed; resume was skipped and so not proven.",
        "97 names in 12 lines; 652 more stay as they are",
        "cls_logits",
        "exactly 0",
        "3.77",
        "decode_head.loss_cls.weight_a",
        "44.29",
        "wall",
        "class 148",
        "no pixel differs",
        "ADE_val_00000002",
        "'work_dirs/my run/iter_160000.pth'",
    ):
        assert part in text, part
    assert "decode_head.transformer_decoder.layers.{0…8}.cross_attn.attn.in_proj_bias" in text
    assert len(tree.one("table", id="class-table").one("tbody").children) == 150
    assert len(tree.all("img")) == 6


def test_parts_that_are_not_there_leave_nothing_behind(tmp_path: Path) -> None:
    tree = parse(write(tmp_path, short()))
    assert [h.text for h in tree.all("h2")] == ["The ladder of proof", "What was compared with what"]
    assert not tree.all("img") + tree.all("ul", **{"class": "tiles"}) + tree.all("details")
    assert "None" not in tree.one("body").text


def test_the_size_is_bounded(tmp_path: Path) -> None:
    assert len(write(tmp_path, good(tmp_path, samples=6))) < 2_000_000


def test_failures_are_open_and_long_lists_are_cut(tmp_path: Path) -> None:
    tree = parse(write(tmp_path, bad(tmp_path)))
    keys = tree.one("ol", **{"class": "ladder"}).children[1]
    assert "open" in keys.one("details").attributes
    assert "and 30 more; has all report.json" in keys.text
    assert (
        tree.one("head").one("title").text.startswith("new.pth: Failed: keys, forward and metric. Two passed")
    )
    names = [row.one("th").text for row in tree.one("table", id="class-table").one("tbody").children]
    assert names[:9] != [*names[:9]][::-1]
    differences = tree.all("tr", **{"class": "differs"})
    assert 0 < len(differences) < 10
    assert [row.one("th").text for row in differences] == names[: len(differences)]


def test_all_six_may_pass(tmp_path: Path) -> None:
    data = replace(short(), verdicts=tuple(passed(rung, "yes") for rung in Rung))
    tree = parse(write(tmp_path, data))
    assert tree.one("div", **{"class": "banner pass"}).text.startswith("All six rungs passed.")
    data = replace(data, verdicts=(*data.verdicts[:5], failed(Rung.METRIC, "no")))
    tree = parse(write(tmp_path, data))
    assert "Failed: metric. Five passed." in tree.one("div", **{"class": "banner fail"}).text
    data = replace(data, verdicts=())
    tree = parse(write(tmp_path, data))
    assert "Nothing was proven" in tree.one("div", **{"class": "banner skipped"}).text


def test_it_says_whether_the_comparison_could_have_failed(tmp_path: Path) -> None:
    data = bad(tmp_path)
    tree = parse(write(tmp_path, data))
    said = [line.text for line in tree.one("ul", **{"class": "checks"}).children]
    assert said == [
        "The wrong mapping, which loads strictly too, gives other outputs: yes",
        "The same run gives the same outputs each time: yes",
        "Another image gives other outputs: no",
        "The queries give different class logits: yes",
    ]
    assert "2 of 240 tensors that no output can see" in tree.text
    assert data.forward is not None
    forward = replace(data.forward, unseen=(), control=0.0, untried=())
    tree = parse(write(tmp_path, replace(data, forward=forward)))
    said = [line.text for line in tree.one("ul", **{"class": "checks"}).children]
    assert said[0].endswith("gives other outputs: no")
    assert said[-1] == "Every one of 240 tensors is seen by an output: yes"
    # Zero is what must be for the file, and what must not be for the wrong mapping.
    control = tree.one("tr", **{"class": "control"})
    assert "exactly 0" in control.text
    assert not control.all("td", **{"class": "number exact"})


def test_what_was_required_and_skipped_is_a_failure(tmp_path: Path) -> None:
    data = replace(short(), required=(Rung.METRIC, Rung.KEYS))
    json_path, path = write_report(tmp_path, data)
    tree = parse(path.read_text(encoding="utf-8"))
    assert tree.one("div", **{"class": "banner fail"}).text.startswith(
        "Failed: metric was required and skipped. Two passed; roles, forward and resume were"
    )
    rung = tree.one("li", **{"class": "skipped lacking"})
    assert "Required, so this is a failure." in rung.text
    assert json.loads(json_path.read_text(encoding="ascii"))["exit_code"] == 15
    json_path, _ = write_report(tmp_path, replace(data, required=(Rung.KEYS,)))
    assert json.loads(json_path.read_text(encoding="ascii"))["exit_code"] == 0
