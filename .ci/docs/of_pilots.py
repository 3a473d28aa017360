"""The sections of docs/benchmarks.md on jobs by a pilot: a table, bars, and each target with what was measured."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from section import Section, Verdict, at_least, at_most, seconds, spread

from deeprc.bench.chart import Bar, bars, rounded, written

JOBS, BUSY = 150.0, 0.99  # wanted: jobs a second, and the part of the cores that run jobs while others wait
READY, GANG = 4.0, 100.0  # wanted: seconds until a pilot is ready, and jobs of two ranks a second


def percent(part: float, places: int) -> str:
    return rounded(float(Decimal(str(part)) * 100), places)


def many(logs: dict[str, Any]) -> Section:
    runs = [(told["load"], run) for told in logs.values() for run in told["runs"]]
    rows = [
        [
            f"{run['jobs']:,}", rounded(load, 1), written(run["jobs_per_s"]), written(run["busy_jobs_per_s"]),
            seconds(run["total_s"]), f"{rounded(run['snakemake_cpu_ms'], 2)} ms", f"{run['snakemake_peak_mb']} MB",
        ]
        for load, run in runs
    ]  # fmt: skip
    (main,) = (run for run in logs["scale-many.json"]["runs"] if run["jobs"] == 16000)
    picture = bars(
        "Jobs a second, over the whole run",
        [
            Bar(
                f"{run['jobs']:,} jobs, load {rounded(load, 1)}",
                run["jobs_per_s"],
                wanted=JOBS if run["jobs"] == 16000 else None,
            )
            for load, run in runs
        ],
    )
    verdicts = [at_least("jobs a second over the whole run of 16,000", JOBS, main["jobs_per_s"])]
    head = ["jobs", "load", "jobs/s, whole run", "while busy", "whole run", "CPU of Snakemake a job", "its memory"]
    return Section(head, rows, verdicts, picture)


def functions(logs: dict[str, Any]) -> Section:
    (told,) = logs.values()
    killed = told["killed"]
    rows = [
        ["undisturbed", f"{told['calls']:,}", written(told["calls_per_s"]), "", "", ""],
        [
            f"{killed['kills']} workers killed", f"{killed['done']:,}", written(killed["calls_per_s"]),
            str(killed["lost"]), str(killed["twice"]), str(killed["missing"]),
        ],
    ]  # fmt: skip
    both = f"{killed['twice']} and {killed['missing']}"
    verdict = Verdict("effects that are there twice, and that are missing: none", both, both == "0 and 0")
    picture = bars(
        "Calls of a function a second",
        [Bar("undisturbed", told["calls_per_s"]), Bar(rows[1][0], killed["calls_per_s"])],
    )
    return Section(["", "calls done", "a second", "told as lost", "twice", "missing"], rows, [verdict], picture)


def simulated(logs: dict[str, Any]) -> Section:
    rows, shown, verdicts = [], [], []
    for told in logs.values():
        used, launches = told["utilisation_while_waiting"], told["assumed"]["launches"]
        waited = told["longest_as_oldest_s"] > 0  # else all began at once, and nothing was chosen
        name = f"{told['nodes']:,} nodes, {told['jobs']:,} jobs" + (
            f", {rounded(launches, 0)} launches a second" if launches else ""
        )
        rows.append(
            [
                name, f"{percent(used, 2)} %" if waited else "all begin at once",
                f"{percent(told['utilisation'], 1)} %",
                seconds(told["makespan_s"], 0), seconds(told["bound_s"], 0),
                f"{rounded(told['schedule']['cpu_us_per_job'], 0)} µs", seconds(told["longest_as_oldest_s"], 0),
            ]
        )  # fmt: skip
        if waited:
            shown.append(Bar(name, 100 - used * 100, wanted=100 - BUSY * 100))
            verdicts.append(
                Verdict(
                    f"{name}: {percent(BUSY, 1)} % of the cores or more, until the last job began",
                    f"{percent(used, 2)} %",
                    used >= BUSY,
                )
            )
    head = ["simulated", "cores used until the last job began", "over the makespan", "makespan", "its bound"]
    head += ["schedule's CPU a job", "longest wait as the oldest"]
    return Section(head, rows, verdicts, bars("Simulated: cores that run no job while jobs wait", shown, " %"))


def milli(value: float) -> str:
    return f"{rounded(value * 1000, 0)} ms"


def pilot(logs: dict[str, Any]) -> Section:
    told = logs["pilot.json"]
    ours, nested = told["pilot"], told["nested"]
    ways = [("pilot", told["tasks"], ours), ("local", told["tasks"], told["local"])]
    ways += [("a Snakemake for each", nested["tasks"], nested)] if nested else []
    ways += [("pilot, before its start was shortened", each["tasks"], each["pilot"]) for each in [*logs.values()][1:]]
    rows = [
        [
            name, f"{jobs:,}", written(found["tasks_per_s"]), seconds(found["total_s"]),
            f"ready after {seconds(found['startup_s'])}, ends in {seconds(found['close_s'])}; from a job's end to the"
            f" next start on its core {milli(found['latency_median_s'])} (95 %: {milli(found['latency_p95_s'])})"
            if "startup_s" in found else "",
        ]
        for name, jobs, found in ways
    ]  # fmt: skip
    shown = [Bar(name, found["tasks_per_s"], ours=name == "pilot") for name, _, found in ways]
    verdicts = [at_most("a pilot is ready after (s)", READY, ours["startup_s"])]
    head = ["by", "jobs", "jobs/s while busy", "in all", ""]
    return Section(head, rows, verdicts, bars("Jobs a second, while busy", shown))


def gangs(logs: dict[str, Any]) -> Section:
    (told,) = logs.values()
    ways = (("gang", "warm gang"), ("launcher", "the launcher"))
    rows = [[name, str(told[way]["jobs"]), written(told[way]["jobs_per_s"])] for way, name in ways]
    rows[0].append(
        f"the first after {seconds(told['gang']['first_s'])}, {told['gang']['gangs']} gangs;"
        f" {told['ratio']} times as many"
    )
    shown = [Bar(name, told[way]["jobs_per_s"], ours=way == "gang") for way, name in ways]
    head = [f"jobs of {told['ranks']} ranks by", "jobs", "jobs/s", ""]
    verdicts = [at_least("jobs of two ranks a second, by a warm gang", GANG, told["gang"]["jobs_per_s"])]
    return Section(head, [[*row, ""][:4] for row in rows], verdicts, bars("Jobs of several ranks a second", shown))


FASTER = {"one": 3.0, "many": 1.6}  # wanted: so many times as fast as the commands without a pilot
OVER = 1.4  # and at most so many times what the jobs' own seconds take on all cores
IMAGED = 1.1  # and in images at most so many times as long as without
PIPELINES = {"": "forecasting", "-images": "forecasting, again", "-hydrology": "hydrology", "-both": "both"}


def pipeline(logs: dict[str, Any]) -> Section:
    rows, shown, verdicts = [], [], []
    for file, told in logs.items():
        what = PIPELINES[file.removesuffix(".json").removeprefix("pipeline")]
        for way, each in told["ways"].items():
            took = each.get("seconds", {"median": 0.0, "turns": []})
            low, high = min(took["turns"], default=0.0), max(took["turns"], default=0.0)
            rows.append(
                [
                    what, f"`{way}`", str(told["jobs"]), seconds(took["median"]),
                    f"{rounded(low, 1)}-{rounded(high, 1)} s",
                    seconds(each["bound_s"]) if "bound_s" in each else "",
                    written(each["over_bound"]) if "over_bound" in each else "",
                    str(len(each["failures"])), rounded(told["load"], 1),
                ]
            )  # fmt: skip
            shown.append(Bar(f"{what}, {way}", took["median"], low, high, ours="bound_s" in each))
        for way, wanted in FASTER.items():
            if ratio := told["ratios"].get(f"localhost / {way}"):
                verdicts.append(at_least(f"{what}: times as fast as `{way}`", wanted, 1 / ratio["median"]))
        if over := told["ways"].get("localhost", {}).get("over_bound"):
            verdicts.append(at_most(f"{what}: times the bound", OVER, over))
        if ratio := told["ratios"].get("localhost-apptainer / localhost"):
            verdicts.append(at_most(f"{what}: times as long with every stage in its image", IMAGED, ratio["median"]))
        verdicts.append(
            Verdict(f"{what}: the same metrics by all ways", "the same" if told["same"] else "others", told["same"])
        )
    head = ["", "way", "jobs", "median", "turns", "bound", "times the bound", "failures", "load"]
    return Section(head, rows, verdicts, bars("Seconds from start to end (median; line: all turns)", shown, " s"))


def _ends(figures: dict) -> tuple[float, float]:
    turns = figures.get("seconds", {}).get("turns") or [0.0]
    return min(turns), max(turns)


def batch(logs: dict[str, Any]) -> Section:
    rows, shown, verdicts = [], [], []
    for told in logs.values():
        for name, case in told["cases"].items():
            ratio = case["ratio"]
            for way, each in case["ways"].items():
                took = each.get("seconds", {"median": 0.0})["median"]
                rows.append(
                    [
                        name, rounded(told["load"], 1), way, str(case["jobs"]), seconds(took),
                        *(seconds(each[key]) if key in each else "" for key in ("bound_s", "overhead_s")),
                        str(each["failed_jobs"]), spread(ratio) if ratio and way == "batch" else "",
                    ]
                )  # fmt: skip
                shown.append(
                    Bar(f"{name}, load {rounded(told['load'], 1)}, {way}", took, *_ends(each), ours=way == "pilot")
                )
        if ratio := told["cases"]["all"]["ratio"]:
            verdicts.append(
                at_least(
                    f"batch jobs' time over the pilot's, load {rounded(told['load'], 1)}",
                    told["target"],
                    ratio["median"],
                )
            )
    head = [
        "jobs",
        "load",
        "way",
        "how many",
        "takes",
        "bound by their own seconds",
        "overhead",
        "failed",
        "batch over pilot",
    ]
    return Section(head, rows, verdicts, bars("Seconds from start to end (median; line: all turns)", shown, " s"))
