"""What a batch system is told of a pilot's job, and how the job is ended."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from deeprc.pilot.queueing import NOTHING, Queueing
from deeprc.sites import Partition, Site
from deeprc.sites.allocation import asked

SCHEMES = {"fork": "fork", "slurm": "slurm", "pbspro": "pbspro", "lsf": "lsf"}  # of RADICAL-Pilot's endpoints
NAME_OPTION = {"slurm": "--job-name={}", "pbspro": "-N {}", "lsf": "-J {}"}
QUEUE_OPTION = {"slurm": ("--partition", "-p"), "pbspro": ("-q",), "lsf": ("-q",)}
GPU_OPTIONS = ("--gres", "--gpus", "-G", "--exclusive", "ngpus", "-gpu")
TALK = 20.0  # seconds that one command of a batch system may take


@dataclass(frozen=True)
class Submission:
    """What the job of a pilot is submitted with.

    `options` are those of the site, of the user and of the job's name, for the command that submits it;
    `environment` is that command's; `queue` is given where the site's options name none.
    """

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
    scheduler = site.scheduler.name
    wanted = [*asked(site, partition, nodes, partition.usable_cores), *extra]
    words = [word for option in wanted for word in shlex.split(option)]
    options = queueing.options(scheduler, words)
    named = any(word.split("=")[0] in QUEUE_OPTION[scheduler] for word in options)
    options += NAME_OPTION[scheduler].format(name).split()
    environment = {}
    asks_gpus = any(word.startswith(GPU_OPTIONS) or "ngpus" in word for word in options)
    if scheduler == "slurm" and partition.gpus and not asks_gpus:
        # An option of the command or the job's script would go before it; psij has none for accelerators.
        environment["SBATCH_GRES"] = f"gpu:{partition.gpus}"
    return Submission(name, options, environment, None if named else partition.queue)


def cancel_commands(scheduler: str, name: str) -> list[str]:
    """The shell commands that end the jobs of that name, and print those that are left."""
    return {
        "slurm": [
            f"scancel --quiet --user=$(id -un) --name={name}",
            f"squeue --noheader --me --states=PD,CF,R,S --name={name} --format=%i",
        ],
        "pbspro": [f"qselect -u $(id -un) -N {name} | xargs -r qdel", f"qselect -u $(id -un) -N {name} -s QR"],
        "lsf": [f"bkill -J {name} 0", f"bjobs -noheader -J {name} -o jobid"],
    }[scheduler]  # fmt: skip


def queue_state(scheduler: str, name: str) -> str | None:
    """Why the job of that name waits, `PENDING (PartitionTimeLimit)`; None where it does not, or is not asked."""
    if scheduler != "slurm":
        return None
    return _call(f"squeue --noheader --me --states=PENDING --name={name} --format='%T (%r)'").strip() or None


def give_back(scheduler: str, name: str, *, patience: float = 10.0) -> None:
    """End the jobs of that name, wherever they are on their way: one that was just being submitted may appear late."""
    cancel, left = cancel_commands(scheduler, name)
    if shutil.which(cancel.split()[0]) is None:
        return
    deadline = time.monotonic() + patience
    while True:
        _call(cancel)
        if not _call(left).strip() or time.monotonic() > deadline:
            return
        time.sleep(0.3)


def _call(command: str) -> str:
    with contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(
            ["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TALK,
            env=os.environ,
        )  # fmt: skip
        return done.stdout
    return ""
