"""Whether everybody can use the report: axe's rules for WCAG 2 A and AA, the keyboard, paper, tables as files."""

from __future__ import annotations

import base64
import io
import time
from pathlib import Path

import polars as pl
import pytest

from browser import Page, chromium
from conftest import AXE
from deeprc.core.files import read_json
from samples.earlier import write_earlier
from samples.rendered import render
from samples.results import MODELS, write_results

pytestmark = pytest.mark.requires("chromium")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OPEN = "document.querySelectorAll('details').forEach(part => part.open = true)"
CONTROLS = "[...document.querySelectorAll('a[href], button, select, summary, [tabindex=\"0\"]')]"
A4 = 718  # CSS pixels between margins of 1 cm


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("report")
    write_results(root, several=3)
    write_earlier(root)
    return render(root)


@pytest.fixture(scope="module")
def page():
    with chromium() as page:
        yield page


@pytest.mark.requires("axe")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_axe_finds_nothing(page, report, width, scheme):
    page.open(report, width=width, scheme=scheme)
    page.evaluate(OPEN)
    (source,) = AXE.rglob("axe.min.js")
    page.evaluate(source.read_text() + "; true")
    run = f"axe.run(document, {{runOnly: {{type: 'tag', values: {RULES}}}, resultTypes: ['violations']}})"
    found = page.evaluate(f"{run}.then(found => found.violations.flatMap(v => v.nodes.map(n => [v.id, n.html])))")
    assert found == []
    assert page.evaluate(f"{run}.then(found => found.passes.length)") > 20  # it did look


def press(page: Page, key: str, code: int) -> None:
    for kind in ("keyDown", "keyUp"):
        page.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)


def test_tab_comes_to_every_control_and_each_shows_that_it_has_the_focus(page, report):
    page.open(report, width=1000)
    page.evaluate(OPEN)
    for _ in range(page.evaluate(f"{CONTROLS}.length") + 5):
        press(page, "Tab", 9)
        page.evaluate(
            "(e => { e.dataset.met = getComputedStyle(e).outlineStyle !== 'none'"
            " && parseFloat(getComputedStyle(e).outlineWidth) >= 2; })(document.activeElement)"
        )
    text = "(e.getAttribute('aria-label') ?? e.textContent).trim()"
    assert page.evaluate(f"{CONTROLS}.filter(e => !e.dataset.met).map(e => e.tagName + ' ' + {text})") == []
    assert page.evaluate(f"{CONTROLS}.filter(e => e.dataset.met !== 'true').map(e => e.tagName + ' ' + {text})") == []


def test_enter_sorts_a_table(page, report):
    page.open(report, width=1000)
    page.evaluate("document.querySelectorAll('#forecasting thead button')[0].focus()")
    page.send("Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    assert page.evaluate("document.querySelector('#forecasting tbody th').textContent") == "Autoformer"


def test_on_paper_nothing_is_cut_and_what_was_folded_up_is_told(page, report):
    page.open(report, width=A4)
    page.evaluate(OPEN)
    page.send("Emulation.setEmulatedMedia", media="print")
    try:
        wide = f"[...document.querySelectorAll('table')].filter(t => t.getBoundingClientRect().right > {A4})"
        assert page.evaluate(f"{wide}.map(t => t.closest('[aria-label]').getAttribute('aria-label'))") == []
        assert page.evaluate("document.documentElement.scrollWidth") <= A4
        seen = "[...document.querySelectorAll('nav, .spans, .save, .hint')].filter(e => e.checkVisibility()).length"
        assert page.evaluate(seen) == 0
        # Headings stand above the first row, and again on the next page: Chromium repeats words, but no buttons.
        style = "[...document.querySelectorAll({0!r})].map(e => getComputedStyle(e).{1})"
        assert set(page.evaluate(style.format("thead", "display"))) == {"table-header-group"}
        assert set(page.evaluate(style.format("thead", "breakAfter"))) == {"avoid"}
        assert set(page.evaluate(style.format("thead th *", "display"))) == {"contents"}
    finally:
        page.send("Emulation.setEmulatedMedia", media="")
    page.open(report, width=1280)
    paper = base64.b64decode(page.send("Page.printToPDF", printBackground=True)["data"])
    assert paper[:5] == b"%PDF-"
    assert page.evaluate("document.querySelectorAll('details[open]').length") == 0  # as it was before


@pytest.mark.parametrize("scripts", [True, False])
def test_each_table_is_saved_as_csv_with_its_whole_figures(page, report, tmp_path, scripts):
    page.open(report, width=1000, scripts=scripts)
    page.evaluate(OPEN)
    page.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    count = page.evaluate("document.querySelectorAll('.save a').length")
    assert count == page.evaluate("document.querySelectorAll('.scroll table').length") > 5
    page.evaluate("document.querySelector('#forecasting .save a').click()")
    file = tmp_path / "models.csv"
    for _ in range(200):
        if file.exists() and file.stat().st_size:
            break
        time.sleep(0.05)
    rows = {row["name"]: row for row in pl.read_csv(io.BytesIO(file.read_bytes())).to_dicts()}
    told = read_json(report.parent / "metrics.json")["forecasting"]
    assert rows.keys() == {*MODELS, *told["naive"]}
    for name, row in {**told["models"], **told["naive"]}.items():
        for key in ("mae", "rmse", "smape", "mase"):
            assert rows[name][key] == row[key]
    assert file.read_bytes() == (report.parent / "tables" / "models.csv").read_bytes()
