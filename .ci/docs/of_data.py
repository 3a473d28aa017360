"""The sections of docs/benchmarks.md on dataframes and trainings: a table, bars, and targets with what was found."""

from __future__ import annotations

from typing import Any

from section import Section, Verdict, at_least, at_most, seconds, spread

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


def resume(logs: dict[str, Any]) -> Section:
    (told,) = logs.values()
    engines = {name: each for name, each in told.items() if isinstance(each, dict) and "lost" in each}
    rows = [
        [
            f"`{name}`", str(each["kills"]), str(each["lost"]), str(each["replayed"]),
            "yes" if each["weights_equal"] else "no", str(each["steps_undone"]),
            seconds(each["seconds_lost"], 0), seconds(each["seconds_to_start"]),
        ]
        for name, each in engines.items()
    ]  # fmt: skip
    shown = [Bar(name, each["seconds_lost"], ours=name.startswith("deeprc")) for name, each in engines.items()]
    verdicts = [
        Verdict(
            f"`{name}`: samples lost, replayed: none; weights equal",
            f"{each['lost']}, {each['replayed']}; {'equal' if each['weights_equal'] else 'not equal'}",
            (each["lost"], each["replayed"], each["weights_equal"]) == (0, 0, True),
        )
        for name, each in engines.items()
        if name.startswith("deeprc")
    ]
    head = ["", "kills", "samples lost", "replayed", "weights equal", "steps done again", "lost", "of which a start"]
    return Section(head, rows, verdicts, bars(f"Seconds that {told['kills']} kills cost", shown, " s"))


def accuracy(logs: dict[str, Any]) -> Section:
    (told,) = logs.values()
    run = [cell for cell in told["cells"] if cell.get("mse") is not None]
    rows = [
        [
            cell["model"], str(cell["horizon"]), rounded(cell["mse"], 3), rounded(cell["published"]["mse"], 3),
            f"{cell['difference']:+.3f}", cell["verdict"],
        ]
        for cell in run
    ]  # fmt: skip
    within = sum(cell["difference"] <= told["tolerance"] for cell in run)
    wanted = f"every cell of the published table at most {told['tolerance']} of MSE above it"
    found = f"{within} of {len(told['cells'])} ({len(told['cells']) - len(run)} not run)"
    shown = [Bar(f"{cell['model']}, {cell['horizon']}", cell["mse"], wanted=cell["published"]["mse"]) for cell in run]
    picture = bars("MSE by model and horizon (red: published)", shown)
    head = ["model", "horizon", "MSE", "published", "difference", ""]
    return Section(head, rows, [Verdict(wanted, found, within == len(told["cells"]))], picture)


def basins(logs: dict[str, Any]) -> Section:
    (told,) = logs.values()
    ways = ("regional", "own", "climatology", "persistence")
    rows = [
        [f"`{name}`", *(rounded(each[way]["nse"], 2) for way in ways)] for name, each in sorted(told["basins"].items())
    ]
    shown = [
        Bar(f"{name}, {way}", max(each[way]["nse"], 0.0), ours=way in ways[:2])
        for name, each in sorted(told["basins"].items())
        for way in ways
    ]
    return Section(["basin", *(f"NSE, {way}" for way in ways)], rows, [], bars("NSE on the test part", shown))
