"""A run before the one of the made-up results, what jobs read, and where the rivers lie."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa

from deeprc.core.fingerprint import KEY, to_arrow
from deeprc.reporting.crate.kept import keep
from samples.rendered import render
from samples.results import START, job, write_events

MADE = {"data": {"data.csv": "ab" * 32}, "prepare": {}}
PLACES = {"fulda": (50.76, 9.71), "leaf-river": (31.71, -89.41)}
BEFORE = {"predict": "train", "train": "prepare", "evaluate": "predict", "prepare": "check"}


def write_earlier(root: Path) -> None:
    """Keep the report of a run on the results of `root`, in which some figures are then altered; another run, the last,
    has all stages, and its report's own job has not ended.
    """
    results = root / "results"
    for pipeline in ("forecasting", "hydrology"):
        for name in ("metrics.json", "check.json"):
            _change(results / pipeline / name, {KEY: MADE})
    path = results / "hydrology" / "predictions.arrow"
    table = pa.ipc.open_file(pa.BufferReader(path.read_bytes())).read_all().replace_schema_metadata(to_arrow(MADE))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    places = {key: dict(zip(("latitude", "longitude"), place, strict=True)) for key, place in PLACES.items()}
    check = json.loads((results / "hydrology" / "check.json").read_text())["basins"]
    basins = {key: check.get(key, {}) | {"place": place} for key, place in places.items()}
    _change(results / "hydrology" / "check.json", {"basins": basins})
    runs = write_events(root, run="20260920T100000-1", begin=START - 86400)
    report = job(99, "report", {}, "write the report", 1, [0], START - 80000, START - 79999, START - 79990)
    with (runs / "20260920T100000-1" / "events.jsonl").open("a") as file:
        file.write(json.dumps(report | {"output": ["results/report.html", "results/metrics.json"]}) + "\n")
    render(root)
    keep(results, runs)
    models = json.loads((results / "forecasting" / "metrics.json").read_text())["models"]
    for name, factor in (("NBEATS", 0.9), ("GRU", 1.2)):
        models[name] |= {key: models[name][key] * factor for key in ("mae", "rmse", "mase")}
    _change(results / "forecasting" / "metrics.json", {"models": models})
    write_events(root)
    _with_inputs(runs / "20260921T140640-7" / "events.jsonl")


def _with_inputs(file: Path) -> None:
    """What each job reads, told when it is handed over."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    jobs = [row for row in rows if row["event"] == "job"]
    made = {(row["rule"], *row["wildcards"].values()): row["output"] for row in jobs}
    first = next(number for number, row in enumerate(rows) if row["event"] == "job")
    for row in [*jobs, job(99, "report", {}, "write the report", 1, [], START + 150, None, None)]:
        pipeline, _, stage = row["rule"].partition("_")
        wanted = f"{pipeline}_{BEFORE.get(stage)}" if stage else "evaluate"
        reads = [name for (rule, *of), names in made.items() if rule.endswith(wanted) for name in names
                 if not of or not row["wildcards"] or of == [*row["wildcards"].values()]]  # fmt: skip
        row = row | {"state": "submitted", "input": reads, "start": None, "stop": None, "exit": None}
        rows.insert(first, row | {"time": row["submit"]})
        first += 1
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _change(path: Path, values: dict) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
