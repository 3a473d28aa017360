"""The jobs of a Snakefile as a load: Snakemake says which there are (`-n`), the executor what each asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deeprc.bench.simulate.load import SimulatedStage
from deeprc.bench.told import told

UNTOLD = 60.0  # seconds of a job whose rule names no `runtime`


def is_one(path: Path) -> bool:
    """Whether a file is a Snakefile, by its name."""
    return path.name == "Snakefile" or path.suffix == ".smk"


def stages_of(path: Path, site: str) -> list[SimulatedStage]:
    """The jobs that it takes to make all of a Snakefile's first target, from the folder that this process stands in.

    Jobs of one rule that ask for the same are a stage. A job takes its `runtime`, which is the most that it may take.

    Raises
    ------
    DeepRCError
        Where Snakemake cannot tell the jobs: with its own words.
    """
    arguments = [
        "--snakefile",
        str(path),
        "--executor",
        "radical-pilot",
        "--radical-pilot-site",
        site,
        "--jobs",
        "1000",
    ]
    found = told(arguments, where=path)
    return _stages(found["jobs"], more=found["more"])


def _stages(jobs: Sequence[dict], *, more: bool) -> list[SimulatedStage]:
    kinds: dict[tuple, list[int]] = {}
    for number, job in enumerate(jobs):
        asked = tuple(job[name] for name in ("rule", "ranks", "cores", "gpus", "memory_mb", "nodes"))
        kinds.setdefault(asked, []).append(number)
    names: dict[tuple, str] = {}
    for kind in kinds:
        alike = sum(other[0] == kind[0] for other in names)
        names[kind] = f"{kind[0]} {alike + 1}" if alike else kind[0]
    uids = {number: f"{names[kind]}.{at}" for kind, numbers in kinds.items() for at, number in enumerate(numbers)}
    stages = []
    for kind, numbers in kinds.items():
        own = [jobs[number] for number in numbers]
        notes = [] if all(job["seconds"] for job in own) else [f"{UNTOLD:.0f} s, where its rule names no runtime"]
        notes += ["its runtime, the most that it may take"] if any(job["seconds"] for job in own) else []
        notes += ["what it asks for is known once others have run: the least"] if any(j["unknown"] for j in own) else []
        notes += ["without the jobs that a checkpoint brings"] if more else []
        _, ranks, cores, gpus, memory, nodes = kind
        stages.append(
            SimulatedStage(
                names[kind], len(own), ranks, cores, gpus, memory, nodes=nodes, note="; ".join(notes),
                times=tuple(job["seconds"] or UNTOLD for job in own),
                needs=tuple(tuple(uids[other] for other in job["after"]) for job in own),
            )
        )  # fmt: skip
    return stages
