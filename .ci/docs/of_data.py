"""The sections of docs/benchmarks.md on dataframes: a table, bars, and targets with what was found."""

from __future__ import annotations

from typing import Any

from section import Section, at_least, at_most, seconds, spread

from deeprc.bench.chart import Bar, bars, rounded, written

# Times as fast as Polars with as many threads, as wanted for frames on two ranks.
FASTER = {"join": 1.6, "sort": 2.2, "groupby": 2.0, "pipeline": 1.8}
SECOND_RANK, TEXT, DASK = 1.6, 4.0, 15.0
PDSH = {"pdsh-sf1.json": 1.0, "pdsh-sf10.json": 1.0, "pdsh-sf1-duckdb.json": 0.91, "pdsh-sf1-pruned.json": 1.2}


def _who(told: dict) -> str:
    return f"{told['engine']}, {told['ranks']}" + ("" if told["keys"] == "int" else f", {told['keys']}")


def _most(run: dict) -> float | None:
    """The ratio that was wanted of a run of `bench frames`."""
    them = run["against"]
    if run["keys"] == "text":
        return TEXT
    if them["engine"] == "arrow":
        return 1 / SECOND_RANK
    return 1 / FASTER[run["op"]] if run["ranks"] == 2 else None


def frames(logs: dict[str, Any]) -> Section:
    rows, shown, verdicts = [], [], []
    for run in logs["frames.json"]:
        them, ratio, wanted = run["against"], run["ratio"], _most(run)
        what = f"{run['op']}, {run['rows'] // 1_000_000} M"
        rows.append(
            [
                what, _who(run), _who(them), seconds(run["seconds"], 2), seconds(them["seconds"], 2), spread(ratio),
                spread(run["cpu_ratio"]), f"{run['peak_mb']}, theirs {them['peak_mb']} MiB", rounded(run["load"], 1),
            ]
        )  # fmt: skip
        name = f"{what}: {_who(run)} beside {_who(them)}"
        shown.append(Bar(name, ratio["median"], ratio["low"], ratio["high"], wanted=wanted))
        verdicts += [at_most(name, wanted, ratio["median"])] if wanted else []
    for run in logs.get("dask.json", []):
        verdicts.append(at_least(f"{run['op']}, times as fast as Dask", DASK, run["times_as_fast"]))
    head = ["operation, rows", "of", "beside", "takes", "that takes", "time", "CPU", "most memory", "load"]
    return Section(head, rows, verdicts, bars("Time of the first over that of the second (median, quartiles)", shown))


def pdsh(logs: dict[str, Any]) -> Section:
    rows, shown, verdicts = [], [], []
    for file, told in logs.items():
        ratio, right = told["geometric_mean_ratio"], [each["right"] for each in told["queries"]]
        name = f"SF {told['scale']:g}, {told['engine']}:{told['ranks']} beside {told['against']}"
        each = sorted(one["ratio"]["median"] for one in told["queries"])
        answers = "not compared" if None in right else f"{sum(right)} of {len(right)}"
        rows.append(
            [name, written(ratio), f"{written(each[0])}-{written(each[-1])}", answers, rounded(told["load"], 1)]
        )
        wanted = PDSH.get(file)
        shown.append(Bar(name, ratio, each[0], each[-1], wanted=wanted))
        verdicts += [at_most(name, wanted, ratio)] if wanted else []
    picture = bars("Geometric mean of the queries' ratios of time (line: the best and the worst query)", shown)
    return Section(["", "geometric mean of ratios", "queries", "answers right", "load"], rows, verdicts, picture)
