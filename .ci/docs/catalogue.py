"""The benchmarks with a stored log: what each is, how it is measured anew, and how long that takes."""

from __future__ import annotations

import of_data
import of_pilots
from benchmark import Benchmark, Log
from catalogue_of_trainings import TRAININGS


def _frames() -> list[str]:
    """The runs of frames.json, in its order."""
    pairs = [(op, "polars") for op in ("sort", "join", "groupby", "pipeline")]
    found = [(op, 5, "arrow:2", against, 5) for op, _ in pairs for against in ("polars:2", "arrow:1")]
    found += [("sort", 5, "arrow:2:text", "arrow:2", 5), ("join", 5, "arrow:2:text", "arrow:2", 3)]
    found += [(op, 5, "arrow:1", "polars:1", 5) for op, _ in pairs]
    found += [(op, 20, "arrow:2", "polars:2", 3) for op, _ in pairs]
    found += [(op, 20, "arrow:2", "arrow:1", 3) for op in ("sort", "join")]
    return [
        f"deeprc bench frames --op {op} --rows {millions}000000 --engine {engine} --against {against}"
        f" --repeats {repeats}"
        for op, millions, engine, against, repeats in found
    ]


def _simulated(nodes: int, jobs: str, seconds: float, launches: int = 0) -> Log:
    count = jobs.replace("k", "000").replace("m", "000000")
    name = f"scale-{nodes}-{jobs}{'-launches' if launches else ''}.json"
    command = f"deeprc simulate --site frontier --nodes {nodes} --jobs {count} --launches {launches}"
    return Log(name, [command], seconds, quick=jobs == "10k")


def _pdsh(name: str, options: str, seconds: float) -> Log:
    return Log(f"pdsh-{name}.json", [f"deeprc bench pdsh {options}"], seconds)


def _pipeline(name: str, seconds: float, pipelines: str, *ways: str) -> Log:
    words = "".join(f" --way {way}" for way in ways)
    words += f" --option=--config --option='pipelines=[{pipelines}]'" if pipelines else ""
    return Log(f"pipeline{name}.json", [f"deeprc bench pipeline{words}"], seconds)


BENCHMARKS = [
    Benchmark(
        "pipeline", "Whole pipelines",
        "A workflow by Snakemake and its pilot, start and end included, beside the same commands in fresh processes:"
        " one after another (`one`), and as many at once as there are cores (`many`), in turns, from the same prepared"
        " data. All have the commands that Snakemake tells, with the same seeds and as many threads. The bound is what"
        " the pilot's jobs took themselves, on all cores without a gap. `--way localhost-apptainer` has every stage in"
        " its image; `--option` chooses the workflow, such as `--option=--config --option='pipelines=[hydrology]'`."
        " There is no way `warm`: a pilot ends with its run, and within each run workers are warm from their first job"
        " of a kind on, so that a second run is not another way than the first.",
        "[executor.md](executor.md#warm-jobs)", of_pilots.pipeline,
        [_pipeline("", 1500, "forecasting"),
         _pipeline("-images", 600, "forecasting", "localhost", "localhost-apptainer"),
         _pipeline("-hydrology", 600, "hydrology", "one", "many", "localhost", "localhost-apptainer"),
         _pipeline("-both", 1900, "")],
    ),
    Benchmark(
        "batch", "One pilot beside batch jobs",
        "The comparison of Radical-Cylon: joins and sorts of several sizes, by several numbers of ranks, as jobs of one"
        " pilot (`pilot`) and as a batch job each (`batch`), on the same cores of a Slurm on this machine that looks"
        " for jobs every second, in turns. A pilot's time has its start and its end in it, that of batch jobs ends with"
        " the last result. The overhead is what a turn takes beyond the least that its jobs' own seconds allow on these"
        " cores: own are those from all ranks being there to all of them having their rows. They are a small part: what"
        " is compared here is mostly how jobs get started: more ranks cost more to start, more rows do not; and on a"
        " busy machine a pilot's own start outweighs what few jobs spare. Of the run at the higher load only what the"
        " command said is left.",
        "[cluster.md](cluster.md)", of_pilots.batch,
        [Log("batch.json", ["deeprc bench batch"], 600), Log("batch-busy.json")],
    ),
    Benchmark(
        "pilot", "A pilot beside the local executor",
        "Independent jobs that do nothing, by a pilot, by Snakemake's local executor, and by a Snakemake for each job.",
        "[executor.md](executor.md#speed)", of_pilots.pilot,
        [Log("pilot.json", ["deeprc bench pilot --tasks 1000"], 60, quick=True), Log("pilot-before.json")],
    ),
    Benchmark(
        "gangs", "Jobs of several ranks",
        "Short jobs of two ranks, by warm gangs and each started by the launcher, on one pilot.",
        "[executor.md](executor.md#speed)", of_pilots.gangs,
        [Log("gangs.json", ["deeprc bench gangs --jobs 300 --cold 15"], 30, quick=True)],
    ),
    Benchmark(
        "many", "Many short jobs", "Workflows of independent jobs that do nothing, by a pilot.",
        "[scale.md](scale.md#many-jobs)", of_pilots.many,
        [
            Log("scale-many.json", ["deeprc bench many --jobs 1000 --jobs 4000 --jobs 16000"], 150),
            Log("scale-many-16000.json"), Log("scale-many-busy.json"),
        ],
    ),
    Benchmark(
        "functions", "Calls of functions",
        "Calls of a Python function by a pilot's workers, undisturbed and while workers are killed.",
        "[scale.md](scale.md#functions)", of_pilots.functions,
        [Log("scale-functions.json", ["deeprc bench functions --calls 10000 --kills 5"], 30, quick=True)],
    ),
    Benchmark(
        "simulate", "A simulated machine",
        "**Simulated, not measured**: the pilot's own schedule on nodes that are not here.",
        "[scale.md](scale.md#a-machine-that-is-not-here)", of_pilots.simulated,
        [
            _simulated(1024, "10k", 5), _simulated(1024, "10k", 5, launches=20), _simulated(1024, "100k", 20),
            _simulated(9408, "10k", 5), _simulated(9408, "100k", 30), _simulated(1024, "1m", 180),
            _simulated(9408, "1m", 180),
        ],
    ),
    Benchmark(
        "frames", "Dataframes",
        "Operations on random rows, each in turns with another engine; below 1 the first needs less.",
        "[frames-speed.md](frames-speed.md#how-fast)", of_data.frames,
        [Log("frames.json", _frames(), 400, several=True), Log("dask.json")],
    ),
    Benchmark(
        "pdsh", "The 22 queries of PDS-H", "From Parquet, in turns with another engine; below 1 the first needs less.",
        "[frames-speed.md](frames-speed.md#pds-h)", of_data.pdsh,
        [
            _pdsh("sf1", "--sf 1 --against polars --repeats 5", 150),
            _pdsh("sf1-duckdb", "--sf 1 --against duckdb", 120),
            _pdsh("sf1-one", "--sf 1 --ranks 1 --against polars:1", 120),
            _pdsh("sf1-pruned", "--sf 1 --against arrow:2:pruned", 120),
            _pdsh("sf10", "--sf 10 --against polars --repeats 2", 900),
        ],
    ),
    *TRAININGS,
]  # fmt: skip
