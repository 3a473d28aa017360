"""The sections of docs/benchmarks.md on what trained networks reach."""

from __future__ import annotations

import statistics
from typing import Any

from section import Section, Verdict

from deeprc.bench.chart import Bar, bars, rounded


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
    left = len(told["cells"]) - len(run)
    found = f"{within} of {len(told['cells'])}" + f" ({left} not run)" * bool(left)
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
        Bar(f"{name}, {way}", each[way]["nse"], ours=way in ways[:2])
        for name, each in sorted(told["basins"].items())
        for way in ways
    ]
    return Section(["basin", *(f"NSE, {way}" for way in ways)], rows, [], bars("NSE on the test part", shown))


def rivers(logs: dict[str, Any]) -> Section:
    (told,) = logs.values()
    rows, shown = [], []
    for variant, basin in dict.fromkeys((run["options"]["variant"], basin) for run in told for basin in run["basins"]):
        runs = [run for run in told if run["options"]["variant"] == variant and basin in run["basins"]]
        found, first = [run["basins"][basin]["own"] for run in runs], runs[0]["basins"][basin]
        known = [rounded(first[name]["nse"], 3) for name in ("climatology", "persistence")]
        nse = [each["nse"] for each in found]
        who = [f"`{basin}`", f"`{variant}`, window {runs[0]['window']}"]
        for run, each in zip(runs, found, strict=True):
            figures = [rounded(each[key], 3) for key in ("nse", "kge")]
            rows.append([*who, f"{run['seed']}", *figures, *known, f"{rounded(run['train_s'], 0)} s"])
        if len(runs) > 1:
            kge = statistics.fmean(each["kge"] for each in found)
            rows.append([*who, "mean", rounded(statistics.fmean(nse), 3), rounded(kge, 3), *known, ""])
        shown.append(Bar(f"{basin}, {variant}", statistics.fmean(nse), min(nse), max(nse)))
    head = ["basin", "network", "seed", "NSE", "KGE", "climatology's NSE", "persistence's NSE", "all trainings"]
    return Section(head, rows, [], bars("NSE on the test part (mean of the seeds; line: least and best)", shown))
