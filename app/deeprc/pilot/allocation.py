"""The nodes that a pilot takes: what they have, what the batch system is asked for, and the state of that request."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Iterable

from deeprc.core.errors import ConfigError
from deeprc.pilot.at_hand import at_hand, partition_at_hand
from deeprc.pilot.batch import Submission, submission
from deeprc.pilot.engine import PilotNews
from deeprc.pilot.queueing import NOTHING, Queueing
from deeprc.schedulers import schedulers
from deeprc.schedulers.jobs import Lost
from deeprc.sites import Partition, Site

LAST = 15  # an unexplained end in the last seconds of an allocation's time is taken for the time limit


class Allocation:
    """Nodes of a site's partition, for some time: of a job of its own, or of the one that this process runs in.

    `state` is NEW, STARTING, ACTIVE (it runs tasks), FAILED or CLOSED.

    Parameters
    ----------
    cores
        How many cores of a node to use, instead of all that the site file gives.
    gpus
        How many accelerators of a node to ask for, instead of all.
    runtime
        How long it may live, minutes.
    queueing
        What else the batch system is asked for: whom it charges, the quality of service…
    anew
        Whether not to look at the job that this process runs in.
    """

    def __init__(
        self, site: Site, partition: str | None = None, *, nodes: int = 1, cores: int | None = None,
        gpus: int | None = None, runtime: int = 60, queueing: Queueing = NOTHING, anew: bool = False,
    ) -> None:  # fmt: skip
        for name, count in (("nodes", nodes), ("cores", cores), ("runtime", runtime)):
            if count is not None and count < 1:
                raise ConfigError(f"a pilot without {name}", found=f"{name} = {count}", expected="1 or more")
        self.site, self.held = site, None if anew else at_hand(site)
        if self.held:
            self.partition, nodes = partition_at_hand(site, partition, self.held), self.held.nodes
            runtime = runtime if self.held.minutes is None else max(1, min(runtime, int(self.held.minutes)))
        else:
            self.partition = site.partition(partition)
        if self.queued and nodes > self.partition.nodes:
            raise ConfigError(
                f"{nodes} nodes: more than there are",
                where=f"site {site.name}, partition {self.partition.name}",
                expected=f"at most {self.partition.nodes}",
                fix="fewer --radical-pilot-nodes",
            )
        most = self.partition.max_minutes
        if self.queued and most and runtime > most:
            raise ConfigError(
                f"{runtime} minutes: longer than a job may last",
                where=f"site {site.name}, partition {self.partition.name}", expected=f"at most {most}",
                fix=f"--radical-pilot-runtime {most}, or runtime={most} of its shape; --radical-pilot-pilots says how"
                " many may follow each other",
            )  # fmt: skip
        if self.queued and (unqueued := self.partition.unqueued(nodes)):
            raise ConfigError(unqueued, where=f"site {self.site.name}", fix="ask for as many as one of them takes")
        if cores is not None and site.batch and not self.held and cores > self.partition.usable_cores:
            raise ConfigError(
                f"{cores} cores of a node: more than there are",
                where=f"site {site.name}, partition {self.partition.name}",
                expected=f"at most {self.partition.usable_cores}",
            )
        if cores is not None:
            cores = min(cores, self.partition.usable_cores) if self.held else cores
            self.partition = self.partition.model_copy(update={"cores": cores, "reserved_cores": []})
        if gpus is not None and not self.held:
            self.partition = _with_gpus(site, self.partition, gpus)
        self.nodes, self.runtime, self.queueing = nodes, runtime, queueing
        self.mark = uuid.uuid4().hex
        self.state = "NEW"
        self.reason: str | None = None
        self.explained = True  # whether `why` already says everything known about its end
        self.refused = False  # by the batch system, which would refuse it again
        self.broken: tuple[str, ...] = ()  # nodes that are at fault: no other pilot is to lie on them
        self.forgotten = False  # its job was lost by the batch system before it began
        self._known, self._unknown = False, 0  # whether its job was seen there, and how often it was looked for since
        self._said = ""
        self._active_since: float | None = None
        self._options: dict[tuple[str, ...], None] = {}  # what tasks want of it, in the order in which they asked
        if site.scheduler.system.engine is None:
            raise ConfigError(
                f"no pilot can have nodes from {site.scheduler.system.title}: {site.scheduler.system.no_pilot}",
                where=f"site {site.name}", found=f"scheduler {site.scheduler.name}",
                expected="one of " + ", ".join(sorted(one.name for one in schedulers() if one.engine)),
                fix="start the workflow within a job of one node, with --profile site/localhost; of several nodes, give"
                " the job the line that `deeprc plan` prints",
            )  # fmt: skip
        if self.queued:
            self.submission()  # so that an impossible request fails before jobs are looked at
        elif not self.batch:
            queueing.check(site.scheduler.system)

    @property
    def cores(self) -> int:
        """Cores of all nodes."""
        return self.nodes * self.partition.usable_cores

    @property
    def gpus(self) -> int:
        """Accelerators of all nodes."""
        return self.nodes * self.partition.gpus

    @property
    def memory_mb(self) -> int:
        """Memory of a node, MB; infinite where the site file does not say."""
        return self.partition.memory_mb or sys.maxsize

    @property
    def batch(self) -> bool:
        """Whether a batch system gives the nodes."""
        return self.site.batch

    @property
    def queued(self) -> bool:
        """Whether a job of its own waits for them."""
        return self.batch and self.held is None

    @property
    def job(self) -> str:
        """What the batch system's job is called."""
        return f"deeprc-{self.mark[:8]}"  # PBS takes 15 characters

    @property
    def options(self) -> list[tuple[str, ...]]:
        """What tasks want of it."""
        return [*self._options]

    def want(self, options: Iterable[tuple[str, ...]]) -> None:
        """Add these options to its request; an error where it was already taken without them."""
        for option in options:
            if option in self._options:
                continue
            if self.held and not self.site.scheduler.system.was_given(option):
                raise ConfigError(
                    f"a task needs an allocation with {' '.join(option)}, and the job at hand was begun without",
                    found=f"job {self.held.job}", fix=f"begin it with {' '.join(option)}",
                )  # fmt: skip
            if self.state != "NEW":
                raise ConfigError(
                    f"a task needs an allocation with {' '.join(option)}, and the pilot was taken without",
                    fix="run it in a workflow of its own, whose pilot then has it",
                )
            self._options[option] = None

    def submission(self) -> Submission | None:
        """What the batch system's job is submitted with; None where none is."""
        if not self.queued:
            return None
        extra = [word for option in self._options for word in option]
        return submission(
            self.site, self.partition, name=self.job, nodes=self.nodes, queueing=self.queueing, extra=extra
        )

    @property
    def queue_state(self) -> str | None:
        """Why the job waits in its queue, as far as the batch system can be asked; asking takes a moment."""
        return self.site.scheduler.system.waits(self.job) if self.queued else None

    def give_up_for_ever(self) -> None:
        """Give it up, where its job waits for what never comes, or is not known any more; asking takes a moment."""
        if not self.queued or self.active or self.ended:
            return
        batch = self.site.scheduler.system
        if why := batch.never(self.job):
            self.fail(why)
            self.refused = True
        known = batch.known(self.job)
        self._unknown = self._unknown + 1 if known is False and self._known else 0
        self._known |= bool(known)
        if self._unknown == 2:
            self.fail(f"{batch.title} knows its job no more: it was lost before it began")
            self.forgotten = True

    def look_after(self) -> None:
        """Give it up, with the batch system's reason, where that has ended its job; asking takes a moment."""
        lost = self.site.scheduler.system.lost(self.job) if self.queued else None
        if not lost and self.queued and self.active and self.site.scheduler.system.anew(self.job):
            lost = Lost(f"{self.site.scheduler.system.title} has put its job back into the queue (requeue)")
        if lost:
            self.broken = tuple({*self.broken, *lost.nodes})
            self.fail(lost.why)
            self.reason = lost.why

    def avoid(self, nodes: Iterable[str]) -> None:
        """Ask for other nodes than these, where the batch system has a word for it."""
        self.want(filter(None, [tuple(self.site.scheduler.system.without(sorted(nodes)))] if self.queued else []))

    @property
    def active(self) -> bool:
        """Whether it runs tasks."""
        return self.state == "ACTIVE"

    @property
    def ended(self) -> bool:
        """Whether no task can run any more."""
        return self.state in {"FAILED", "CLOSED"}

    @property
    def remaining(self) -> float:
        """Seconds that it may still live."""
        lived = time.monotonic() - self._active_since if self._active_since is not None else 0.0
        return self.runtime * 60 - lived

    @property
    def why(self) -> str:
        """Why it has ended."""
        if self.reason is None and self.remaining < LAST:
            return f"its time of {self.runtime} min is over"
        return self.reason or self._said or f"it is {self.state.lower()}"

    def hear(self, news: PilotNews) -> None:
        """Take in the state that the engine reports; once it has ended, nothing changes that."""
        if self.ended:
            return
        self.state, self._said = news.state, news.said
        if self.active and self._active_since is None:
            self._active_since = time.monotonic()
        self.reason = news.reason or self.reason
        self.explained, self.refused = news.explained, news.refused
        self.broken = tuple({*self.broken, *news.broken})

    def fail(self, reason: str) -> None:
        """Give it up: no more task can succeed in it."""
        self.hear(PilotNews("FAILED", reason))


def _with_gpus(site: Site, partition: Partition, gpus: int) -> Partition:
    """The partition, of whose nodes that many accelerators are asked for."""
    if gpus > partition.gpus:
        raise ConfigError(
            f"{gpus} accelerators of a node: more than there are",
            where=f"site {site.name}, partition {partition.name}",
            expected=f"at most {partition.gpus}",
        )
    there = partition.accelerator
    return partition.model_copy(update={"accelerator": there.model_copy(update={"count": gpus}) if gpus else None})
