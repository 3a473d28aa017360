"""`deeprc simulate`: the figures of a load on a simulated pilot."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from graphlib import TopologicalSorter
from pathlib import Path

from deeprc.bench.machine import describe, forget_peak, peak_mb
from deeprc.bench.simulate import snakefile
from deeprc.bench.simulate.files import counted
from deeprc.bench.simulate.load import SimulatedStage, load
from deeprc.bench.simulate.machine import Costs, SimulatedPilot
from deeprc.core.errors import ConfigError, DeepRCError
from deeprc.launch.choose import make_plan
from deeprc.pilot import Task
from deeprc.pilot.allocation import Allocation
from deeprc.pilot.planner import Planner
from deeprc.pilot.pulls import Pulls
from deeprc.sites import load_site

CHAIN = "the longest chain of jobs"
BINS = 400  # of the timeline, over the bound of the makespan


def run(
    site: str, partition: str | None, nodes: int, workflow: str, jobs: int | None, seed: int, costs: Costs,
    folder: Path, say: Callable[[str], None] = lambda line: None,
) -> dict:  # fmt: skip
    """Simulate.

    Returns
    -------
    dict
        `simulated`: true; `makespan_s`, `bound_s` (the least that any schedule needs, and of what: `bound_by`),
        `utilisation` (of cores, over the makespan), `utilisation_while_waiting` (until the last waiting job began),
        `gpu_utilisation`; `longest_as_oldest_s` (that a job of several ranks was the oldest of these before it began);
        `schedule`: CPU of the schedule's own code per job, decisions; `simulator`: CPU of all per
        job, peak memory; `stages`: each with its launch line and its load on the file system; `limits`: what keeps it
        from the bound, in words; `timeline`: `[seconds, cores busy, accelerators busy]`; `assumed`; `machine`.
    """
    there = (known := load_site(site)).partition(partition)
    if nodes > there.nodes:
        raise ConfigError(
            f"{nodes} nodes: more than there are", where=f"site {known.name}, partition {there.name}",
            expected=f"at most {there.nodes}", fix="fewer --nodes",
        )  # fmt: skip
    allocation = Allocation(known, partition, nodes=nodes, anew=True)
    planner = Planner(allocation, "none", Pulls(allocation.site, folder))
    part = allocation.partition
    stages = snakefile.stages_of(Path(workflow), site) if snakefile.is_one(Path(workflow)) else None
    if stages and jobs not in (None, whole := sum(stage.jobs for stage in stages)):
        raise ConfigError("a Snakefile has as many jobs as it has", found=f"{jobs} jobs asked for", expected=whole)
    stages = stages or load(workflow, jobs, part)
    began, reset = time.process_time(), forget_peak()
    tasks, seconds, layouts = {}, {}, {}
    for stage in stages:
        like = Task("", [], stage.ranks, stage.cores, stage.gpus, memory_mb=stage.memory_mb, nodes=stage.nodes)
        try:
            layout = planner.layout(like)
        except DeepRCError as error:
            raise ConfigError(
                f"stage {stage.name}: {error.problem}", where=workflow, found=error.found, expected=error.expected,
                fix=error.fix.replace("--radical-pilot-nodes", "--nodes") if error.fix else None,
            ) from None  # fmt: skip
        layouts[stage.name] = layout
        if stage.ranks == 1 and any(
            need > have
            for need, have in zip(like.shape.room, (part.usable_cores, part.gpus, allocation.memory_mb), strict=True)
        ):
            raise ConfigError(
                f"stage {stage.name}: a job of it has no room on a node", where=workflow, found=like.shape.room
            )
        times = stage.seconds(seed, max(1, layout.ranks_per_node))
        count = layout.nodes if stage.ranks > 1 else 0
        made = []
        for number, took in enumerate(times):
            uid = f"{stage.name}.{number}"
            made.append(Task(uid, [], stage.ranks, stage.cores, stage.gpus, memory_mb=stage.memory_mb, nodes=count))
            seconds[uid] = took
        tasks[stage.name] = made
    bound, bound_by, work = _bound(stages, tasks, seconds, allocation)
    left = {stage.name: stage.jobs for stage in stages}
    waits = {stage.name: set(stage.after) for stage in stages if stage.after}

    needs = {f"{stage.name}.{number}": {*each} for stage in stages for number, each in enumerate(stage.needs) if each}
    behind: dict[str, list[Task]] = defaultdict(list)  # of each job, those that need it
    for task in (task for made in tasks.values() for task in made if task.uid in needs):
        for other in needs[task.uid]:
            behind[other].append(task)

    def ended(uid: str) -> list[Task]:
        name = uid.rpartition(".")[0]
        left[name] -= 1
        ready = []
        for task in behind.pop(uid, ()):
            needs[task.uid].discard(uid)
            if not needs[task.uid]:
                ready.append(task)
        if left[name]:
            return ready
        for other, others in [*waits.items()]:
            others.discard(name)
            if not others:
                del waits[other]
                ready += tasks.pop(other)
        return ready

    whole = sum(left.values())
    room = (part.usable_cores, part.gpus, allocation.memory_mb)
    machine = SimulatedPilot(
        [room] * nodes, costs, seconds=seconds.__getitem__, ended=ended, width=max(bound, 1e-6) / BINS
    )
    first = [task for stage in stages if not stage.after for task in tasks.pop(stage.name) if task.uid not in needs]
    first = _mixed_up(first, seed)
    machine.submit(first)
    del first
    machine.run(lambda: say(f"{machine.done:,} of {whole:,} jobs, {machine.now:,.0f} s simulated"))
    if machine.done != whole:
        raise ConfigError("jobs were left that no event can start", found=f"{whole - machine.done} of {whole}")
    makespan = machine.last_end
    cores, gpus = allocation.cores, allocation.gpus
    used = work[0] / (cores * makespan) if makespan else 0.0
    until = machine.waited_until
    return {
        "simulated": True,
        "site": allocation.site.name,
        "partition": part.name,
        "nodes": nodes,
        "cores": cores,
        "gpus": gpus,
        "workflow": workflow,
        "jobs": whole,
        "seed": seed,
        "makespan_s": round(makespan, 1),
        "bound_s": round(bound, 1),
        "bound_by": bound_by,
        "utilisation": round(used, 4),
        "utilisation_while_waiting": round(_until(machine.busy, machine.width, until) / (cores * until), 4)
        if until
        else None,
        "gpu_utilisation": round(work[1] / (gpus * makespan), 4) if gpus and makespan else None,
        "last_job_began_s": round(until, 1),
        "longest_as_oldest_s": round(machine.longest, 1),
        "schedule": {
            "cpu_us_per_job": round(machine.cpu / whole * 1e6, 1),
            "decisions": machine.decisions,
            "cpu_us_per_decision": round(machine.cpu / max(1, machine.decisions) * 1e6, 1),
        },
        "simulator": {
            "cpu_us_per_job": round((time.process_time() - began) / whole * 1e6, 1),
            "peak_mb": round(peak_mb(reset)),
        },
        "workers": {"started": machine.workers, "at_once": machine.most_workers},
        "stages": [_stage(stage, site, allocation, layouts[stage.name], machine, stages) for stage in stages],
        "limits": _limits(machine, costs, makespan, bound, bound_by, until),
        "assumed": asdict(costs),
        "timeline": [
            [round(number * machine.width, 2), round(busy / machine.width, 2), round(gpu / machine.width, 2)]
            for number, (busy, gpu) in enumerate(zip(machine.busy, machine.gpu_busy, strict=True))
        ],
        "machine": describe(["deeprc"]),
    }


def _mixed_up(tasks: list[Task], seed: int) -> list[Task]:
    """As a workflow's jobs come: not one stage after the other."""
    random.Random(seed).shuffle(tasks)
    return tasks


def _bound(
    stages: Sequence[SimulatedStage], tasks: dict[str, list[Task]], seconds: dict[str, float], allocation: Allocation
) -> tuple[float, str, tuple[float, float]]:
    """The least seconds for this work on these nodes, what sets that, and the core- and accelerator-seconds of it."""
    core = sum(seconds[task.uid] * stage.ranks * stage.cores for stage in stages for task in tasks[stage.name])
    gpu = sum(seconds[task.uid] * stage.ranks * stage.gpus for stage in stages for task in tasks[stage.name])
    longest: dict[str, float] = {}
    needs = {f"{stage.name}.{number}": each for stage in stages for number, each in enumerate(stage.needs)}
    for uid in TopologicalSorter(needs).static_order() if needs else ():
        longest[uid] = seconds[uid] + max((longest[other] for other in needs[uid]), default=0.0)
    for stage in stages:  # the longest job of each, after those of the stages before it
        own = max((seconds[task.uid] for task in tasks[stage.name]), default=0.0)
        longest[stage.name] = own + max((longest[name] for name in stage.after), default=0.0)
    bounds = {"cores": core / allocation.cores, CHAIN: max(longest.values())}
    if allocation.gpus:
        bounds["accelerators"] = gpu / allocation.gpus
    name = max(bounds, key=bounds.__getitem__)
    return bounds[name], name, (core, gpu)


def _until(busy: Sequence[float], width: float, until: float) -> float:
    """What of the bins lies before that time; of its own bin, a part."""
    whole = int(until / width)
    rest = (until - whole * width) / width * busy[whole] if whole < len(busy) else 0.0
    return sum(busy[:whole]) + rest


def _limits(
    machine: SimulatedPilot, costs: Costs, makespan: float, bound: float, bound_by: str, until: float
) -> list[str]:
    """What keeps the makespan from the bound."""
    told = []
    if costs.launches:
        ramp = machine.most_workers / costs.launches
        if ramp > 0.01 * makespan:
            told.append(
                f"the pilot's engine starts {costs.launches:g} workers or jobs of several ranks a second: the"
                f" {machine.most_workers:,} workers that are there at once take {ramp:,.0f} s to come"
            )
    if makespan < 1.01 * bound and bound_by == CHAIN:
        told.append("one chain of jobs takes as long as all, whatever the machine")
    elif makespan - until > 0.01 * makespan and makespan > 1.01 * bound:
        told.append(f"nothing waits for the last {makespan - until:,.0f} s: jobs that run long began late")
    if not told:
        told.append(f"nothing by more than a hundredth: {makespan / bound - 1:.2%} above the bound")
    return told


def _stage(
    stage: SimulatedStage, site: str, allocation: Allocation, layout, machine: SimulatedPilot,
    stages: Sequence[SimulatedStage],
) -> dict:  # fmt: skip
    plan = make_plan(
        site, ["COMMAND"], partition=allocation.partition.name, nodes=layout.nodes, ranks=stage.ranks,
        gpus_per_rank=stage.gpus, cores_per_rank=stage.cores, comm="mpi", image=None, model=None,
    )  # fmt: skip
    alike = sum(each.jobs for each in stages if each.ranks == 1) or 1
    workers = machine.workers * stage.jobs / alike if stage.ranks == 1 else machine.gangs[stage.name]
    return {
        "name": stage.name,
        "jobs": stage.jobs,
        "ranks": stage.ranks,
        "cores": stage.cores,
        "gpus": stage.gpus,
        "nodes": layout.nodes,
        "rows": stage.rows,
        "times": stage.note or None,
        "launch": plan.argv,
        "image": plan.image,
        "files": counted(stage, layout.nodes, plan, workers),
    }
