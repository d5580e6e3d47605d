"""The page in a real browser: on a desktop, on a phone, in the dark, on paper, without scripts."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from browser import DARK, LIGHT, Browser, without_script
from report_examples import bad, good, hostile, odd, short

from mm_ckpt_migrate.pages.data import RenameLine, ReportData
from mm_ckpt_migrate.pages.write import write_report


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    data: dict[str, ReportData] = {
        "good": good(folder / "1"),
        "bad": bad(folder / "2"),
        "hostile": hostile(folder / "3"),
        "short": short(),
        "odd": odd(),
    }
    return {name: write_report(folder / name, value)[1] for name, value in data.items()}


@pytest.mark.parametrize("name", ["good", "hostile"])
def test_the_console_stays_empty(browser: Browser, pages: dict[str, Path], name: str) -> None:
    picture = browser.folder / f"{name}.png"
    _, console = browser.run(pages[name], f"--screenshot={picture}")
    assert console == ""
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize("name", ["good", "bad", "hostile", "short", "odd"])
def test_a_phone_need_not_scroll_sideways(browser: Browser, pages: dict[str, Path], name: str) -> None:
    script = """
    for (const details of document.querySelectorAll("details")) details.open = true;
    const page = document.documentElement;
    const wide = [...document.querySelectorAll("body *")]
      .filter((e) => !e.closest(".scroll, svg, .skip"))
      .filter((e) => e.getBoundingClientRect().right > page.clientWidth)
      .map((e) => e.outerHTML.slice(0, 80));
    return [page.clientWidth, page.scrollWidth, wide];
    """
    assert browser.ask(pages[name], script, width=360) == [360, 360, []]


def test_dark_is_dark_and_light_is_light(browser: Browser, pages: dict[str, Path]) -> None:
    script = """
    const style = window.getComputedStyle(document.body);
    return [style.backgroundColor, style.color].map((c) => Number(c.match(/\\d+/)[0]));
    """
    back, text = browser.ask(pages["good"], script, blink=LIGHT)
    assert back > 200 > 100 > text
    back, text = browser.ask(pages["good"], script, blink=DARK)
    assert back < 60 < 200 < text


def test_classes_are_searched_and_sorted(browser: Browser, pages: dict[str, Path]) -> None:
    script = """
    const rows = () => [...document.querySelectorAll("#class-table tbody tr")]
      .filter((row) => !row.hidden).map((row) => row.cells[0].textContent.trim());
    const before = rows().length;
    const input = document.querySelector('[data-filter="class-table"]');
    input.value = "CLASS 14";
    input.dispatchEvent(new Event("input"));
    const hits = rows(), said = input.closest(".tools").querySelector("output").value;
    input.value = "";
    input.dispatchEvent(new Event("input"));
    const buttons = document.querySelectorAll("#class-table th button");
    const column = (n) => [...document.querySelectorAll("#class-table tbody tr")]
      .map((row) => Number(row.cells[n].dataset.key));
    buttons[1].click();
    const down = column(1);
    buttons[1].click();
    const up = column(1), order = buttons[1].parentNode.getAttribute("aria-sort");
    buttons[0].click();
    return [before, hits, said, down, up, order, rows()];
    """
    before, hits, said, down, up, order, names = browser.ask(pages["bad"], script)
    assert before == len(names) == 150
    # Every word has to be somewhere in the row: in the class's name, or in a figure of it.
    assert {f"class {n}" for n in range(140, 150)} <= set(hits)
    assert all(name.startswith("class ") for name in hits)
    assert 10 <= len(hits) < 40
    assert said == f"{len(hits)} of 150"
    assert down == sorted(down, reverse=True)
    assert up == sorted(up)
    assert order == "ascending"
    assert names[:2] == ["bed", "building"]


def test_without_scripts_all_of_it_is_there(browser: Browser, pages: dict[str, Path]) -> None:
    script = """
    const seen = (what) => [...document.querySelectorAll(what)]
      .filter((e) => e.checkVisibility()).length;
    const folded = seen("#name-table tbody tr");
    for (const details of document.querySelectorAll("details")) details.open = true;
    const parts = ["#name-table tbody tr", "#class-table tbody tr", "input", "button"];
    return [folded, ...parts.map(seen)];
    """
    assert browser.ask(pages["good"], script, plain=True) == [0, 12, 150, 0, 0]
    assert browser.ask(pages["good"], script) == [0, 12, 150, 2, 4]


def pages_printed(browser: Browser, page: Path, blink: str, *, plain: bool) -> int:
    if plain:
        page.write_text(without_script(page), encoding="utf-8")
    return browser.pages_printed(page, blink)


@pytest.mark.parametrize(("blink", "plain"), [(LIGHT, False), (DARK, True)])
def test_folded_parts_are_printed(browser: Browser, tmp_path: Path, blink: str, plain: bool) -> None:
    data = short()
    _, without = write_report(tmp_path / "without", data)
    lines = tuple(RenameLine(f"old.name{n}", f"new.name{n}") for n in range(300))
    _, folded = write_report(tmp_path / "folded", replace(data, renames=lines))
    assert pages_printed(browser, without, blink, plain=plain) == 1
    assert pages_printed(browser, folded, blink, plain=plain) > 4


@contextmanager
def listening() -> Iterator[tuple[int, list[bytes]]]:
    """A port on this machine, and the first bytes of each request that came to it."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    requests.append(connection.recv(100))
                    if requests[-1].startswith(b"GET /stop"):
                        return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], requests
        with socket.create_connection(server.getsockname()) as end:
            end.sendall(b"GET /stop")
        thread.join(60)


def test_no_request_leaves_even_if_one_were_written_in(
    browser: Browser, pages: dict[str, Path], tmp_path: Path
) -> None:
    """Without the policy the same page does ask: the test can fail."""
    page = pages["good"].read_text(encoding="utf-8")
    with listening() as (port, requests):
        url = f"http://127.0.0.1:{port}"
        added = page.replace(
            "</main>",
            f'<img src="{url}/a.png" alt=""><script>fetch("{url}/b")'
            f'</script><link rel="stylesheet" href="{url}/c"></main>',
        )
        path = tmp_path / "added.html"
        path.write_text(added, encoding="utf-8")
        _, console = browser.run(path, "--dump-dom")
        assert requests == []
        assert console.count("Content Security Policy") >= 3
        path.write_text(added.replace("Content-Security-Policy", "x-no-policy"), encoding="utf-8")
        browser.run(path, "--dump-dom")
        assert any(request.startswith(b"GET /a.png") for request in requests)
