"""This run beside the one before it: what is compared, what became of it, and what is not compared, and why."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from deeprc.applications.forecasting.report import ForecastingResults
from deeprc.applications.hydrology.report import HydrologyResults
from deeprc.reporting import page, words
from deeprc.reporting.before import FIRST, MOST, UNRECORDED, ComparedPipeline, ComparedScore, RunBefore, before
from deeprc.reporting.crate.kept import keep
from deeprc.reporting.events import read_runs
from deeprc.reporting.section import Results
from samples.page import Parts
from samples.results import START, job, write_events

MADE = {"data": {"loads.csv": "ab" * 32}, "prepare": {"horizon": 24}}
FORECASTS = {
    "horizon": 24, "windows": 5, "unit": "kW", "naive": {}, "made_from": MADE,
    "models": {name: {"mae": mae, "rmse": 2 * mae} for name, mae in (("GRU", 4.0), ("LSTM", 5.0), ("TCN", 6.0))},
}  # fmt: skip
RIVERS = {
    "made_from": {"data": {"a.csv": "01" * 32, "b.csv": "02" * 32}, "prepare": {"split": [0.5, 0.25]}},
    "basins": {key: {"name": f"The {key}", "unit": "mm/day", "days": 90, "nse": nse, "kge": 0.5}
               for key, nse in (("a", 0.5), ("b", None))},
}  # fmt: skip
ABOUT = {"config": {"forecasting": {"horizon": 24}}, "versions": {"torch": "2.13.0"}, "git": {"commit": "12"},
         "command": ["snakemake"], "data": [], "images": []}  # fmt: skip


def event(root: Path, number: int, out: str = "results", state: str = "finished") -> None:
    """A run that made the metrics in `out`."""
    name, begin = f"r{number}", START + number * 1000
    runs = write_events(root, run=name, begin=begin, rules=(("a_prepare", {}),))
    row = job(99, "report", {}, "write the report", 1, [0], begin + 30, begin + 31, begin + 32, state)
    with (runs / name / "events.jsonl").open("a") as file:
        file.write(json.dumps(row | {"output": [f"{out}/report.html", f"{out}/metrics.json"]}) + "\n")


def told(root: Path, number: int, metrics: dict, out: str = "results", **about: object) -> None:
    """Its report, kept as the workflow keeps it."""
    (root / out).mkdir(exist_ok=True)
    (root / out / "metrics.json").write_text(json.dumps(metrics))
    (root / out / "run.json").write_text(json.dumps({"run": f"r{number}", **ABOUT, **about}))
    keep(root / out, root / ".deeprc" / "runs")


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compared(root: Path, metrics: dict, **about: object) -> RunBefore:
    runs = root / ".deeprc" / "runs"
    kinds = {
        "forecasting": lambda m: ForecastingResults(m, {}, {}),
        "hydrology": lambda m: HydrologyResults(m, {}, None),
    }
    found = {name: kinds.get(name, lambda m: Results(m, {}))(part) for name, part in metrics.items()}
    return before(read_runs(runs), runs, Path("results"), {"run": "now", **ABOUT, **about}, found)


def altered(metrics: dict, *path_and_value: object) -> dict:
    *path, key, value = path_and_value
    whole = part = copy.deepcopy(metrics)
    for each in path:
        part = part[each]
    part[key] = value
    return whole


def test_figures_become_better_or_worse_by_their_own_sense(root):
    event(root, 1)
    told(root, 1, {"forecasting": FORECASTS, "hydrology": RIVERS})
    event(root, 2)
    now = altered(FORECASTS, "models", "GRU", {"mae": 3.0, "rmse": 9.0})
    now = altered(now, "models", "LSTM", "mae", 5.000001)  # by less than other numbers of threads change
    found = compared(root, {"forecasting": now, "hydrology": altered(RIVERS, "basins", "a", "nse", 0.25)})
    assert (found.run.id, found.why, found.differences, found.unknown) == ("r1", "", [], ["inputs"])
    forecasts, rivers = found.pipelines
    assert forecasts.rows == [
        ComparedScore("GRU", "MAE", 4.0, 3.0, 1.0, "better"),
        ComparedScore("LSTM", "MAE", 5.0, 5.000001, pytest.approx(-1e-6), "the same"),
        ComparedScore("TCN", "MAE", 6.0, 6.0, 0.0, "the same"),
        ComparedScore("GRU", "RMSE", 8.0, 9.0, -1.0, "worse"),
        ComparedScore("LSTM", "RMSE", 10.0, 10.0, 0.0, "the same"),
        ComparedScore("TCN", "RMSE", 12.0, 12.0, 0.0, "the same"),
    ]
    assert forecasts.said == "MAE: 1 better, 2 the same"
    assert rivers.rows[:2] == [
        ComparedScore("The a", "NSE", 0.5, 0.25, -0.25, "worse"),
        ComparedScore("The b", "NSE", None, None, None, "not known"),
    ]
    assert rivers.said == "NSE: 1 worse, 1 not known"
    assert [row.change for row in (*forecasts.rows[:1], *rivers.rows[:2])] == [-1.0, -0.25, None]


def test_without_a_run_before_it_is_said(root):
    assert compared(root, {"forecasting": FORECASTS}).why == UNRECORDED
    event(root, 1)
    assert compared(root, {"forecasting": FORECASTS}).why == FIRST
    told(root, 1, {"forecasting": FORECASTS})  # this run's own
    assert compared(root, {"forecasting": FORECASTS}).why == FIRST


def test_only_runs_that_made_these_results_and_whose_report_was_kept_count(root):
    event(root, 1)
    told(root, 1, {"forecasting": FORECASTS})
    event(root, 2, out="trial")
    told(root, 2, {"forecasting": FORECASTS}, out="trial")
    event(root, 3)  # its report was not kept
    event(root, 4, state="failed")
    told(root, 4, {"forecasting": FORECASTS})
    event(root, 5)
    assert compared(root, {"forecasting": FORECASTS}).run.id == "r1"
    (root / ".deeprc/runs/r1/metrics.json").write_text("{")
    assert compared(root, {"forecasting": FORECASTS}).why.startswith("what was kept of the run r1 cannot be read: ")


@pytest.mark.parametrize(
    ("metrics", "why"),
    [
        (altered(FORECASTS, "horizon", 48), "horizon 24 → 48"),
        (altered(FORECASTS, "made_from", "data", "loads.csv", "cd" * 32), "other data: loads.csv changed"),
        (altered(FORECASTS, "made_from", "data", {"b.csv": "cd" * 32}), f"data {'ab' * 6} → {'cd' * 6}"),
        (altered(FORECASTS, "made_from", None), "it is not told of which data both of them are"),
        (altered(FORECASTS, "models", {}), "it does not say by which of its figures runs are compared"),
        (altered(FORECASTS, "models", {"NHITS": {"mae": 1.0}}), "none of its figures is in both"),
    ],
)
def test_what_is_of_other_things_is_not_compared(root, metrics, why):
    event(root, 1)
    told(root, 1, {"forecasting": FORECASTS})
    event(root, 2)
    (found,) = compared(root, {"forecasting": metrics}).pipelines
    assert (found.rows, found.why) == ([], why)


def test_a_file_that_is_only_called_otherwise_is_the_same_data(root):
    event(root, 1)
    told(root, 1, {"forecasting": FORECASTS})
    event(root, 2)
    (found,) = compared(root, {"forecasting": altered(FORECASTS, "made_from", "data", {"b.csv": "ab" * 32})}).pipelines
    assert found.said == "MAE: 3 the same"


def test_of_one_basin_other_days_are_not_compared_and_new_ones_are_named(root):
    event(root, 1)
    told(root, 1, {"hydrology": altered(RIVERS, "basins", "gone", RIVERS["basins"]["a"] | {"name": "Gone"})})
    event(root, 2)
    now = altered(RIVERS, "basins", "b", "days", 80)
    now = altered(now, "basins", "c", RIVERS["basins"]["a"] | {"name": "New"})
    now = altered(now, "made_from", "data", "c.csv", "03" * 32)
    (found,) = compared(root, {"hydrology": now}).pipelines
    assert [(row.of, row.what, row.verdict) for row in found.rows] == [("The a", w, "the same") for w in ("NSE", "KGE")]
    assert (found.apart, found.new, found.gone) == ({"The b": "days 90 → 80"}, ["New"], ["Gone"])


def test_other_forms_other_pipelines_and_those_that_say_nothing_are_told(root):
    event(root, 1)
    told(root, 1, {"forecasting": {"models": 3, "made_from": MADE}, "digits": FORECASTS})
    event(root, 2)
    found = compared(root, {"forecasting": FORECASTS, "hydrology": RIVERS, "digits": FORECASTS})
    assert [(part.name, part.why) for part in found.pipelines] == [
        ("forecasting", "what was kept of that run is in the form of another release"),
        ("hydrology", "it was not part of that run"),
        ("digits", "it does not say by which of its figures runs are compared"),
    ]


def test_what_else_differs_is_told(root):
    event(root, 1)
    code = {"name": "x", "version": "1", "sha256": "a", "below": {}, "libraries": {"torch": "1"}}
    config = {"forecasting": {"horizon": 24, "models": {"GRU": {"a": {"b": [2], "c": None}}}}}
    told(root, 1, {"forecasting": altered(FORECASTS, "made_from", "code", code)}, config=config)
    event(root, 2)
    now = altered(FORECASTS, "made_from", "code", code | {"version": "2", "sha256": "b", "libraries": {"torch": "2"}})
    deep = {"horizon": 24, "seed": 2, "models": {"GRU": {"a": {"b": [1]}}}}
    found = compared(root, {"forecasting": now}, config={"forecasting": deep},
                     versions={"torch": "2.14.0"}, git={"commit": "34"})  # fmt: skip
    assert found.differences == [
        ("options", "forecasting.models.GRU.a.b", "[2]", "[1]"),
        ("options", "forecasting.seed", words.NONE, "2"),
        ("versions", "torch", "2.13.0", "2.14.0"),
        ("code", "git commit", "12", "34"),
        ("code", "forecasting", words.NONE, "the code of x has changed (1 → 2)"),
        ("code", "forecasting", words.NONE, "torch 1 → 2"),
    ]


def test_of_many_figures_those_that_changed_most_are_shown():
    rows = [ComparedScore(str(n), what, 0.5, 0.5 + n, n, "better") for what in ("NSE", "KGE") for n in range(-50, 50)]
    shown = ComparedPipeline("rivers", rows).shown
    assert [row.gain for row in shown] == [*range(-50, -50 + MOST // 2), *range(50 - MOST // 2, 50)]
    assert {row.what for row in shown} == {"NSE"}


def test_the_page_tells_better_and_worse_by_sign_and_word_and_twice_the_same_bytes(root):
    event(root, 1)
    told(root, 1, {"forecasting": FORECASTS, "hydrology": RIVERS})
    event(root, 2)
    now = altered(altered(FORECASTS, "models", "GRU", "mae", 3.0), "models", "TCN", "mae", 7.0)
    found = compared(
        root, {"forecasting": now, "hydrology": altered(RIVERS, "basins", "a", "days", 3)}, config={"a": 1}
    )
    machine = {"cpu": "c", "cores": 1, "memory_mb": 1000, "system": "s"}
    about = {"site": None, "host": "h", "machine": machine, "git": None, "versions": {}, "config": {}}
    about |= {name: [] for name in ("images", "tasks", "command", "data")}

    def html(one: RunBefore) -> str:
        return page.render([], run=None, tasks=[], provenance=about, before=one)

    text = " ".join(Parts(html(found)).text.split())
    assert "forecasting MAE: 1 better, 1 worse, 1 the same; hydrology NSE: 1 not known." in text
    assert "GRU ✓ better forecasting MAE 4.000 3.000 −1.00 LSTM = the same forecasting MAE 5.000 5.000 0.00" in text
    assert "TCN ✕ worse forecasting MAE 6.000 7.000 +1.00" in text
    assert "Not compared: The a (days 90 → 3)." in text
    assert "What else differs between the two (2)" in text
    assert html(found) == html(found)
    assert f"Nothing is compared: {FIRST}." in Parts(html(RunBefore(why=FIRST))).text
    assert "Beside the run before" not in Parts(page.render([], run=None, tasks=[], provenance=about)).text
