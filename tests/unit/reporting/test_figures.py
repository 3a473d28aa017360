"""The charts' data: what is drawn is what was measured, gaps stay gaps, colours can be told apart from the page."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import product

import polars as pl
import pytest

from deeprc.applications.forecasting.report import read as read_forecasting
from deeprc.applications.forecasting.report.by_series import by_series, drawn
from deeprc.applications.forecasting.report.forecasts import LONGEST, lead_errors, lead_time, on_grid, step_of
from deeprc.applications.forecasting.report.forecasts import forecasts as forecasts_figure
from deeprc.applications.forecasting.report.ranking import ranking, standing
from deeprc.applications.hydrology.report.hydrographs import hydrograph, representative
from deeprc.core.events import WorkerEvent
from deeprc.reporting.events import read_runs
from deeprc.reporting.figures.timeline import timeline
from deeprc.reporting.figures.usage import in_words, steps, usage
from deeprc.reporting.theme import OBSERVED, PAGES, SERIES, STAGES, series
from samples.results import HOSTILE, MODELS, NAIVE, START, forecasts, write_events, write_results


def contrast(one: str, other: str) -> float:
    """The contrast of two colours: WCAG 2.1, 1.4.3."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("colour", "page"), list(product(sorted({*SERIES, *STAGES.values()}), PAGES.values())))
def test_marks_stand_out_from_the_page_in_light_and_dark(colour, page):
    assert contrast(colour, page) >= 3
    assert contrast(colour, "#ffffff") >= 4.5  # the white text on a bar


def test_more_series_than_colours_differ_by_their_dash():
    looks = series(f"m{i}" for i in range(30))
    assert len(set(looks.values())) == 30


@pytest.mark.parametrize(("mae", "expected"), [(59.9, "both"), (60.0, "one"), (69.9, "one"), (70.0, "neither")])
def test_standing_beside_the_naive_forecasts(mae, expected):
    assert standing(mae, NAIVE) == expected


def test_ranking_shows_every_model_with_its_mae_and_both_naive_forecasts(tmp_path):
    metrics = read_forecasting(write_results(tmp_path) / "forecasting").metrics
    figure = ranking(metrics)
    drawn = {name: x for trace in figure.data for name, x in zip(trace.y, trace.x, strict=True)}
    assert drawn == {name: row["mae"] for name, row in metrics["models"].items()}
    assert [list(trace.y) for trace in figure.data][1:] == [["TimesNet"], ["VanillaTransformer"]]
    assert len({trace.marker.pattern.shape for trace in figure.data}) == 3
    assert [shape.x0 for shape in figure.layout.shapes] == [60.0, 70.0]
    assert [note.text for note in figure.layout.annotations] == ["last value 60.0", "seasonal naive 70.0"]


def test_skipped_origins_are_gaps_in_the_line():
    grid = on_grid(forecasts(8, 1.0, skip=5), timedelta(hours=1))
    assert grid.height == 8 * 24
    gap = grid.filter(pl.col("yhat").is_null())["ds"]
    assert (gap[0], gap[-1], len(gap)) == (datetime(2014, 1, 6, 1), datetime(2014, 1, 7, 0), 24)


def test_of_overlapping_forecasts_the_latest_origin_is_drawn():
    start = datetime(2020, 1, 1)
    hour = timedelta(hours=1)
    rows = [
        {"origin": start + o * hour, "step": s, "ds": start + (o + s) * hour, "y": 0.0, "yhat": float(o)}
        for o in range(3)
        for s in (1, 2, 3)
    ]
    assert on_grid(pl.DataFrame(rows), hour)["yhat"].to_list() == [0, 1, 2, 2, 2]


@pytest.mark.parametrize("minutes", [15, 60, 1440])
@pytest.mark.parametrize("horizon", [1, 4])
def test_the_step_is_read_off_the_predictions(minutes, horizon):
    step = timedelta(minutes=minutes)
    start = datetime(2020, 1, 1)
    frame = pl.DataFrame([{"origin": start, "step": s, "ds": start + s * step} for s in range(1, horizon + 1)])
    assert step_of(frame) == step


def test_forecasts_draw_the_observations_and_each_model_and_show_the_chosen(tmp_path):
    found = read_forecasting(write_results(tmp_path, days=10) / "forecasting")
    figure, note = forecasts_figure(found.metrics, found.predictions, ["GRU"])
    assert note == "Shaded: intervals of 80 %."
    assert figure.data[0].uid == OBSERVED
    assert [trace.meta for trace in figure.data[1::3]] == MODELS  # by error
    assert [trace.meta for trace in figure.data[1:] if trace.visible] == ["GRU"] * 3
    first = found.predictions["GRU"].sort("ds")
    lower, upper, gru = (trace for trace in figure.data if trace.meta == "GRU")
    assert gru.x0 == first["ds"][0].isoformat()
    assert (lower.fill, upper.fill, gru.fill) == (None, "tonexty", None)
    for trace, column in ((lower, "q0.1"), (upper, "q0.9"), (gru, "yhat")):
        assert trace.y[:24] == pytest.approx(first[column][:24].to_list(), rel=1e-3)


def test_without_intervals_nothing_is_shaded(tmp_path):
    found = read_forecasting(write_results(tmp_path, days=3) / "forecasting")
    rows = {name: {"mae": row["mae"]} for name, row in found.metrics["models"].items()}
    figure, note = forecasts_figure(found.metrics | {"models": rows}, found.predictions, ["GRU"])
    assert ([trace.meta for trace in figure.data[1:]], note) == (MODELS, "")


def test_a_very_long_test_part_is_cut_and_says_so(tmp_path):
    found = read_forecasting(write_results(tmp_path, days=2) / "forecasting")
    figure, note = forecasts_figure(found.metrics, {"GRU": forecasts(500, 1.0)}, [])
    assert note.startswith(f"The last {LONGEST:,} of 12,000 steps of the test part are drawn.")
    assert {len(trace.y) for trace in figure.data} == {LONGEST}


def test_lead_time_is_the_mae_of_each_step():
    frame = forecasts(20, 10.0)
    metrics = {"models": {"GRU": {"mae": 1}}}
    (trace,) = lead_time(metrics, lead_errors(metrics, {"GRU": frame}), []).data
    third = frame.filter(pl.col("step") == 3).select((pl.col("y") - pl.col("yhat")).abs().mean()).item()
    assert list(trace.x) == list(range(1, 25))
    assert trace.y[2] == pytest.approx(third, rel=1e-3)


def test_hydrograph_marks_the_test_part_and_keeps_gaps():
    days = [date(2000, 1, 1) + timedelta(days=d) for d in (0, 1, 3, 4)]
    rows = pl.DataFrame(
        {
            "date": days,
            "split": ["train", "val", "test", "test"],
            "obs": [1.0, None, 3.0, 4.0],
            "sim": [1.5, 2.5, 3.5, 4.5],
        }
    )
    figure = hydrograph(rows, "mm/day")
    assert [list(trace.y) for trace in figure.data] == [[1.0, None, None, 3.0, 4.0], [1.5, 2.5, None, 3.5, 4.5]]
    (shape,) = figure.layout.shapes
    assert (shape.x0, shape.x1) == ("2000-01-04", "2000-01-06")


def test_many_basins_are_represented_from_best_to_worst():
    basins = {f"b{i:03}": {"nse": None if i == 7 else 1 - i / 100} for i in range(100)}
    assert representative(basins, 3) == ["b000", "b051", "b007"]
    assert representative({"a": {"nse": 0.1}, "b": {"nse": 0.9}}, 3) == ["b", "a"]


def test_timeline_draws_each_task_on_each_of_its_cores(tmp_path):
    (run,) = read_runs(write_events(tmp_path))
    (done,) = timeline(run).data
    assert len(done.y) == sum(len(task.cores) for task in run.tasks)
    assert set(done.y) == {"core 0", "core 1"}
    began = [(datetime.fromisoformat(base) - datetime(1970, 1, 1)).total_seconds() for base in done.base]
    for task in run.tasks:
        assert round(task.start - run.begin, 3) in began
    shape = timeline(run).layout.shapes[0]
    assert (shape.x0, shape.x1) == ("1970-01-01 00:00:01.000", "1970-01-01 00:00:21.000")  # the pilot's start-up


def test_failed_tasks_are_crossed_and_tasks_without_cores_have_a_row(tmp_path):
    (run,) = read_runs(write_events(tmp_path))
    unknown = {"cores": (), "nodes": ()}
    run.tasks = [replace(t, failed=t.job == 1, **(unknown if t.job == 2 else {})) for t in run.tasks]
    done, failed = timeline(run).data
    assert len(failed.y) == 1
    assert failed.marker.pattern.shape == "x"
    assert "cores not told" in done.y


def test_the_same_core_of_two_nodes_is_two_rows_and_nodes_stand_in_the_order_of_their_numbers(tmp_path):
    (run,) = read_runs(write_events(tmp_path, rules=[("train", {"n": str(n)}) for n in range(4)]))
    nodes = ["node10", "node2", "node2", "login-1.site"]
    run.tasks = [replace(t, cores=(i // 2,), nodes=(nodes[i],)) for i, t in enumerate(run.tasks)]
    figure = timeline(run)
    assert list(figure.layout.yaxis.categoryarray)[::-1] == [
        "login-1.site core 1", "node2 core 0", "node2 core 1", "node10 core 0",
    ]  # fmt: skip
    assert sorted(figure.data[0].y) == sorted(figure.layout.yaxis.categoryarray)


def test_labels_cannot_bring_markup_into_a_chart(tmp_path):
    found = read_forecasting(write_results(tmp_path, hostile=True, days=3) / "forecasting")
    figures = [
        ranking(found.metrics),
        forecasts_figure(found.metrics, found.predictions, [])[0],
        lead_time(found.metrics, lead_errors(found.metrics, found.predictions), []),
    ]
    (run,) = read_runs(write_events(tmp_path, label=HOSTILE, rules=(("forecasting_train", {"model": HOSTILE}),)))
    for figure in [*figures, timeline(run)]:
        for trace in figure.to_plotly_json()["data"]:
            trace.pop("meta", None)  # a key of the page's script, never drawn
            drawn = {key: value for key, value in trace.items() if key != "hovertemplate"}
            assert "<img" not in str(drawn)
            assert "<img" not in trace.get("hovertemplate", "")
        assert "<img" not in str(figure.layout)


def test_lines_of_several_series_are_chosen_by_name_and_months_have_their_own_times(tmp_path):
    found = read_forecasting(write_results(tmp_path, several=4) / "forecasting")
    figure, note = forecasts_figure(found.metrics, found.predictions, ["GRU"], ["s002", "s000"])
    assert note == "Shaded: intervals of 80 %."
    assert [trace.legendgroup for trace in figure.data] == ["s002"] * 34 + ["s000"] * 34
    assert [(trace.meta, trace.legendgroup) for trace in figure.data if trace.visible] == [
        (None, "s002"),
        *[("GRU", "s002")] * 3,
    ]
    assert figure.data[0].x[:3] == (
        "2015-03-01T00:00:00.000000",
        "2015-04-01T00:00:00.000000",
        "2015-05-01T00:00:00.000000",
    )
    y = found.predictions["GRU"].filter(id="s002")["y"]
    assert figure.data[0].y == pytest.approx(y.to_list(), rel=1e-3)
    leads = lead_errors(found.metrics, found.predictions)
    assert (leads["columns"][0], leads["columns"][-1], leads["title"]) == ("1 month", "24 months", "lead time, months")


@pytest.mark.parametrize(
    ("step", "ends", "title"),
    [
        ("1 hour", ["1 h", "24 h"], "lead time, hours"),
        ("15 minutes", ["1", "24"], "lead time, steps of 15 minutes"),
        ("1 day", ["1 day", "24 days"], "lead time, days"),
    ],
)
def test_leads_are_told_in_the_step_of_the_data(step, ends, title):
    leads = lead_errors({"models": {"GRU": {}}, "step": step}, {"GRU": forecasts(3, 1.0)})
    assert ([leads["columns"][0], leads["columns"][-1]], leads["title"]) == (ends, title)


def test_values_of_both_ends_of_the_series_are_shown():
    rows = [{"name": f"s{i}", "gain": None if i == 3 else i / 10} for i in range(9)]
    metrics = {"series": {row["name"]: {"models": {}, "naive": {}} for row in rows}}
    assert [row["name"] for row in by_series(metrics)] == [row["name"] for row in rows]
    assert drawn(rows, 3) == ["s8", "s4", "s0"]
    assert drawn(rows[:1]) == ["s0"]
    assert drawn([]) == []


def test_cores_and_memory_go_up_and_down_with_the_tasks(tmp_path):
    (run,) = read_runs(write_events(tmp_path, rules=[("train", {"n": str(n)}) for n in range(3)]))
    first, second, third = (replace(task, peak_mb=100.0 * n) for n, task in enumerate(run.tasks, 1))
    run.tasks = [first, second, third]
    # Two at once from 21.5 s, each of 3 s; then the third.
    assert steps(run) == [(0.0, 0, 0.0), (21.5, 2, 300.0), (24.5, 0, 0.0), (25.0, 1, 300.0), (28.0, 0, 0.0)]
    assert in_words(run) == (
        "Cores in use over time: at most 2 cores, 0.29 on average; memory of the tasks at most 0.30 GB."
    )
    cores, memory = usage(run).data
    assert (list(cores.y), max(memory.y)) == ([0, 2, 0, 1, 0, 0], 0.3)


def test_imports_have_a_bar_where_their_worker_lay(tmp_path):
    (run,) = read_runs(write_events(tmp_path))
    came = WorkerEvent(time=START + 21.4, name="w", asked=START + 15, began=START + 16, warm=["torch"], cores=[1],
                       nodes=["node-1"])  # fmt: skip
    quick = replace(came, began=START + 21)
    run.workers = [came, quick, replace(came, cores=[7])]
    bars = [trace for trace in timeline(run).data if "imports of" in trace.hovertemplate]
    assert [(list(bar.y), list(bar.x), list(bar.base)) for bar in bars] == [
        (["core 1"], [5400], ["1970-01-01 00:00:16.000"])
    ]
