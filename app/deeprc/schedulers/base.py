"""What every batch system has, and the register that it is found in."""

from __future__ import annotations

import os
import pwd
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from deeprc.core.registry import Registry
from deeprc.schedulers.jobs import Job, Lost, OwnJob, Remark
from deeprc.schedulers.queues import Gres, Queue, SchedulerFound
from deeprc.schedulers.requests import Asked

TALK = 20.0  # seconds that a command about a job may take


class Scheduler(ABC):
    """A batch system: all that Deep RC must know about it is one class, in one file of this folder.

    Attributes
    ----------
    title
        Its name for people.
    batch
        Whether jobs wait for nodes there; only on the local machine they do not.
    engine
        The pilot engine's name for it, where the engine can reach its nodes; else None, and `no_pilot` says why.
    comes_first
        Whether it is looked for before others, because its packages also install their commands.
    launcher
        What ranks are most often started with there.
    own_launcher
        The one that works in its jobs only, if there is one.
    interactive
        The command for a job with a shell.
    job_variable, queue_variable
        A variable that its jobs have, and nothing else; the one with the job's queue. None where there are no jobs.
    tells
        Patterns of the variables that jobs get from it.
    clients
        Variables by which its commands find it.
    known_by
        Variables by which a machine may be known; `cluster_variable`, the one that has the cluster's name.
    facts
        Keys that only this batch system may have in the site file's part `scheduler`.
    settings
        What a user may ask for (`account`, `qos` …), each with its options; the first one is used.
    named
        The option that gives a job its name, `{}`.
    queues
        The options that choose a queue, in all their spellings.
    once
        The options by which it never starts a job anew that a node has failed under: a pilot cannot go on from there.
    keeps
        Whether a detached run can be one of its jobs (`keep`, `lives`, `interrupt`, `begin_anew`).
    by_step
        Whether Slingshot's networks (VNI) belong to steps, so that a step on one node has none.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    batch: ClassVar[bool] = True
    engine: ClassVar[str | None] = None
    no_pilot: ClassVar[str] = ""
    comes_first: ClassVar[bool] = False
    launcher: ClassVar[str] = "mpiexec-hydra"
    own_launcher: ClassVar[str | None] = None
    interactive: ClassVar[str] = ""
    job_variable: ClassVar[str | None] = None
    queue_variable: ClassVar[str | None] = None
    tells: ClassVar[tuple[str, ...]] = ()
    clients: ClassVar[tuple[str, ...]] = ()
    known_by: ClassVar[tuple[str, ...]] = ()
    cluster_variable: ClassVar[str | None] = None
    facts: ClassVar[tuple[str, ...]] = ()
    settings: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    named: ClassVar[str] = ""
    queues: ClassVar[tuple[str, ...]] = ()
    once: ClassVar[tuple[str, ...]] = ()
    keeps: ClassVar[bool] = False
    by_step: ClassVar[bool] = False

    # What this machine has.

    @abstractmethod
    def detect(self) -> SchedulerFound | None:
        """What its commands say about it and its queues; None where they are not here."""

    def options_for(self, queue: Queue, *, processors: int, gres: Gres | None, gpus: int) -> list[str]:
        """The options by which a draft of a site file requests whole nodes of a queue.

        Parameters
        ----------
        processors
            Of a node, as it counts them.
        gres
            Its name for the nodes' accelerators, and how many it reports, where it reports any.
        gpus
            How many they have, as far as known.
        """
        return []

    def facts_of(self, launchers: Iterable[str]) -> dict[str, object]:
        """Its own facts in a draft, for a machine that has these launchers."""
        return {}

    # How a job is requested.

    def asked(self, job: Job) -> list[str]:
        """The options of a job: the site's, completed so that the job gets whole nodes with everything on them."""
        return list(job.options)

    def contradiction(self, options: Sequence[str], facts: Mapping[str, object], nodes: int) -> str | None:
        """Why the site's options cannot be right for a partition of that many nodes with its facts; None where they
        can.
        """
        return None

    def nodes_asked(self, options: Sequence[str]) -> Asked | None:
        """The number of nodes that options ask for; None where they give none, or none that can be read."""
        return None

    def gpus_asked(self, options: Sequence[str], nodes: int, sockets: int = 1) -> Iterator[Asked]:
        """The accelerators of a node that each of the options asks for, in a job of `nodes` nodes of `sockets` each."""
        yield from ()

    def joined(self, setting: str, site: str, user: str) -> str:
        """The value of a setting that the site and a user both give: the user's."""
        return user

    def environment(self, words: Sequence[str], gpus: int) -> dict[str, str]:
        """Variables for the command that submits a job with these words, on nodes of so many accelerators."""
        return {}

    def submit(self, command: Sequence[str], options: Sequence[str]) -> list[str]:
        """The command of the pilot's engine (a program and a job's script) that submits, with the site's options."""
        program, *rest = command
        return [program, *options, *rest]

    def script(self, text: str, options: Sequence[str]) -> str:
        """The job's script of the pilot's engine, as this batch system takes it beside the site's options."""
        return text

    # What becomes of a job.

    @abstractmethod
    def end(self, name: str) -> None:
        """End the user's jobs of that name."""

    @abstractmethod
    def left(self, name: str) -> list[str]:
        """The numbers of the user's jobs of that name that wait or run."""

    def waits(self, name: str) -> str | None:
        """State and reason of a waiting job, `PENDING (PartitionTimeLimit)`; None where none waits or is known."""
        return None

    def never(self, name: str) -> str | None:
        """Why a waiting job can never begin as it was asked for, and what to ask for instead; None where it may."""
        return None

    def require_up(self, environment: Mapping[str, str] = os.environ) -> None:
        """Raise a ConfigError where it is known to be down: what is submitted would wait for ever, or hang."""
        return

    def lost(self, name: str) -> Lost | None:
        """Why the user's job of that name runs no more, where it has ended it; None where it runs, or nobody knows."""
        return None

    def anew(self, name: str) -> bool:
        """Whether it has begun the user's job of that name anew, or will: a pilot cannot go on there."""
        return False

    def known(self, name: str) -> bool | None:
        """Whether it knows any job of the user's of that name, ended ones too; None where nobody can say."""
        return None

    def without(self, nodes: Sequence[str]) -> list[str]:
        """The options of a job that is not to lie on these nodes, as far as it has any."""
        return []

    # A job that keeps a detached run: asked only of those whose `keeps` is true.

    def keep(
        self, script: Path, options: Sequence[str], *, queue: str | None, minutes: int, log: Path, again: bool,
        warn: float,
    ) -> list[str]:  # fmt: skip
        """The command that submits the script of a detached run, and prints the job's number.

        `again`: it begins anew where a node has failed, or another job came first. SIGUSR1 tells it `warn` seconds
        before its end that its time is over.
        """
        raise NotImplementedError  # asked only of those whose `keeps` is true

    def lives(self, name: str) -> bool | None:
        """Whether the user's job of that name waits or runs; None where nobody answers."""
        raise NotImplementedError  # asked only of those whose `keeps` is true

    def ending(self, name: str) -> bool:
        """Whether the user's job of that name is just being ended."""
        return False

    def interrupt(self, name: str) -> None:
        """End the user's job of that name where it waits; where it runs, send SIGINT to its script."""
        raise NotImplementedError  # asked only of those whose `keeps` is true

    def begin_anew(self) -> bool:
        """Have the job that this runs in end and wait again; whether it will."""
        return False

    # Within a job.

    def within(self, environment: Mapping[str, str] = os.environ) -> bool:
        """Whether ranks can be started at once: within a job, or where there are no jobs."""
        return self.job_variable is None or self.job_variable in environment

    def nodes(self, environment: Mapping[str, str] = os.environ) -> int:
        """The number of nodes of the job that this runs in; 1 outside of a job."""
        return 1

    def held(self, environment: Mapping[str, str] = os.environ) -> OwnJob | None:
        """What the job that this runs in holds; None where that cannot be asked."""
        return None

    def was_given(self, option: Sequence[str], environment: Mapping[str, str] = os.environ) -> bool:
        """Whether the job that this runs in is known to have been begun with this option."""
        return False

    def checks(self, job: Job) -> Iterator[Remark]:
        """What the doctor finds when it asks the batch system about the options of a job."""
        yield from ()


def user() -> str:
    """Who this process is."""
    return pwd.getpwuid(os.geteuid()).pw_name


_SCHEDULERS: Registry[Scheduler] = Registry("scheduler")
register = _SCHEDULERS.register


def known_schedulers() -> list[str]:
    """The names that a site file may give as its scheduler."""
    return list(_SCHEDULERS)


def scheduler(name: str) -> Scheduler:
    """The batch system called `name`."""
    return _SCHEDULERS.get(name)()


def schedulers() -> list[Scheduler]:
    """All of them, those that come first before the others."""
    return sorted(map(scheduler, _SCHEDULERS), key=lambda one: not one.comes_first)


def detect() -> SchedulerFound:
    """The batch system that answers here; `fork` where none does."""
    remarks = []
    for one in schedulers():
        found = one.detect()
        if found and not found.remark:
            return found
        remarks += [found.remark] if found else []
    return SchedulerFound("fork", remark="; ".join(remarks) or None)
