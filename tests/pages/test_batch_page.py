"""The page of a batch: every input once, sums that agree, nobody's text as markup."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from batch_examples import FAMILIES, HOSTILE, large, report, sources, unproven, whole
from report_parser import Element, parse

import mm_ckpt_migrate.pages.write as writing
from mm_ckpt_migrate.errors import DestinationError, MissingSoftwareError
from mm_ckpt_migrate.names import safe_text
from mm_ckpt_migrate.pages.batch import render_batch, write_batch_page

DATA = large()


@pytest.fixture(scope="module")
def page() -> str:
    return render_batch(DATA)


@pytest.fixture(scope="module")
def tree(page: str) -> Element:
    return parse(page)


def shown(text: str) -> str:
    return safe_text(text, 4096)


def bodies(tree: Element) -> list[Element]:
    return [e for e in tree.one("table", id="input-table").children if e.tag == "tbody"]


def cells(row: Element) -> list[str]:
    return [cell.text for cell in row.children]


def numbers(row: Element) -> list[int]:
    """A row's figures; a dash is none."""
    return [int(text.replace(",", "").replace("–", "0")) for text in cells(row)[1:6]]


def test_every_input_is_there_once_and_in_order(tree: Element) -> None:
    names = [body.children[0].one("a").text for body in bodies(tree)]
    assert names == [shown(entry["source"]) for entry in DATA["entries"]]
    assert len(names) == len(set(names)) == DATA["inputs"] == 1000
    reports = [body.children[1].one("div").attributes["id"] for body in bodies(tree)]
    links = [body.children[0].one("a").attributes["href"] for body in bodies(tree)]
    assert links == [f"#{name}" for name in reports]
    assert len(set(reports)) == 1000


def test_the_sums_are_those_of_the_inputs(tree: Element) -> None:
    tiles = [tile.text.split()[:2] for tile in tree.one("ul", **{"class": "tiles"}).children]
    counts: dict[str, int] = DATA["counts"]
    assert tiles == [[str(count), name] for name, count in counts.items()]
    assert all(counts.values())
    assert sum(counts.values()) == 1000
    rows = Counter(body.attributes["data-status"] for body in bodies(tree))
    assert rows == counts
    table, _ = tree.all("table", **{"class": "totals"})
    families = table.one("tbody").children
    assert [cells(row)[0] for row in families] == [*sorted(FAMILIES), "none told"]
    every = numbers(table.one("tfoot").children[0])
    assert every == [1000, *counts.values()]
    assert [sum(column) for column in zip(*map(numbers, families), strict=True)] == every
    dino = [entry for entry in DATA["entries"] if entry["family"] == "dino"]
    found = Counter(entry["outcome"]["status"] for entry in dino)
    assert numbers(families[sorted(FAMILIES).index("dino")]) == [len(dino), *(found[name] for name in counts)]


def test_a_rung_that_was_skipped_is_not_counted_as_passed(tree: Element) -> None:
    _, table = tree.all("table", **{"class": "totals"})
    told = {cells(row)[0]: cells(row)[1:4] for row in table.one("tbody").children}
    bad = sum(bool(entry["outcome"]["verdicts"][2:]) for entry in DATA["entries"]) - (
        good := DATA["counts"]["migrated"]
    )
    assert told["integrity"] == [str(good + bad), "–", "–"]
    assert told["keys"] == [str(good), str(bad), "–"]
    assert told["roles"] == [str(good), "–", str(bad)]
    assert told["forward"] == ["–", "–", str(good + bad)]


def test_a_row_says_what_became_of_the_file(tree: Element) -> None:
    for body, entry in zip(bodies(tree), DATA["entries"], strict=True):
        (row, own), outcome = body.children, entry["outcome"]
        assert row.children[0].text == outcome["status"]
        assert shown(outcome["summary"]) in row.text
        assert outcome["digest"][:12] in row.text
        told = [part.text for part in own.one("dl").all("dd")]
        assert shown(entry["reason"]) in told[0]
        # What was planned is said where it came otherwise.
        assert ("migrate" in told[0]) == (entry["action"] == "migrate" and outcome["status"] != "migrated")
        assert outcome["digest"] in own.text
        assert told[-1] == str(outcome["exit_code"])
        assert shown(entry["config"]) in own.text
        for line in [v["summary"] for v in outcome["verdicts"]] + outcome["notices"]:
            assert shown(line) in own.text
    marks = [
        [mark.attributes["aria-label"] for mark in body.children[0].all("span", role="img")]
        for body in bodies(tree)
    ]
    kinds = Counter(tuple(told) for told in marks)
    assert set(map(len, kinds)) == {0, 6}
    assert kinds[()] == 1000 - sum(bool(e["outcome"]["verdicts"]) for e in DATA["entries"])


def test_long_details_are_cut_and_it_is_said_where_all_is() -> None:
    page = render_batch(report([unproven("a.pth")]), beside="batch-1-of-2.json")
    assert page.count("<li><code>decode_head.extra.") == 100
    assert "and 30 more; <code>batch-1-of-2.json</code> has all" in page


def test_no_text_becomes_markup(page: str, tree: Element) -> None:
    assert page.count("<script") == page.count("</script") == 1
    assert "alert(1).pth" in page
    for element in tree.all():
        assert "style" not in element.attributes
        assert not [name for name in element.attributes if name.startswith("on")]
        for name in ("src", "href", "action"):
            assert re.match(r"#|data:,", element.attributes.get(name) or "#"), element
    assert not tree.all("img")
    assert not re.search(r"fetch|XMLHttp|import|http", tree.one("script").text)
    assert not re.search(r"url\(|@import", tree.one("style").text)
    policy = tree.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert str(policy).startswith("default-src 'none'; img-src data:; base-uri 'none'")
    assert "unsafe" not in str(policy)
    assert len(tree.all("table")) == 3
    assert not set("\u202e\x1b\r") & set(page)
    assert "x\\udcff\\udce4.pth" in page
    page.encode()


def test_it_reads_well_without_eyes(tree: Element) -> None:
    ids = [e.attributes["id"] for e in tree.all() if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    assert {str(a.attributes["href"])[1:] for a in tree.all("a")} <= set(ids)
    assert len(tree.all("h1")) == len(tree.all("main")) == 1
    for cell in tree.all("th"):
        assert cell.attributes["scope"] in ("row", "col")
        assert cell.text
    for label in tree.all("label"):
        assert label.text
        assert len(label.all("select") + label.all("input")) == 1
    for mark in tree.all("span", role="img"):
        assert re.fullmatch(r"[a-z]+ (passed|failed|skipped)", mark.attributes["aria-label"] or "")


def test_a_thousand_files_are_a_page_of_a_few_megabytes(page: str) -> None:
    assert 1_000_000 < len(page.encode()) < 6_000_000


def test_the_sentence_never_says_more_than_was_done() -> None:
    def banner(data: dict[str, Any]) -> tuple[str, str]:
        (found,) = [
            e
            for e in parse(render_batch(data)).all("div")
            if (e.attributes.get("class") or "").startswith("banner")
        ]
        return str(found.attributes["class"]).split()[1], found.text

    counts = DATA["counts"]
    assert banner(DATA) == (
        "fail",
        f"{counts['migrated'] + counts['copied']} of 1,000 inputs have their result; "
        f"{counts['refused']} were refused and {counts['failed']} failed.",
    )
    assert banner(whole()) == ("pass", "Every input has its result: 2 were migrated or copied.")
    assert banner(report([unproven("a.pth")])) == (
        "partial",
        "0 of 1 inputs have their result; 1 was refused.",
    )
    assert banner(report([])) == ("skipped", "There was nothing to do: no checkpoint was found.")


def test_a_result_is_linked_to_its_page(tmp_path: Path) -> None:
    """Names with everything in them, and one too long for a page beside it."""
    made = sources(DATA, "migrated") + sources(DATA, "copied")
    odd = [name for name in made if name.partition("/")[2] in HOSTILE and len(name) < 200]
    assert len(odd) > 3
    for name in odd:
        (tmp_path / f"{name}.report").mkdir(parents=True)
        (tmp_path / f"{name}.report" / "report.html").touch()
    write_batch_page(tmp_path / "batch.html", DATA)
    tree = parse((tmp_path / "batch.html").read_text(encoding="utf-8"))
    links = [str(a.attributes["href"]) for a in tree.all("a")]
    found = [link for link in links if not link.startswith("#")]
    assert len(found) == len(odd)
    for link in found:
        assert re.fullmatch(r"\./[\w./%~-]+\.report/report\.html", link, re.ASCII)


def test_it_is_made_again_from_the_file_and_replaces_the_page(tmp_path: Path) -> None:
    path = tmp_path / "batch.html"
    write_batch_page(path, whole())
    first = path.read_bytes()
    write_batch_page(path, whole())
    assert path.read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["batch.html"]
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(DestinationError):
        write_batch_page(tmp_path / "folder.html", whole())


def test_without_jinja_it_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "find_spec", lambda name: None)
    with pytest.raises(MissingSoftwareError, match=r"needs Jinja2$") as caught:
        write_batch_page(tmp_path / "batch.html", whole())
    assert "mm-ckpt-migrate[report]" in caught.value.hint
    monkeypatch.setattr(writing, "find_spec", lambda name: None if name == "PIL" else name)
    write_batch_page(tmp_path / "batch.html", whole())
