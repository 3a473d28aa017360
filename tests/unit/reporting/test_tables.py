"""The page's tables as CSV and Parquet: the very figures, beside the page and in its links; predictions as CSV."""

from __future__ import annotations

import base64
import io
import re

import polars as pl
import pytest

from deeprc.applications.report import main
from deeprc.core.files import read_json
from deeprc.reporting import tables
from samples.results import HOSTILE, write_events, write_results


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Those of both applications, with their report."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEEPRC_RUN", raising=False)
    folder = write_results(tmp_path, days=5)
    write_events(tmp_path)
    main([f"{name}={folder / name}" for name in ("forecasting", "hydrology")], folder)
    return folder


def test_files_and_links_hold_the_same_and_all_tables_of_the_page_are_there(results):
    page = (results / "report.html").read_text()
    links = re.findall(r'download="([\w-]+)\.csv" href="data:text/csv;charset=utf-8;base64,([^"]*)"', page)
    written = {path.stem for path in (results / "tables").glob("*.parquet")}
    assert {name for name, _ in links} == written
    assert written == {
        "models", "intervals", "error-by-lead-time", "rivers", "what-rules-asked-for-and-used", "stages", "data-files",
    }  # fmt: skip
    for name, held in links:
        text = base64.b64decode(held)
        assert text == (results / "tables" / f"{name}.csv").read_bytes()
        frame = pl.read_parquet(results / "tables" / f"{name}.parquet")
        assert frame.write_csv().encode() == text and frame.height > 0


def test_figures_are_whole(results):
    told = read_json(results / "metrics.json")
    for kind in ("csv", "parquet"):
        read = pl.read_csv if kind == "csv" else pl.read_parquet
        models = {row["name"]: row for row in read(results / "tables" / f"models.{kind}").to_dicts()}
        for name, row in {**told["forecasting"]["models"], **told["forecasting"]["naive"]}.items():
            expected = [row[key] for key in ("mae", "rmse", "smape", "mase")] + [row.get("parameters")]
            assert [models[name][key] for key in ("mae", "rmse", "smape", "mase", "parameters")] == expected
        rivers = read(results / "tables" / f"rivers.{kind}").to_dicts()
        for row, basin in zip(rivers, told["hydrology"]["basins"].values(), strict=True):
            assert row["name"] == basin["name"]
            assert [row[key] for key in ("nse", "kge", "rmse", "bias", "days")] == [
                basin[key] for key in ("nse", "kge", "rmse", "bias", "days")
            ]


def test_predictions_are_csv_of_the_same_numbers(results):
    found = pl.read_csv(results / "tables" / "forecasting-predictions.csv")
    for (name,), rows in found.group_by("model", maintain_order=True):
        own = pl.read_ipc(results / "forecasting" / "predictions" / f"{name}.arrow")
        for column in ("step", "y", "yhat", "q0.1"):
            assert rows[column].cast(own[column].dtype).to_list() == own[column].to_list()
        assert rows["ds"].str.to_datetime(time_unit="us").to_list() == own["ds"].cast(pl.Datetime("us")).to_list()
    assert found["model"].n_unique() == 11
    own = pl.read_ipc(results / "hydrology" / "predictions.arrow")
    rivers = pl.read_csv(results / "tables" / "hydrology-predictions.csv")
    assert rivers["sim"].to_list() == own["sim"].to_list() and rivers["obs"].to_list() == own["obs"].to_list()


def test_what_is_too_long_is_left_out_by_name_and_nothing_of_before_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MOST", 2)
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "old.csv").touch()
    frames = {"a": pl.DataFrame({"x": [1, 2]}), "b": pl.DataFrame({"x": [1, 2, 3]})}
    assert tables.write("<footer></footer>", frames, folder) == ["b"]
    assert [path.name for path in folder.iterdir()] == ["a.csv"]


TABLE = (
    '<table><thead><tr><th data-key="a"><button>A</button></th><th>B</th><th>B</th></tr></thead><tbody>'
    '<tr><th>{}</th><td data-value="0.1">0.1</td><td data-value="">–</td></tr>'
    '<tr><th><b aria-hidden="true">✓</b> x,y</th><td data-value="7">7</td><td>–</td></tr></tbody></table>'
)


def test_names_are_those_of_the_cells_and_a_dash_is_nothing():
    found = tables.frame(TABLE.format(HOSTILE.replace("&", "&amp;").replace("<", "&lt;")))
    assert found.to_dict(as_series=False) == {"a": [HOSTILE, "x,y"], "B": [0.1, 7.0], "B (2)": [None, None]}
    assert pl.read_csv(io.StringIO(found.write_csv()))["a"].to_list() == [HOSTILE, "x,y"]


def test_links_follow_what_the_page_says():
    scroll = '<div class="scroll" role="region" aria-label="Table of the a" tabindex="0">\n{}\n</div><p><a href="{}">'
    before, after = TABLE.format("/home/ada"), TABLE.format("~")
    page = scroll.format(before, tables.link(before)) + scroll.format(before, tables.link(before)) + "<footer></footer>"
    altered = tables.relinked(page.replace("/home/ada", "~"))
    assert altered.count(tables.link(after)) == 2 and tables.link(before) not in altered
    assert [name for name, _ in tables.shown(page)] == ["a", "a-2"]
