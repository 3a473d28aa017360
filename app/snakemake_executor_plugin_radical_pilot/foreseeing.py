"""What jobs that are not ready yet will want of a pilot: the imports of warm workers can begin before them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any

from deeprc.pilot.foresight import Expected
from deeprc.pilot.tasks import Shape
from snakemake_executor_plugin_radical_pilot import internals

MOST = 1000  # warm jobs that are looked at


def expected(dag: Any, shape: Callable[[Any], Shape | None], environment: str) -> dict[Shape, Expected]:
    """The warm workers that jobs of the run will need, as far as the graph of jobs is known: the soonest first.

    As many of a shape as jobs of one distance from the run's first ones: these cannot wait for each other. Of one
    distance the shapes with the fewest jobs come first: so each has a worker before one has many.

    Parameters
    ----------
    shape
        Gives that of a job's worker, if it will have one; an error where that is not known yet.
    environment
        The file of the jobs' environment.
    """
    found: dict[Shape, Expected] = {}
    warm = set(islice(filter(_is_warm, dag.needrun_jobs()), MOST))
    for jobs in levels(dag) if warm else ():
        counts: Counter[Shape] = Counter()
        for job in jobs:
            with contextlib.suppress(Exception):  # it is known when its turn comes, or fails then, alone
                if job in warm and (there := shape(job)) is not None:
                    counts[there] += 1
        for each, count in sorted(counts.items(), key=lambda one: one[1]):
            there = found.setdefault(each, Expected(0, 0, None if each.contained else environment))
            there.jobs, there.most = there.jobs + count, max(there.most, count)
    return found


def _is_warm(job: Any) -> bool:
    return "warm" in job.rule.resources and job.rule.group is None


def levels(dag: Any) -> list[list]:
    """The jobs that the executor has still to run: those that wait for none, those that wait for these, and so on."""
    left = dict.fromkeys(dag.needrun_jobs())
    depths: dict[Any, int] = {}
    for first in left:
        path = [] if first in depths else [first]
        while path:
            needs = [each for each in dag.dependencies[path[-1]] if each in left]
            if unknown := [each for each in needs if each not in depths]:
                path += unknown
            else:
                depths[path[-1]] = 1 + max((depths[each] for each in needs), default=-1)
                path.pop()
    found: list[list] = [[] for _ in range(1 + max(depths.values(), default=-1))]
    for job in left:
        if not internals.is_local(job):
            found[depths[job]].append(job)
    return found
