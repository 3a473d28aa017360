"""What a batch system is told about a pilot's job, and how the job is ended."""

from __future__ import annotations

import contextlib
import json
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deeprc import schedulers
from deeprc.core.files import write_json
from deeprc.pilot.queueing import NOTHING, Queueing
from deeprc.sites import Partition, Site
from deeprc.sites.allocation import asked

JOB = "job.json"  # in a pilot's folder: the batch system, and what its job is called


@dataclass(frozen=True)
class Submission:
    """What the job of a pilot is submitted with.

    `scheduler` is the batch system as site files call it; `options` are those of the site, of the user and of the job's
    name, for the command that submits it; `environment` is that command's; `queue` is given where the site's options
    name none.
    """

    scheduler: str
    name: str
    options: list[str]
    environment: dict[str, str]
    queue: str | None


def submission(
    site: Site,
    partition: Partition,
    *,
    name: str,
    nodes: int,
    queueing: Queueing = NOTHING,
    extra: Sequence[str] = (),
) -> Submission:
    """What a pilot of `nodes` nodes needs.

    Parameters
    ----------
    name
        By which the job is found again.
    queueing
        What the user asks for.
    extra
        What tasks need of their allocation beside (`--network=…`).
    """
    batch = site.scheduler.system
    wanted = [*asked(site, partition, nodes, partition.usable_cores), *extra]
    words = [word for option in wanted for word in shlex.split(option)]
    options = queueing.options(batch, words)
    named = any(word.split("=")[0] in batch.queues for word in options)
    options += batch.named.format(name).split()
    options += [] if batch.once[:1] in ((), *((word,) for word in options)) else batch.once
    environment = batch.environment(options, partition.gpus)
    return Submission(batch.name, name, options, environment, None if named else partition.queue)


def note_job(folder: Path, scheduler: str, name: str) -> None:
    """Write down the job of the pilot in `folder`, for `jobs_below`."""
    write_json(folder / JOB, [scheduler, name])


def settle_job(folder: Path) -> None:
    """Forget the job of the pilot in `folder`, unless it may still be there, as where nobody answered."""
    with contextlib.suppress(OSError, ValueError):
        scheduler, name = json.loads((folder / JOB).read_text())
        batch = schedulers.scheduler(scheduler)
        if not (batch.keeps and batch.lives(name) is not False):
            (folder / JOB).unlink()


def jobs_below(folder: Path) -> list[str]:
    """End the jobs of the pilots in a folder whose client is gone with its machine; the names of those that were left.

    Where the batch system does not answer, they live until their time is over.
    """
    found = []
    for path in folder.glob(f"*/{JOB}"):
        with contextlib.suppress(OSError, ValueError):
            scheduler, name = json.loads(path.read_text())
            if schedulers.scheduler(scheduler).left(name):
                give_back(scheduler, name)
                found.append(name)
            settle_job(path.parent)
    return found


def give_back(scheduler: str, name: str, *, patience: float = 10.0) -> None:
    """End the jobs of that name, wherever they are on their way: one that was just being submitted may appear late."""
    batch = schedulers.scheduler(scheduler)
    deadline = time.monotonic() + patience
    while True:
        batch.end(name)
        if not batch.left(name) or time.monotonic() > deadline:
            return
        time.sleep(0.3)
