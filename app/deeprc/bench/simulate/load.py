"""What is run on a simulated machine: stages of jobs that ask for the same and take times of one distribution."""

from __future__ import annotations

import difflib
import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import yaml

from deeprc.bench import scaling
from deeprc.core.errors import ConfigError, unknown
from deeprc.core.events import JobEvent, read
from deeprc.sites import Partition

MIXED = "mixed"


@dataclass(frozen=True)
class SimulatedStage:
    """Jobs that are alike.

    Attributes
    ----------
    jobs
        How many; of a workflow's file any number, scaled where `--jobs` says how many there are in all.
    cores, gpus, memory_mb
        Of each rank.
    median, sigma
        Of how long a job takes, seconds: log-normal; a sigma of 0 is always the median.
    rows
        Of a stage of frames: a sort of so many rows, whose time is that of `deeprc.bench.scaling`'s model.
    after
        Stages all of whose jobs must have ended before.
    times
        Measured seconds that are drawn from instead, in turn.
    nodes
        On how many its ranks are to lie; 0: on as few as possible.
    needs
        Of each job, the jobs that must have ended before, each by its stage's name and its number there (`train.3`).
    note
        Where its times are from.
    """

    name: str
    jobs: int
    ranks: int = 1
    cores: int = 1
    gpus: int = 0
    memory_mb: int = 0
    median: float = 60.0
    sigma: float = 0.0
    rows: int = 0
    after: tuple[str, ...] = ()
    times: tuple[float, ...] = ()
    nodes: int = 0
    needs: tuple[tuple[str, ...], ...] = ()
    note: str = ""

    def seconds(self, seed: int, ranks_per_node: int) -> Iterator[float]:
        """How long each job takes; the same for one seed."""
        chosen = random.Random(f"{seed} {self.name}")
        message = scaling.fitted(scaling.PUBLISHED)[1]
        for number in range(self.jobs):
            if self.rows:
                yield sum(scaling.modelled(self.ranks, message, self.rows, ranks_per_node).values())
            elif self.times:
                yield self.times[number % len(self.times)]
            else:
                yield self.median * math.exp(chosen.gauss(0.0, self.sigma)) if self.sigma else self.median


def load(workflow: str, jobs: int | None, partition: Partition) -> list[SimulatedStage]:
    """The stages of `mixed`, of a YAML file, or of a run's `events.jsonl`; `jobs`: so many in all, in proportion."""
    path = Path(workflow)
    if workflow == MIXED:
        stages = mixed(partition, 10_000)
    elif path.suffix == ".jsonl":
        stages = _recorded(path)
    elif path.suffix in (".yaml", ".yml"):
        stages = _written(path)
    else:
        raise ConfigError(
            "a workflow that cannot be simulated", found=workflow,
            expected=f"{MIXED}, a Snakefile (or a .smk), a YAML file of stages, or the events.jsonl of a run"
            " (.deeprc/runs/<run>/events.jsonl)",
        )  # fmt: skip
    whole = sum(stage.jobs for stage in stages)
    if jobs is None or jobs == whole:
        return stages
    ends = [round(jobs * sum(each.jobs for each in stages[:upto]) / whole) for upto in range(len(stages) + 1)]
    return [replace(each, jobs=max(1, b - a)) for each, a, b in zip(stages, ends, ends[1:], strict=False)]


def mixed(partition: Partition, jobs: int) -> list[SimulatedStage]:
    """Small jobs, jobs of an accelerator each, of a node, and of several nodes: 70, 20, 8 and 2 in a hundred."""
    gpus = partition.gpus
    each = partition.usable_cores // gpus if gpus else max(1, partition.usable_cores // 8)
    count, gpu = gpus or partition.usable_cores // each, int(gpus > 0)
    return [
        SimulatedStage("small", jobs * 70 // 100, median=600, sigma=0.5),
        SimulatedStage("one", jobs * 20 // 100, cores=each, gpus=gpu, median=900, sigma=0.5),
        SimulatedStage("node", jobs * 8 // 100, ranks=count, cores=each, gpus=gpu, median=900, sigma=0.5),
        SimulatedStage("wide", jobs * 2 // 100, ranks=4 * count, cores=each, gpus=gpu, median=900, sigma=0.5),
    ]


def _written(path: Path) -> list[SimulatedStage]:
    known = [each.name for each in fields(SimulatedStage) if each.name not in ("times", "needs", "note")]
    found = yaml.safe_load(path.read_text())
    if not isinstance(found, dict) or not isinstance(found.get("stages"), list) or not found["stages"]:
        raise ConfigError("no stages", where=str(path), expected="stages: [{name: …, jobs: …, ranks: …}, …]")
    if others := [name for name in found if name != "stages"]:
        raise unknown("key of a file of stages", str(others[0]), ["stages"], where=str(path))
    stages = []
    for given in found["stages"]:
        for key in given if isinstance(given, dict) else ["not a mapping"]:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, 1)
                raise ConfigError(
                    "unknown key of a stage", where=str(path), found=key, expected=f"one of {', '.join(known)}",
                    fix=f"did you mean {near[0]!r}?" if near else None,
                )  # fmt: skip
        if missing := {"name", "jobs"} - given.keys():
            raise ConfigError("a stage lacks a key", where=str(path), found=given, expected=", ".join(sorted(missing)))
        if not isinstance(given.get("after", []), list):
            raise ConfigError("a stage comes after a list of others", where=str(path), found=given["after"])
        stage = SimulatedStage(
            **{**given, "name": str(given["name"]), "after": tuple(map(str, given.get("after", ())))}
        )
        for key in ("jobs", "ranks", "cores", "gpus", "memory_mb", "rows", "nodes"):
            value, least = getattr(stage, key), int(key in ("jobs", "ranks", "cores"))
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ConfigError(
                    f"stage {stage.name}: {key}", where=str(path), found=value, expected=f"a whole number from {least}"
                )
        for key in ("median", "sigma"):
            value = getattr(stage, key)
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
                raise ConfigError(f"stage {stage.name}: {key}", where=str(path), found=value, expected="0 or more")
        if missing := [name for name in stage.after if name not in [each.name for each in stages]]:
            raise ConfigError(
                f"stage {stage.name}: comes after a stage that is not before it", where=str(path), found=missing[0]
            )
        stages.append(stage)
    if len({stage.name for stage in stages}) < len(stages):
        raise ConfigError("two stages have one name", where=str(path))
    return stages


def _recorded(path: Path) -> list[SimulatedStage]:
    """The rules of a run that was, with the times that their jobs took; what came after what is not written there.

    Jobs of a rule that asked for different things are stages of their own.
    """
    times: dict[tuple, list[float]] = {}
    for event in read(path):
        if isinstance(event, JobEvent) and event.state == "finished" and event.start is not None:
            asked = event.ranks, event.cores_per_rank, event.gpus_per_rank, -(-event.memory_mb // event.ranks)
            times.setdefault((event.rule, asked), []).append(event.stop - event.start)
    if not times:
        raise ConfigError("no job has finished in this run", where=str(path))
    seen = Counter()
    stages = []
    for (rule, asked), took in times.items():
        seen[rule] += 1
        name = rule if seen[rule] == 1 else f"{rule} {seen[rule]}"
        stages.append(SimulatedStage(name, len(took), *asked, times=tuple(took)))
    return stages
