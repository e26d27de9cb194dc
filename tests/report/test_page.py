from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from intentscore.errors import UsageError
from intentscore.report.charts import Axis, bars
from intentscore.report.content import Chart, Note, Page, Points, Section, Table, pairs
from intentscore.report.page import html, writable, write_whole
from intentscore.services.packaging import package_zip

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
NOON = datetime(2024, 12, 2, 12)


def page(text: str = "plain") -> Page:
    table = Table("few", text, ("name", "value"), ((text, 0.1 + 0.2), ("none", None), ("odd", math.nan)))
    chart = Chart("bars", "Bars", text, bars([(text, 1.0), ("other", 0.5)], Axis("size")), table)
    blocks = (chart, pairs("facts", "Facts", [("day", date(2024, 12, 1))]), Note(text, text), Points(text, (text,)))
    return Page("A model", text, (("ROC AUC", 0.9, text),), (Section("first", text, text, blocks),))


def figures(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_page_carries_its_figures_unrounded() -> None:
    found = figures(html(page(), NOON))
    assert found["few"] == {"name": ["plain", "none", "odd"], "value": [0.1 + 0.2, None, None]}
    assert found["facts"]["value"] == ["2024-12-01"]


def test_text_from_the_data_is_never_markup() -> None:
    text = html(page(HOSTILE), NOON)
    assert figures(text)["few"]["name"][0] == HOSTILE
    assert text.count("<script") == 1
    assert "<img" not in text


def test_a_page_needs_nothing_else() -> None:
    text = html(page(), NOON)
    assert "default-src 'none'" in text
    assert set(re.findall(r"https?://[^\"'\s<]+", text)) == {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not re.findall(r"<(?:link[^>]*href=\"(?!data:)|iframe|object|embed|img)", text)
    assert not re.findall(r"\bid=\"([^\"]+)\"(?=.*\bid=\"\1\")", text, re.DOTALL)


def test_every_chart_has_a_text_and_a_table_beside_it() -> None:
    text = html(page("what it shows"), NOON)
    figure = text[text.index("<figure") : text.index("</figure>")]
    assert 'role="img" aria-label="Bars: what it shows"' in figure
    assert figure.index("<svg") < figure.index("<details>") < figure.index("<table>")


def test_the_same_page_is_the_same_bytes() -> None:
    assert html(page(), NOON) == html(page(), NOON)


def test_an_interrupted_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.html"
    assert write_whole(target, "é") == 2

    def interrupt(self: Path, other: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(target, "new")
    assert target.read_text(encoding="utf-8") == "é"
    assert list(tmp_path.iterdir()) == [target]


def test_a_place_that_takes_no_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder; name a file in it"):
        writable(tmp_path)
    with pytest.raises(UsageError, match="there is no folder"):
        writable(tmp_path / "missing" / "report.html")
    assert writable(tmp_path / "report.html") == tmp_path / "report.html"


def test_the_page_is_made_from_the_packaged_zip_as_well(tmp_path: Path) -> None:
    archive = tmp_path / package_zip().name
    archive.write_bytes(package_zip().content)
    program = (
        "import datetime, intentscore.report.page as page, intentscore.report.content as content\n"
        "empty = content.Page('T', 's', (), (content.Section('a', 'A', '', ()),))\n"
        "made = page.html(empty, datetime.datetime(2024, 1, 1))\n"
        "print(page.__file__, '<style>' in made and '--paper' in made)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={**os.environ, "PYTHONPATH": str(archive)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [f"{archive}/intentscore/report/page.py", "True"]
