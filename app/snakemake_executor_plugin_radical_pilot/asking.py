"""What jobs ask of a pilot, and the pilot that has what they ask for."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError

from deeprc.core.errors import ConfigError, DeepRCError
from deeprc.pilot import Allocation, Pilot, Task, detached, inside
from deeprc.sites import load_site
from deeprc.sites.identity import require
from snakemake_executor_plugin_radical_pilot import direct, internals
from snakemake_executor_plugin_radical_pilot.resources import Request, check, check_models, request, without_effect
from snakemake_executor_plugin_radical_pilot.state import State

SAMPLED = "mem_mb is kept by looking at what a job's processes use, about once a second: no cgroup holds them to it"


class Asking:
    """Reads what the jobs of a run ask for.

    Attributes
    ----------
    takes
        Whether a job that is not ready yet will come to the pilot that this is asked of: to no other one.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self.takes: Callable[[Any], bool] = lambda job: False

    def pilot(self, folder: Path, *, whole: bool = True, dry: bool = False) -> Pilot:
        """The pilot that will be started, if a job needs it; errors in the site or a request are reported here.

        Parameters
        ----------
        whole
            Whether all jobs of the run are for it.
        dry
            Whether nothing is to be started: any machine will do.
        """
        state, settings = self._state, self._state.settings
        site = load_site(settings.site)
        if site.status.state == "retired":
            successor = f"take its successor, {site.status.successor}" if site.status.successor else None
            raise ConfigError(f"{site.name} was retired on {site.status.retired}", fix=successor)
        if not dry:
            require(site)
        allocation = Allocation(
            site,
            settings.partition,
            nodes=settings.nodes,
            cores=settings.cores,
            gpus=settings.gpus,
            runtime=settings.runtime,
            queueing=settings.queueing,
        )
        if not dry and allocation.queued:
            site.scheduler.system.require_up()
        jobs = internals.jobs_to_run(state.run.dag)
        places = [state.run.workflow.workdir_init, Path.cwd(), state.run.folder.path, tempfile.gettempdir()]
        pilot = Pilot(
            allocation,
            folder,
            image=settings.image,
            grace=settings.grace,
            sees=inside.folders([*places, *(path for job in jobs for path in (*job.input, *job.output, *job.log))]),
            private=state.run.folder.private.paths,
            say=state.run.progress.say,
        )
        pilot.pulls.environment = state.run.folder.private.environment
        for job in jobs if whole else ():
            # A resource that is computed from a file which is not there yet is checked when the job's turn comes.
            with contextlib.suppress(WorkflowError):
                self.request(job, pilot)
        return pilot

    def request(self, job, pilot: Pilot) -> Request:
        """What a job asks for; an error where that is more than the pilot has."""
        rule, there, asked = direct.rule_name(job), pilot.allocation, asks(job)
        if pilot.planner.contains and not inside.knows(there.site):
            # A worker in an image is for runtimes whose containers are told what they see.
            asked = replace(asked, warm=())
        memory = there.nodes * (there.partition.memory_mb or sys.maxsize)  # where nobody has told, anything goes
        minutes = detached.minutes(there, detach=self._state.settings.detach)
        check(rule, asked, cores=there.cores, gpus=there.gpus, memory_mb=memory, minutes=minutes)
        accelerator = there.partition.accelerator
        check_models(rule, asked, accelerator.model if accelerator else None)
        try:
            plan = pilot.planner.plan(self.task(job, asked, pilot))
        except DeepRCError as error:
            raise DeepRCError(
                f"rule {rule}: {error.problem}", found=error.found, expected=error.expected, fix=error.fix
            ) from None
        if plan.refused:
            raise DeepRCError(f"rule {rule}: {plan.reason}", fix=plan.fix)
        own = "the pilot has its own for the whole workflow"
        for told in [*(f"{name} has no effect, {own}" for name in without_effect(job.resources)), *plan.warnings]:
            self._state.run.tell_once(rule, told, f"rule {rule}: {told}")
        if asked.memory_mb and there.site.launcher_on(there.partition).name != "srun":
            self._state.run.tell_once("", SAMPLED, SAMPLED)
        return asked

    def task(self, job, asked: Request, pilot: Pilot) -> Task:
        """What the pilot must know about a job, except its name and its files."""
        return Task(
            "",
            [],
            asked.ranks,
            asked.cores_per_rank,
            asked.gpus_per_rank,
            asked.warm,
            memory_mb=-(-asked.memory_mb // asked.ranks),
            timeout=asked.minutes * 60 or None,
            nodes=asked.nodes,
            comm=asked.comm,
            contained=pilot.planner.contains and direct.is_direct(job, self._state.run.workflow),
        )


def asks(job) -> Request:
    """What a job asks for, whichever pilot has it."""
    raw = direct.fractions(job) | ({} if internals.asks_for_memory(job) else {"mem_mb": 0})
    return request(direct.rule_name(job), job.resources, job.threads, raw)
