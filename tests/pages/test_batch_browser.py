"""The page of a thousand files in a real browser: filters, sorting, opening, paper, phones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from batch_examples import large, sources
from browser import DARK, LIGHT, Browser, without_script

from mm_ckpt_migrate.pages.batch import write_batch_page

pytestmark = pytest.mark.thorough
DATA = large()
# What every script below may use.
TOOLS = """
const table = document.querySelector("#input-table");
const rows = () => [...table.tBodies].filter((body) => body.checkVisibility());
const names = () => rows().map((body) => body.querySelector("th a").textContent);
const [status, family] = document.querySelectorAll(".tools select");
const search = document.querySelector(".tools input");
const said = () => document.querySelector(".tools output").value;
const set = (control, value) => {
  control.value = value;
  control.dispatchEvent(new Event("input"));
};
const column = (name) => [...table.tHead.rows[0].cells]
  .find((cell) => cell.textContent.trim() === name);
const keys = (name) => rows().map((body) => body.rows[0].cells[column(name).cellIndex])
  .map((cell) => Number(cell.dataset.key));
const opened = () => rows().filter((body) => body.querySelector(".report").checkVisibility({
  contentVisibilityAuto: true, visibilityProperty: true })).length;
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("batch") / "batch.html"
    write_batch_page(path, DATA)
    return path


def test_the_console_stays_empty_and_the_page_is_drawn(browser: Browser, page: Path) -> None:
    picture = browser.folder / "batch.png"
    _, console = browser.run(page, f"--screenshot={picture}")
    assert console == ""
    assert picture.stat().st_size > 10_000


def test_it_is_filtered_by_status_by_family_and_by_text(browser: Browser, page: Path) -> None:
    script = f"""{TOOLS}
    const before = names().length, quiet = said();
    set(status, "failed");
    const failed = names(), counted = said();
    set(status, "");
    const option = [...family.options].find((option) => option.text.startsWith("dino "));
    set(family, option.value);
    const dino = names();
    set(status, "failed");
    const both = names();
    set(search, "RUN_5/ no-such-word");
    const none = [names().length, said()];
    set(status, ""); set(family, ""); set(search, "Run_7/ PTH");
    const searched = names();
    set(search, "os.system");
    const reasons = names();
    set(search, "");
    return [before, quiet, failed, counted, dino, option.text, both, none, searched, reasons,
            names().length];
    """
    (before, quiet, failed, counted, dino, option, both, none, searched, reasons, after) = browser.ask(
        page, script
    )
    assert before == after == 1000
    assert quiet == ""
    assert failed == sources(DATA, "failed")
    assert counted == f"{len(failed)} of 1000"
    assert dino == [e["source"] for e in DATA["entries"] if e["family"] == "dino"]
    assert option == f"dino ({len(dino)})"
    assert both == failed
    assert none == [0, "0 of 1000"]
    wanted = [e["source"] for e in DATA["entries"] if "run_7/" in e["source"]]
    assert searched == wanted != []
    assert len(reasons) == sum("os.system" in e["reason"] for e in DATA["entries"])


def test_it_is_sorted_by_every_column(browser: Browser, page: Path) -> None:
    script = f"""{TOOLS}
    const click = (name) => column(name).querySelector("button").click();
    const order = (name) => column(name).getAttribute("aria-sort");
    const first = [order("Status"), order("File")];
    const result = {{}};
    for (const name of ["Status", "Names", "Size", "Proofs"]) {{
      click(name);
      const down = [order(name), keys(name)];
      click(name);
      result[name] = [...down, order(name), keys(name)];
    }}
    click("File");
    const sorted = names();
    click("Family");
    const marked = [...table.tHead.rows[0].cells].filter((cell) => cell.ariaSort).length;
    const whole = rows().every((body) => body.rows.length === 2 &&
      body.rows[0].querySelector("a").hash === "#" + body.rows[1].querySelector(".report").id);
    return [first, result, sorted, marked, whole, names().length];
    """
    first, result, sorted_names, marked, whole, count = browser.ask(page, script)
    assert first == [None, None]
    for down, falling, up, rising in result.values():
        assert (down, up) == ("descending", "ascending")
        assert falling == sorted(falling, reverse=True)
        assert rising == falling[::-1] == sorted(rising)
        assert len(set(falling)) > 2
    # Names with numbers in the order of the numbers.
    plain = [n for n in sorted_names if n.startswith("mask2former/run_")]
    assert plain == sorted(plain, key=lambda n: [int(d) for d in re.findall(r"\d+", n)])
    assert marked == 1
    assert whole
    assert count == len(set(sorted_names)) == 1000


def test_a_row_opens_to_its_report(browser: Browser, page: Path) -> None:
    script = f"""{TOOLS}
    const before = opened();
    const body = rows().find((body) => body.textContent.includes("names are left over"));
    const button = body.querySelector("th button");
    const expanded = () => button.getAttribute("aria-expanded");
    const states = [expanded()];
    button.click();
    const [own] = [body.querySelector(".report")];
    states.push(expanded(), opened(), own.getBoundingClientRect().height > 100);
    const text = own.textContent, of = button.getAttribute("aria-label");
    const controls = button.getAttribute("aria-controls") === own.id;
    button.click();
    states.push(expanded(), opened());
    body.querySelector("th a").click();
    states.push(expanded(), opened());
    return [before, states, text, of, controls, body.querySelector("th a").textContent];
    """
    before, states, text, label, controls, name = browser.ask(page, script)
    assert before == 0
    assert states == ["false", "true", 1, True, "false", 0, "true", 1]
    for part in ("130 names are left over", "keys failed", "and 30 more", "Exit code"):
        assert part in re.sub(r"\s+", " ", text)
    assert label == f"Report of {name}"
    assert controls


def test_without_scripts_it_is_a_plain_table(browser: Browser, page: Path) -> None:
    script = f"""{TOOLS}
    const seen = (what) => [...document.querySelectorAll(what)]
      .filter((e) => e.checkVisibility()).length;
    const before = [names().length, opened(), seen("button"), seen("select"), seen("summary")];
    for (const details of document.querySelectorAll("details")) details.open = true;
    return [...before, opened()];
    """
    assert browser.ask(page, script, plain=True) == [1000, 0, 0, 0, 1000, 1000]


@pytest.mark.parametrize("plain", [False, True])
def test_the_address_of_a_report_opens_it(browser: Browser, page: Path, tmp_path: Path, plain: bool) -> None:
    read = tmp_path / "batch.html"
    read.write_text(without_script(page) if plain else page.read_text("utf-8"), encoding="utf-8")
    name = re.findall(r'<a href="(#f-\w+)">', page.read_text("utf-8"))[700]
    shown, console = browser.run(read, "--dump-dom", fragment=name)
    assert console == ""
    assert shown.count("<details open") == 1
    own = shown.partition("<details open")[2].partition("</details>")[0]
    assert f'id="{name[1:]}"' in own


def test_it_is_quick(browser: Browser, page: Path) -> None:
    """Bounds are wide, as the machine may be busy: what is slow is slow by more than that."""
    script = f"""{TOOLS}
    const timed = (act) => {{
      const start = performance.now();
      act();
      document.body.offsetHeight;
      return performance.now() - start;
    }};
    return [
      timed(() => set(search, "run_1")), timed(() => set(search, "")),
      timed(() => set(status, "refused")), timed(() => set(status, "")),
      timed(() => column("Size").querySelector("button").click()),
    ];
    """
    times = browser.ask(page, script)
    assert max(times) < 4000, times


@pytest.mark.parametrize("width", [360, 700, 1280])
def test_nobody_need_scroll_sideways(browser: Browser, page: Path, width: int) -> None:
    script = f"""{TOOLS}
    for (const body of rows().slice(0, 30)) body.querySelector("th button").click();
    const top = document.documentElement;
    const wide = [...document.querySelectorAll("body *")]
      .filter((e) => !e.closest(".scroll, .skip"))
      .filter((e) => e.getBoundingClientRect().right > top.clientWidth)
      .map((e) => e.outerHTML.slice(0, 80));
    const region = table.parentNode;
    return [top.scrollWidth, wide, region.scrollWidth > region.clientWidth];
    """
    # Between a phone and a desktop, the table scrolls in its own frame.
    assert browser.ask(page, script, width=width) == [width, [], width == 700]


def test_dark_is_dark_and_every_status_can_be_read(browser: Browser, page: Path) -> None:
    script = f"""{TOOLS}
    const light = (color) => {{
      const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
        .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    }};
    const back = light(window.getComputedStyle(document.body).backgroundColor);
    const kinds = ["migrated", "copied", "refused", "failed"];
    const contrasts = kinds.map((kind) => {{
      const text = light(window.getComputedStyle(table.querySelector(`td.${{kind}}`)).color);
      return (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
    }});
    return [back, contrasts];
    """
    back, contrasts = browser.ask(page, script, blink=LIGHT)
    assert back > 0.9
    assert min(contrasts) >= 4.5
    back, contrasts = browser.ask(page, script, blink=DARK)
    assert back < 0.05
    assert min(contrasts) >= 4.5


def test_paper_has_the_table_and_the_reports_that_are_open(browser: Browser, tmp_path: Path) -> None:
    data: dict[str, Any] = large(120)
    page = tmp_path / "batch.html"
    write_batch_page(page, data)
    folded = browser.pages_printed(page)
    plain = tmp_path / "plain.html"
    plain.write_text(without_script(page), encoding="utf-8")
    assert browser.pages_printed(plain) == folded < 15
    plain.write_text(without_script(page).replace("<details>", "<details open>"), encoding="utf-8")
    assert browser.pages_printed(plain) > folded + 10
