"""The report in a real browser: it draws, fits the window, asks the network for nothing, and its buttons work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import screenshot
from browser import Page, chromium
from deeprc.core.files import read_json, write_json
from samples.rendered import render
from samples.results import HOSTILE, MODELS, write_events, write_results

pytestmark = pytest.mark.requires("chromium")
PLOTS = 7
TABLES = 7  # models, their intervals, lead times, rivers, stages, what each asked for and used, data files
READY = "document.documentElement.dataset.drawn"


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("report")
    write_results(root)
    write_events(root)
    return render(root)


@pytest.fixture(scope="module")
def browser():
    with chromium() as page:
        yield page


@pytest.fixture
def page(browser) -> Page:
    browser.events.clear()
    return browser


def complaints(page: Page) -> list[dict]:
    """What the browser's console got to hear: errors, warnings, refusals."""
    return [
        e
        for e in page.events
        if e["method"] in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
    ]


def requests(page: Page) -> list[str]:
    return [e["params"]["request"]["url"] for e in page.events if e["method"] == "Network.requestWillBeSent"]


def visible(page: Page, plot: str, traces: int = 1) -> list[str]:
    """The models that are drawn; each has as many traces (a line, and where it has an interval its two edges)."""
    found = f"document.getElementById('{plot}').data.filter(t => t.visible !== false && t.meta).map(t => t.meta)"
    names = page.evaluate(found)
    assert {names.count(name) for name in names} <= {traces}
    return list(dict.fromkeys(names))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_it_draws_fits_the_window_and_asks_for_nothing(page, report, width, scheme):
    page.open(report, width=width, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert page.evaluate("document.documentElement.clientWidth") == width
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(READY) == str(PLOTS)
    # Each chart has marks, and none is wider than its frame.
    marks = "[...document.querySelectorAll('.plot')].map(p => p.querySelectorAll('.js-line, .bars .point path').length)"
    assert len(page.evaluate(marks)) == PLOTS
    assert min(page.evaluate(marks)) > 0
    too_wide = (
        "[...document.querySelectorAll('.plot')].filter(p => p.querySelector('.main-svg').clientWidth > p.clientWidth)"
    )
    assert page.evaluate(f"{too_wide}.length") == 0
    assert requests(page) == [report.as_uri()]
    assert complaints(page) == []


def test_a_long_unit_is_not_cut_at_the_edge_of_a_chart(page, tmp_path):
    write_results(tmp_path, days=20)
    metrics = tmp_path / "results" / "forecasting" / "metrics.json"
    metrics.write_text(json.dumps({**json.loads(metrics.read_text()), "unit": "kWh per household, day & flat"}))
    page.open(render(tmp_path), width=400)
    box = "(e => e.getBoundingClientRect())"
    outside = f"{box}(t).left < {box}(p).left || {box}(t).right > {box}(p).right || {box}(t).top < {box}(p).top"
    outside += f" || {box}(t).bottom > {box}(p).bottom"
    cut = "[...document.querySelectorAll('.plot')].flatMap(p => [...p.querySelectorAll('.xtitle, .annotation-text')]"
    assert page.evaluate(f"{cut}.filter(t => {outside}).map(t => t.textContent))") == []
    assert page.evaluate("document.querySelector('#ranking .xtitle').textContent").endswith("household, day &flat")


HINTS = "[...document.querySelectorAll('.scrolls')].map(e => [e.querySelector('.scroll'), e.querySelector('.hint')])"
HINTS += ".map(([s, h]) => [s.scrollWidth > s.clientWidth, getComputedStyle(h).display !== 'none'])"


def test_tables_that_scroll_say_so_and_the_keyboard_scrolls_them(page, report):
    page.open(report, width=400)
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    page.wait(f"{HINTS}.every(([wide, told]) => wide && told)")
    assert len(page.evaluate(HINTS)) == TABLES
    left = "document.querySelector('#forecasting .scroll').scrollLeft"
    page.evaluate("document.querySelector('#forecasting .scroll').focus()")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Table of the models"
    for kind in ("keyDown", "keyUp"):
        page.send("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39)
    page.wait(f"{left} > 20")
    page.send(
        "Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False
    )  # where there is room, none scrolls and none says so
    page.wait(f"{HINTS}.every(([wide, told]) => !wide && !told)")


@pytest.mark.parametrize("width", [1280, 400])
def test_without_javascript_each_chart_is_told_in_words_and_no_button_does_nothing(page, report, width):
    page.open(report, width=width, scripts=False)
    seen = "e => e.checkVisibility() && e.getBoundingClientRect().height > 0"
    told = page.evaluate(f"[...document.querySelectorAll('noscript .notice')].filter({seen}).map(e => e.textContent)")
    labels = page.evaluate("[...document.querySelectorAll('.plot')].map(e => e.getAttribute('aria-label'))")
    assert len(told) == len(labels) == PLOTS
    for words, label in zip(told, labels, strict=True):
        assert words.startswith("This chart needs JavaScript, which is off.") and label in words
    assert "NBEATS 40.0" in told[0] and "last value 60.0" in told[0]
    assert page.evaluate(f"[...document.querySelectorAll('.plot, .bar, .bar button')].filter({seen}).length") == 0
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert page.evaluate(f"[...document.querySelectorAll('table')].filter({seen}).length") == TABLES
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert {told for wide, told in page.evaluate(HINTS) if wide} <= {True}
    assert page.evaluate("document.documentElement.dataset.drawn") is None


def test_the_observed_line_and_the_text_follow_the_colour_scheme(page, report):
    seen = {}
    page.open(report, width=800)
    for scheme in ("light", "dark"):
        page.scheme(scheme)
        line = page.evaluate("getComputedStyle(document.querySelector('#forecasts .traceobserved .js-line')).stroke")
        tick = page.evaluate("getComputedStyle(document.querySelector('#ranking .xtick text')).fill")
        ink = page.evaluate("getComputedStyle(document.body).color")
        assert line == ink
        seen[scheme] = (ink, tick)
    assert seen["light"][0] != seen["dark"][0]
    assert seen["light"][1] != seen["dark"][1]


def test_tasks_of_the_first_seconds_are_drawn_too(page, tmp_path):
    """Every task's bar lies within the timeline, those of a quick pilot's first seconds as well."""
    write_results(tmp_path, days=20)
    write_events(tmp_path, active=2.0)
    page.open(render(tmp_path), width=1000)
    tasks = page.evaluate("document.getElementById('timeline').data.flatMap(t => t.y).length")
    assert tasks > 30
    boxes = (
        "[...document.querySelectorAll('#timeline {}')].map(e => e.getBoundingClientRect()).map(b => [b.left, b.right])"
    )
    bars = page.evaluate(boxes.format(".bars .point path"))
    ((_, ready),) = page.evaluate(boxes.format(".shapelayer path"))  # the shaded start-up of the pilot
    ((_, end), *_) = page.evaluate(boxes.format(".main-svg"))
    assert len(bars) == tasks
    assert all(ready < left < right <= end for left, right in bars)


def test_a_chip_shows_and_hides_a_model_in_both_charts(page, report):
    page.open(report, width=1000)
    assert visible(page, "forecasts", 3) == visible(page, "lead-time") == MODELS[:2]
    for expected in ([*MODELS[:2], "GRU"], MODELS[:2]):
        page.evaluate("document.querySelector('.chip[data-name=GRU]').click()")
        assert visible(page, "forecasts", 3) == visible(page, "lead-time") == expected
        pressed = "[...document.querySelectorAll('.chip[aria-pressed=true]')].map(c => c.dataset.name)"
        assert page.evaluate(pressed) == expected


def test_headings_sort_and_what_is_unknown_comes_last(page, report):
    page.open(report, width=1000)
    names = "[...document.querySelector('#forecasting .sortable').querySelectorAll('tbody tr')]"
    names += ".map(r => r.cells[0].textContent)"
    click = "document.querySelectorAll('#forecasting thead button')[{}].click()"
    assert page.evaluate(names)[0] == "NBEATS"
    page.evaluate(click.format(1))  # MAE, which is sorted already: the other way round
    assert page.evaluate(names) == ["VanillaTransformer", "seasonal naive", "TimesNet", "last value", *MODELS[8::-1]]
    page.evaluate(click.format(5))  # parameters: naive forecasts have none
    assert page.evaluate(names) == [*MODELS, "last value", "seasonal naive"] or set(page.evaluate(names)[-2:]) == {
        "last value",
        "seasonal naive",
    }
    page.evaluate(click.format(0))
    assert page.evaluate(names)[0] == "Autoformer"
    assert page.evaluate("document.querySelectorAll('#forecasting [aria-sort]').length") == 1


def test_stretches_of_time_are_chosen_and_moved_and_the_scale_follows(page, report):
    page.open(report, width=1000)
    days = "(([a, b]) => (new Date(b) - new Date(a)) / 864e5)(document.getElementById('forecasts').layout.xaxis.range)"
    first = "document.getElementById('forecasts').layout.xaxis.range[0]"
    assert page.evaluate(days) == 14
    begin = page.evaluate(first)
    page.evaluate("document.querySelector('[data-for=forecasts] [data-step=\"1\"]').click()")
    assert page.evaluate(days) == 14
    assert page.evaluate(first) > begin
    page.evaluate("document.querySelector('[data-for=forecasts] [data-days=\"0\"]').click()")
    assert page.evaluate(days) > 118
    top = "document.getElementById('forecasts').layout.yaxis.range[1]"
    highest = (
        "Math.max(...document.getElementById('forecasts').data.filter(t => t.visible !== false).flatMap(t => t.y))"
    )
    assert page.evaluate(top) == pytest.approx(page.evaluate(highest) * 1.05)


def test_a_series_is_chosen_and_only_its_lines_are_drawn_over_its_own_time(page, tmp_path):
    write_results(tmp_path, several=3)
    page.open(render(tmp_path), width=1000)
    plot = "document.getElementById('forecasts')"
    # Once each, though the edges of a model's interval are lines, too.
    shown = f"{plot}.data.filter(t => t.visible !== false).map(t => JSON.stringify([t.meta || t.name, t.legendgroup]))"
    shown = f"[...new Set({shown})].map(JSON.parse)"
    first = f"{plot}.layout.xaxis.range[0].slice(0, 7)"
    top = f"{plot}.layout.yaxis.range[1] >= Math.max(...{plot}.data.filter(t => t.visible !== false).flatMap(t => t.y))"
    names = ["observed", "NBEATS", "NHITS"]
    assert page.evaluate(shown) == [[name, "s000"] for name in names]
    assert page.evaluate(first) == "2015-01"
    choose = "(s => { s.value = 's002'; s.dispatchEvent(new Event('change')); })(document.querySelector('select'))"
    page.evaluate(choose)
    assert page.evaluate(shown) == [[name, "s002"] for name in names]
    assert page.evaluate(first) == "2015-03"
    assert page.evaluate(top)
    page.evaluate("document.querySelector('.chips [data-name=NHITS]').click()")
    assert page.evaluate(shown) == [[name, "s002"] for name in names[:2]]


def test_the_keyboard_reaches_the_controls(page, report):
    page.open(report, width=1000)
    seen = set()
    for _ in range(45):
        for kind in ("keyDown", "keyUp"):
            page.send("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        name = "e.dataset.name ?? e.textContent.trim().slice(0, 12)"
        seen.add(page.evaluate(f"(e => e.className + '|' + ({name}))(document.activeElement)"))
    assert "skip|Skip to the" in " ".join(seen)
    assert {f"chip|{name}" for name in MODELS} <= seen
    assert {"|MAE", "|1 week", "scroll|"} <= {entry if not entry.startswith("scroll") else "scroll|" for entry in seen}


def test_the_models_of_the_zoo_fit_the_window(page, tmp_path):
    """With millions of parameters, and two badges: `better than neither`, `worse than …`."""
    write_results(tmp_path)
    file = tmp_path / "results" / "forecasting" / "metrics.json"
    metrics = read_json(file)
    for row in metrics["models"].values():
        row |= {"parameters": 1_646_218, "seconds": 754.0, "worse_than": ["linear", "zero-shot"]}
    metrics["references"] = {name: {"mae": 1.0, "rmse": 1.0} for name in ("linear", "zero-shot")}
    write_json(file, metrics)
    page.open(render(tmp_path), width=1280)
    table = "document.querySelector('#forecasting table')"
    assert "worse than linear, zero-shot" in page.evaluate(f"{table}.textContent")
    assert page.evaluate(f"{table}.closest('.scroll').scrollWidth <= {table}.closest('.scroll').clientWidth")


def test_hostile_names_run_no_script(page, tmp_path):
    write_results(tmp_path, hostile=True, days=20)
    write_events(tmp_path, host=HOSTILE, rules=(("forecasting_train", {"model": HOSTILE}),))
    page.open(render(tmp_path), width=400)
    page.evaluate("document.querySelectorAll('.chip[data-name]').forEach(chip => chip.click())")
    assert page.evaluate("window.hacked === undefined && document.images.length === 0")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert len(visible(page, "forecasts", 3)) == len(MODELS) - 2
    assert complaints(page) == []


def test_it_prints_within_the_paper(page, report):
    page.open(report, width=1280)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    widths = "[...document.querySelectorAll('.plot .main-svg')].map(svg => svg.clientWidth)"
    assert set(page.evaluate(widths)) == {680}
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    page.wait("document.querySelector('.plot .main-svg').clientWidth > 900")


def test_the_picture_for_the_readme(report, tmp_path):
    picture = tmp_path / "report.png"
    command = [
        sys.executable,
        str(Path(screenshot.__file__)),
        str(report),
        str(picture),
        "--width=1280",
        "--height=800",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    data = picture.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(data[16:20]), int.from_bytes(data[20:24])) == (1280, 800)
    assert len(data) > 20_000  # not a blank page
