"""Whatever is absent, null, empty or zero: the page is made, with sane words, or one error names the file and the key.

Two walks: over every value of what the applications wrote, each left out and set to null, zero and nothing; and over
all combinations of the parts that a run may lack. Templates refuse names that are not there (StrictUndefined).
"""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from deeprc.applications.forecasting import report as of_forecasting
from deeprc.applications.forecasting.report import ForecastingResults
from deeprc.applications.hydrology import report as of_hydrology
from deeprc.applications.hydrology.report import HydrologyResults
from deeprc.core.errors import InputError
from deeprc.core.files import read_json
from deeprc.reporting import page
from deeprc.reporting.events import Execution, Run, latest, read_runs
from deeprc.reporting.provenance import data_files, provenance
from samples.page import Parts
from samples.results import NAIVE, START, write_events, write_results

ODD = re.compile(r"\b(None|nan|NaN|inf|undefined|null|True|False|Undefined)\b|\{\{|\}\}|\( ?\)|  ,|, ,|, \.")
GONE = object()
VALUES = {"metrics": (GONE, None, 0, "", {}, float("nan")), "check": (GONE, None, {})}
REPORTS = {"forecasting": of_forecasting, "hydrology": of_hydrology}
NEIGHBOURS = ((0, 1), (1, 2), (2, 3))  # kinds of parts of which every two values are met together


def sane(html: str) -> Parts:
    """The page's parts (less the scripts at its end), once no word of it, and no value of a chart, looks odd."""
    html = html[: html.index("</footer>")]
    parts = Parts(html)
    spoken = [value for _, each in parts.elements for key, value in each.items() if key in ("aria-label", "data-value")]
    for text in [parts.text, *filter(None, spoken)]:
        found = ODD.search(text)
        assert not found, text[max(0, found.start() - 80) : found.end() + 40]
    for data in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', html, re.DOTALL):
        json.loads(data, parse_constant=pytest.fail)
    return parts


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    """Small results of both applications, and a run; two models, both naive forecasts, two basins.

    Below `several`: the same of two series.
    """
    root = tmp_path_factory.mktemp("sample")
    write_results(root, days=3)
    write_results(root / "several", days=3, several=2)
    for folder in (root, root / "several"):
        path = folder / "results" / "forecasting" / "metrics.json"
        metrics = read_json(path)
        for each in (metrics, *metrics.get("series", {}).values()):
            each["models"] = dict(list(each["models"].items())[-2:])
        path.write_text(json.dumps(metrics))
    stages = [(f"forecasting_{stage}", {}) for stage in ("prepare", "check", "evaluate")]
    write_events(root, rules=(*stages, ("forecasting_train", {"model": "GRU"}), ("report", {})))
    return root


@pytest.fixture(scope="module")
def about(sample) -> dict:
    return provenance([], [], data=[], config={}, site=None)


def paths(value: object, path: tuple = ()) -> Iterator[tuple]:
    """The ways to every value within `value`."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from paths(each, (*path, key))


def changed(value: dict, path: tuple, new: object) -> dict:
    value = copy.deepcopy(value)
    inside = value
    for key in path[:-1]:
        inside = inside[key]
    if new is GONE:
        del inside[path[-1]]
    else:
        inside[path[-1]] = new
    return value


@pytest.mark.parametrize(
    "file", [f"{p}/{name}.json" for p in ("forecasting", "hydrology") for name in ("metrics", "check")]
)
def test_every_value_may_be_absent_null_zero_or_nothing(sample, about, tmp_path, file):
    pipeline, name = file.split("/")
    for each in ("metrics.json", "check.json"):
        (tmp_path / each).write_bytes((sample / "several" / "results" / pipeline / each).read_bytes())
    original, made = read_json(tmp_path / name), 0
    original.get("basins", {}).pop("leaf-river", None)  # the other one is walked
    for each in (original, *original.get("series", {}).values()):
        each.get("models", {}).pop("VanillaTransformer", None)
    original.get("series", {}).pop("s001", None)
    told = REPORTS[pipeline]
    for path, new in itertools.product(paths(original), VALUES[name.removesuffix(".json")]):
        (tmp_path / name).write_text(json.dumps(changed(original, path, new)))
        try:
            found = told.read(tmp_path)
        except InputError as error:
            assert str(error.where).startswith(str(tmp_path / name)), (path, new)
            assert str(path[0]) in error.problem, (path, new)
            continue
        try:
            files = data_files(pipeline, found.check)
            sane(page.render([told.section(found, [])], run=None, tasks=[], provenance=about | {"data": files}))
        except Exception as error:
            raise AssertionError(f"{path} = {new}") from error
        made += 1
    assert made > 30


def forecastings(sample: Path) -> dict[str, ForecastingResults | None]:
    whole = of_forecasting.read(sample / "results" / "forecasting")
    models, metrics = whole.metrics["models"], whole.metrics
    nothing = dict.fromkeys(("mae", "rmse", "smape", "mase"))

    def of(check: dict | None = None, predictions: bool = False, **other) -> ForecastingResults:
        drawn = whole.predictions if predictions else {}
        return ForecastingResults(metrics | other, whole.check if check is None else check, drawn)

    several = of_forecasting.read(sample / "several" / "results" / "forecasting")
    unknown = {**several.metrics, "series": {"s000": {"models": {"GRU": nothing}, "naive": {}}, "s001": {}}}
    bad = {name: row | {"mae": 500.0} for name, row in models.items()}
    return {
        "absent": None,
        "whole": of(predictions=True),
        "several series": several,
        "several series, none of them judged": ForecastingResults(unknown, {}, several.predictions),
        "no model better than naive": of(models=bad),
        "no naive": of(naive={}),
        "one naive": of(naive={"last value": NAIVE["last value"]}),
        "three naive": of(naive={**NAIVE, "mean": NAIVE["last value"]}),
        "one model": of(models=dict([next(iter(models.items()))]), check={}),
        "one model without error": of(models={**models, "GRU": {**nothing, "parameters": None}}),
        "no MASE": of(models={name: row | {"mase": None} for name, row in models.items()}),
        "errors of zero": of(
            models={name: dict.fromkeys(row, 0) for name, row in models.items()},
            naive={name: dict.fromkeys(row, 0) for name, row in NAIVE.items()},
        ),
        "zero windows": of(windows=0, models=dict.fromkeys(models, nothing), naive=dict.fromkeys(NAIVE, nothing)),
        "no models": of(models={}, naive={}),
        "nothing but the rows": ForecastingResults(
            {"models": models, "naive": {}, "horizon": 1}, {}, {}
        ),
        "nothing observed": ForecastingResults(
            metrics, {}, {n: f.with_columns(y=pl.lit(None, pl.Float32)) for n, f in whole.predictions.items()}
        ),
    }  # fmt: skip


def hydrologies(sample: Path) -> dict[str, HydrologyResults | None]:
    whole = of_hydrology.read(sample / "results" / "hydrology")
    basins = whole.metrics["basins"]
    unknown = {**dict.fromkeys(("nse", "kge", "rmse", "bias")), "days": 0}
    empty = {
        key: row | unknown | {"train": unknown, "references": {}, "beats_reference": None}
        for key, row in basins.items()
    }

    def of(rows: dict, predictions: pl.DataFrame | None = None) -> HydrologyResults:
        return HydrologyResults({"basins": rows}, {}, predictions)

    rows = whole.predictions.filter(pl.col("date").dt.day() == 1)
    return {
        "absent": None,
        "whole": HydrologyResults(whole.metrics, whole.check, rows),
        "no test days": of(empty, rows.filter(pl.col("split") != "test")),
        "NSE and KGE null": of({key: row | {"nse": None, "kge": None} for key, row in basins.items()}),
        "one basin": of(dict([next(iter(basins.items()))]), rows.head(0)),
        "many basins, one without test days": of({f"b{i}": basins["fulda"] if i else empty["fulda"] for i in range(5)}),
        "no basins": of({}),
    }


def runs(sample: Path) -> dict[str, tuple[Run | None, list[Execution]]]:
    """The newest run, and the latest execution of each stage."""
    (run,) = read_runs(sample / ".deeprc" / "runs")
    tasks = latest([run], [sample / "results"]) or run.tasks

    def of(**changes) -> tuple[Run, list[Execution]]:
        return replace(run, **changes), tasks

    def at(state: str) -> list[dict]:
        return [dict(list(run.pilots[0].items())[: list(run.pilots[0]).index(state) + 1])]

    first, second, *_ = run.tasks
    failed = [
        replace(task, failed=True, exit=code, log=log) for task, code, log in ((first, 3, "l"), (second, None, None))
    ]
    again = replace(first, attempt=2, start=first.stop + 1, stop=first.stop + 2, noticed=first.stop + 3)
    bare = replace(first, cores=(), nodes=(), argv=[], command="", output=[], wildcards={}, label="x")
    later = [{state: time + 500 for state, time in run.pilots[0].items()}]
    return {
        "no events": (None, []),
        "none of this, stages of earlier runs": (replace(run, pilots=[], tasks=[]), tasks),
        "whole": of(),
        "the pilot was asked for": of(pilots=at("starting"), tasks=[]),
        "the pilot is up": of(pilots=at("active"), tasks=[]),
        "several pilots": of(pilots=run.pilots + later, end=run.end + 600),
        "no pilot told": of(pilots=[]),
        "failed jobs": of(tasks=[*failed, *run.tasks[2:]]),
        "failed before they began": of(unstarted=failed),
        "several attempts": of(tasks=[failed[0], again, *run.tasks[1:]]),
        "nothing known of a job": (replace(run, tasks=[bare]), [bare]),
        "two nodes": of(tasks=[replace(first, nodes=tuple("b" for _ in first.cores)), *run.tasks[1:]]),
        "no time passed": (Run("r", START, START, "s", "h", 2), []),
        "a clock that is behind": of(tasks=[replace(first, submit=first.stop + 5)]),
        "no cores, no host": (Run("", START, START + 1, "", "", 0, pilots=run.pilots, tasks=[first]), []),
    }  # fmt: skip


def abouts(about: dict) -> dict[str, dict]:
    image = {"variant": "cpu", "digest": None, "source": None, "stages": ["a"]}
    return {
        "plain": about,
        "nothing": {**about, "git": None, "versions": {}, "site": None, "host": "", "command": [], "config": {}},
        "no commit": {
            **about,
            "git": {"commit": None, "changed": False},
            "config": {"a": None, "b": {"c": {}, "d": []}},
        },
        "images": {**about, "images": [image, image | {"digest": "sha256:12", "source": "built"}]},
        "a file without a name": {**about, "data": [{"file": None, "pipeline": "forecasting", "sha256": "ab"}]},
    }


def test_whatever_part_is_absent_the_page_says_so(sample, about, monkeypatch):
    monkeypatch.chdir(sample)
    kinds = [forecastings(sample), hydrologies(sample), runs(sample), abouts(about)]
    for names in combinations([list(kind) for kind in kinds]):
        forecasting, hydrology, (run, tasks), told = (kind[name] for kind, name in zip(kinds, names, strict=True))
        left_out = ["events.jsonl:3: an event 'job' without 'argv'"] if run is None else []
        try:
            sections = [
                each.section(found, tasks)
                for each, found in ((of_forecasting, forecasting), (of_hydrology, hydrology))
                if found is not None
            ]
            html = page.render(sections, run=run, tasks=tasks, provenance=told, left_out=left_out)
            assert [tag for tag, _ in sane(html).elements].count("h1") == 1
        except Exception as error:
            raise AssertionError(str(names)) from error


def combinations(kinds: list[list[str]]) -> Iterator[list[str]]:
    """One of each kind, until every two values of two neighbours were together."""
    missing = {(i, a, b) for i, j in NEIGHBOURS for a, b in itertools.product(kinds[i], kinds[j])}
    while missing:
        index, first, second = min(missing)
        row = {index: first, index + 1: second}
        for at in [*range(index + 2, len(kinds)), *range(index - 1, -1, -1)]:  # from the two outwards
            fresh = (
                each
                for each in kinds[at]
                if (at - 1, row.get(at - 1), each) in missing or (at, each, row.get(at + 1)) in missing
            )
            row[at] = next(fresh, kinds[at][0])
        missing -= {(i, row[i], row[j]) for i, j in NEIGHBOURS}
        yield [row[at] for at in range(len(kinds))]
