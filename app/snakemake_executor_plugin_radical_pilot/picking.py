"""Which ready jobs Snakemake hands over: as many as it may, at once; it is the pilot that has them wait for room.

Snakemake 9.27 compares each ready job with each for that, and hands over 100 a second, which spares batch systems. Of
16,000 jobs these two took more time than all else (docs/scale.md, where a patch for Snakemake stands, too).
"""

from __future__ import annotations

import contextlib
import functools
import io
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from snakemake_executor_plugin_radical_pilot.internals import GreedyScheduler, IlpScheduler, parsed

RATE = (100, 1)  # jobs and seconds: Snakemake's default
LIMITS = ("max-jobs-per-timespan", "max-jobs-per-second")  # the options for it, as profiles spell them


def pick_quickly() -> None:
    """Have Snakemake's two schedulers choose what they choose, without comparing each job with each."""
    for kind in (GreedyScheduler, IlpScheduler):
        own = kind.select_jobs
        if not hasattr(own, "instead_of"):
            kind.select_jobs = _instead(own)


def _instead(own: Any) -> Any:
    def select_jobs(
        self: Any, jobs: Sequence, remaining: Sequence, available: Mapping[str, Any], sizes: Mapping
    ) -> Any:
        if (chosen := chosen_of(self, jobs, available, sizes)) is not None:
            return chosen
        return own(self, jobs, remaining, available, sizes)

    select_jobs.instead_of = own
    return select_jobs


def chosen_of(scheduler: Any, jobs: Sequence, available: Mapping[str, Any], sizes: Mapping) -> list | None:
    """The jobs that this scheduler of Snakemake's would choose; None where it has to be asked itself.

    All of them, where there is enough for all. The greedy one takes them by its reward, each that still fits: with a
    greediness of 1 one look at each is enough, since what does not fit will not do so later.
    """
    jobs, names = [*jobs], [*available]
    needs = [[(name, need) for name in names if (need := job.scheduler_resources.get(name, 0))] for job in jobs]
    if not all(needs) or any(isinstance(need, str) or need < 0 for each in needs for _, need in each):
        return None
    total = dict.fromkeys(names, 0)
    for each in needs:
        for name, need in each:
            total[name] += need
    if all(total[name] <= available[name] for name in names) and all(job.priority >= 0 for job in jobs):
        return jobs
    if not isinstance(scheduler, GreedyScheduler) or scheduler.settings.greediness != 1:
        return None
    left, taken = dict(available), set()
    for at in sorted(range(len(jobs)), key=lambda at: scheduler.job_reward(jobs[at], sizes), reverse=True):
        if all(need <= left[name] for name, need in needs[at]):
            taken.add(at)
            for name, need in needs[at]:
                left[name] -= need
    return [job for at, job in enumerate(jobs) if at in taken]


def lift_rate(workflow: Any) -> None:
    """Hand over as many jobs in a second as there are, unless somebody has said how many.

    Snakemake's default is for batch systems, each of whose jobs is a request of its own. Who names that very number, in
    a profile too, means it.
    """
    scheduler = workflow.scheduler
    limit = scheduler.job_rate_limiter
    if limit is not None and (limit.max_jobs, limit.timespan) == RATE and not _told(tuple(sys.argv[1:])):
        scheduler.job_rate_limiter = None
        scheduler.resources["_job_count"] = sys.maxsize
        scheduler._open_jobs.release()  # there may be more jobs than it has let through so far


@functools.cache
def _told(argv: tuple[str, ...]) -> bool:
    """Whether the command line, a profile or the environment names a limit of jobs in a second."""
    found = [word for word in argv if word.startswith(tuple(f"--{name}" for name in LIMITS))]
    with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()):
        sources = parsed([*argv])[0].get_source_to_settings_dict()
        given = (name for source, names in sources.items() if source != "defaults" for name in names)
        found += [name for name in given if name.endswith(LIMITS)]
    return bool(found)
