"""`deeprc bench batch`: one pilot, or a batch job for each stage, on the same nodes of the same batch system."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deeprc import cluster
from deeprc.bench import ways
from deeprc.bench.batch import by_pilot, by_sbatch
from deeprc.bench.batch.stages import BatchStage, bound, cases
from deeprc.bench.contest import load
from deeprc.bench.machine import describe
from deeprc.core.ask import ask
from deeprc.core.errors import ConfigError, DeepRCError
from deeprc.pilot import PACKAGES
from deeprc.sites import Partition, Site, load_site

WAYS = ("pilot", "batch")
# Times as long as the pilot, by batch jobs: what Radical-Cylon gained at its best (Sarker et al., JSSPP 2024).
TARGET = 1.15
VERSIONS = ("deeprc", *PACKAGES, "snakemake", "polars", "mpi4py", "mpich")


@dataclass(frozen=True)
class SlurmNodes:
    """Where it is measured: a site (`name`: as Snakemake is told it), nodes of a partition, a folder that they see."""

    name: str
    site: Site
    partition: Partition
    nodes: int
    folder: Path

    @property
    def cores(self) -> int:
        return self.nodes * self.partition.usable_cores


def run(
    site: str | None, partition: str | None, nodes: int | None, rows: Sequence[int], ranks: Sequence[int], copies: int,
    repeats: int, say: Callable[[str], None], apart: bool = True,
) -> dict:  # fmt: skip
    """Measure joins and sorts of each number of rows, by each number of ranks, `copies` of each.

    Parameters
    ----------
    site
        Where it is None, a Slurm of made-up nodes on this machine is started, and ended.
    nodes
        Of the partition; where it is None, as many as have the cores of this machine, at least one.
    apart
        Whether those of each number of rows, and of ranks, are measured by themselves, too.

    Returns
    -------
    dict
        `cases`: all stages, and those of each number of rows and of ranks, each with its `jobs`, `ways` (see
        `ways.figures`; also `bound_s`, the least that their own seconds allow on these cores, `overhead_s`, what a turn
        took beyond it, `failed_jobs`, and of the pilot `start_s`, until it was ready) and `ratio` (of batch jobs to the
        pilot); `target` and whether it is `met`, by the median of all stages; `same`: whether all had the same results;
        `nodes`, `cores`, `load` of the machine as it began, `slurm`, `machine`.

    Raises
    ------
    ConfigError
        Where the site's batch system is not Slurm, or is not up, or a stage has more ranks than there are cores.
    """
    with _slurm(site, say) as name:
        where = load_site(name)
        part = where.partition(partition)
        if where.scheduler.name != "slurm":
            raise ConfigError(
                "batch jobs are compared on Slurm alone", where=f"site {where.name}", found=where.scheduler.name,
                expected="a site with Slurm", fix="leave out --site: a Slurm on this machine is started then",
            )  # fmt: skip
        where.scheduler.system.require_up()
        nodes = nodes or max(1, min(part.nodes, (os.cpu_count() or 1) // part.usable_cores))
        cores, busy, wanted, took = nodes * part.usable_cores, load(), cases(rows, ranks, copies, apart), {}
        if max(ranks) > cores or nodes > part.nodes:
            raise ConfigError(
                f"{max(ranks)} ranks on {nodes} nodes: more than there are", where=f"partition {part.name}",
                found=f"{part.nodes} nodes of {part.usable_cores} cores", fix="other --ranks, or other --nodes",
            )  # fmt: skip
        with tempfile.TemporaryDirectory(prefix="deeprc-bench-", dir=Path.cwd()) as temporary:  # the nodes see it, too
            place = SlurmNodes(name, where, part, nodes, Path(temporary))
            for case, stages in wanted.items():
                say(f"{case}: {len(stages)} jobs on {cores} cores; {' and '.join(WAYS)} in turns, {repeats} of each")
                took[case] = ways.in_turns(WAYS, repeats, partial(_turn, stages, place), say)
        slurm = (ask(["sinfo", "--version"]) or "").strip()
    figures = {case: _case(wanted[case], each) for case, each in took.items()}
    ratio = figures["all"]["ratio"]
    met = bool(ratio and ratio["median"] >= TARGET)
    say(f"batch jobs took {ratio['median']:.2f} times as long as the pilot" if ratio else "no turn was compared")
    say(f"the target of {TARGET} times is {'met' if met else 'missed'}")
    return {
        "site": where.name,
        "nodes": nodes,
        "cores": cores,
        "cases": figures,
        "target": TARGET,
        "met": met,
        "same": all(map(ways.same, took.values())),
        "load": round(busy, 1),
        "slurm": slurm,
        "machine": describe(VERSIONS),
    }


@contextmanager
def _slurm(site: str | None, say: Callable[[str], None]) -> Iterator[str]:
    """The site that is named; else the one of a Slurm that lives as long."""
    if site is not None:
        yield site
        return
    with tempfile.TemporaryDirectory(prefix="deeprc-") as temporary:
        folder = Path(temporary, "cluster")
        there, _ = cluster.up(folder)
        say(f"a Slurm of its own, in {folder}")
        told = {**there.environment, "DEEPRC_ADDRESS": "127.0.0.1"}
        before = {name: os.environ.pop(name, None) for name in told}
        os.environ.update(told)
        try:
            yield "cluster-local"
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                os.environ.update({} if value is None else {name: value})
            cluster.down(folder)


def _case(stages: Sequence[BatchStage], took: dict[str, list[dict]]) -> dict:
    told = {way: ways.figures(turns) for way, turns in took.items()}
    for way, turns in took.items():
        told[way]["failed_jobs"] = sum(turn["failed_jobs"] for turn in turns)
    return {"jobs": len(stages), "ways": told, "ratio": ways.compared(took).get("batch / pilot")}


def _turn(stages: Sequence[BatchStage], place: SlurmNodes, way: str, turn: int) -> dict:
    """A way, once: `seconds` and more, or how it `failed`; what has no result has failed."""
    with tempfile.TemporaryDirectory(dir=place.folder) as temporary:
        own, why, began, clock = Path(temporary), "", time.monotonic(), time.time()
        try:
            if way == "pilot":
                by_pilot.run(stages, own, place.name, place.partition, place.nodes)
                ready = ways.told_by(own)[0]
            else:
                by_sbatch.run(stages, own, place.site, place.partition, place.nodes)
        except DeepRCError as error:
            why = str(error)
        seconds = time.monotonic() - began
        paths = {stage.name: own / f"{stage.name}.json" for stage in stages}
        results = {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}
        failed = len(stages) - len(results)
        if why or failed:
            return {"failed": why or f"{failed} of {len(stages)} jobs: {_said(stages, own)}", "failed_jobs": failed}
        more = {"start_s": ready - clock} if way == "pilot" else {}
    least = bound(stages, {name: found.pop("seconds") for name, found in results.items()}, place.cores)
    return {
        "seconds": seconds, "bound_s": least, "overhead_s": seconds - least, **more, "failed_jobs": 0,
        "result": results,
    }  # fmt: skip


def _said(stages: Sequence[BatchStage], folder: Path) -> str:
    """The last line of a batch job that has no result."""
    logs = (folder / f"{stage.name}.log" for stage in stages if not (folder / f"{stage.name}.json").exists())
    texts = (path.read_text(errors="replace").strip() for path in logs if path.is_file())
    return next((text.splitlines()[-1] for text in texts if text), "they said nothing")
