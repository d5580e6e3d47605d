"""Names, keys and versions are anybody's: nothing of them becomes markup, and no order is lost."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from report_examples import EVIL, bad, good, hostile, odd
from report_parser import parse

from mm_ckpt_migrate.pages.data import ReportData
from mm_ckpt_migrate.pages.write import write_report


def test_no_text_becomes_markup(tmp_path: Path) -> None:
    _, path = write_report(tmp_path, hostile(tmp_path / "samples"))
    page = path.read_text(encoding="utf-8")
    assert page.count("<script") == page.count("</script") == 1
    assert page.count("alert(") == page.count("&lt;script&gt;alert(") > 20
    tree = parse(page)
    harmless = parse(write_report(tmp_path / "good", good(tmp_path / "s"))[1].read_text("utf-8"))
    assert {e.tag for e in tree.all()} == {e.tag for e in harmless.all()}
    assert all(image.attributes["alt"] for image in tree.all("img"))


def test_what_turns_text_around_or_is_no_text_is_spelled_out(tmp_path: Path) -> None:
    json_path, path = write_report(tmp_path, hostile(tmp_path / "samples"))
    page = path.read_text(encoding="utf-8")
    assert not set("\u202e\x1b") & set(page)
    assert "\\u202edlo\\x1b[31m\\udce4" in page
    assert json.loads(json_path.read_text(encoding="ascii"))["family"] == EVIL + "\udce4"


def values(data: ReportData, folder: Path) -> dict[str, Any]:
    json_path, _ = write_report(folder, data)
    found: dict[str, Any] = json.loads(json_path.read_text(encoding="ascii"), parse_constant=no)
    return found


def no(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def test_json_has_it_all(tmp_path: Path) -> None:
    data = bad(tmp_path / "samples")
    found = values(data, tmp_path)
    assert data.forward is not None
    assert data.metric is not None
    assert found["report"] == 1
    assert found["exit_code"] == 11
    assert found["verdict"].startswith("Failed: keys, forward and metric.")
    assert [v["status"] for v in found["verdicts"]] == ["pass", "fail", "pass", "fail", "skipped", "fail"]
    assert len(found["verdicts"][1]["details"]) == 130
    assert found["sha256"] == data.sha256
    assert found["command"] == list(data.command)
    assert found["renames"][1] == {"old": data.renames[1].old, "new": data.renames[1].new, "count": 9}
    assert found["forward"]["differences"][0] == {"name": "cls_logits", "largest": 0.31, "scale": 12.4}
    assert [tuple(pair) for pair in found["forward"]["scatter"]] == list(data.forward.scatter)
    assert found["metric"]["new"] == data.metric.new
    first, second = found["metric"]["samples"]
    assert first == {"name": "ADE_val_00000001", "pixels": 349696, "differing": 0}
    assert second["differing"] > 0
    assert str(tmp_path) not in json.dumps(found)


def test_json_has_no_nan_but_float_reads_it(tmp_path: Path) -> None:
    found = values(odd(), tmp_path)
    second, first, third = found["forward"]["differences"]
    assert math.isnan(float(first["largest"]))
    assert float(second["largest"]) == math.inf
    assert third["largest"] == 0.0
    assert float(found["metric"]["classes"][4]["new"]) == -math.inf
    assert found["metric"]["classes"][3]["old"] is None
    assert found["metric"]["old"] is None


def test_what_is_no_number_is_called_so(tmp_path: Path) -> None:
    _, path = write_report(tmp_path, odd())
    tree = parse(path.read_text(encoding="utf-8"))
    assert tree.one("ul", **{"class": "tiles"}).text.startswith("NaN largest difference")
    rows = tree.one("table", id="class-table").one("tbody").children
    assert [row.one("th").text for row in rows] == ["gone", "come", "negative", "both absent", "not measured"]
    assert "in one only" in rows[0].text
    assert "absent" in rows[3].text
    # The wrong mapping gave NaN, and no point of the plot is finite: it is not drawn.
    assert not tree.all("figure")
