"""The pilots of a run: of one shape or several, started when jobs need them, ended when they are idle."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections.abc import Sequence

from deeprc.core.errors import ConfigError, DeepRCError
from deeprc.core.events import RunEvent
from deeprc.core.files import StorageError, free_megabytes
from deeprc.core.shipped import installed
from deeprc.pilot import Allocation, Outcome
from deeprc.pilot.environment import users
from snakemake_executor_plugin_radical_pilot import internals, watch
from snakemake_executor_plugin_radical_pilot.asking import asks
from snakemake_executor_plugin_radical_pilot.events import PACKAGES, Events
from snakemake_executor_plugin_radical_pilot.kinds import Lane, PilotKind, kinds
from snakemake_executor_plugin_radical_pilot.metered import Metered
from snakemake_executor_plugin_radical_pilot.pilots import FULL
from snakemake_executor_plugin_radical_pilot.routes import Routes
from snakemake_executor_plugin_radical_pilot.state import WorkflowRun
from snakemake_executor_plugin_radical_pilot.submitting import give_up
from snakemake_executor_plugin_radical_pilot.writer import Writer

LOOK = 1.0  # seconds between two looks at it
ASK = 3.0  # seconds between two questions to a batch system whether a pilot queues
ROOM = "remove there what is not needed, as the folders of older runs; or name another folder by --radical-pilot-folder"
NO_MORE = "the pilot has ended: no more jobs can run"


class Fleet:
    """All pilots of a run.

    Attributes
    ----------
    kinds
        Their shapes, each with its pilots and the jobs that wait for one of these.
    """

    def __init__(self, run: WorkflowRun, writer: Writer) -> None:
        self._run = run
        self.kinds = kinds(run, writer, itertools.count(1))
        require_nodes(self.kinds)
        self._routes = Routes(self.kinds)
        for kind in self.kinds:
            if kind.shape.most == 1:  # of several, a job goes to the one that has room for it first
                kind.asking.takes = lambda job, kind=kind: self._routes.kind(job) is kind
        self._routes.check(internals.jobs_to_run(run.dag))
        self._made = False
        self._bell = threading.Event()
        self._full, self._looked, self._asked = False, 0.0, 0.0
        self._metered = Metered(run)
        threading.Thread(target=self._attend, daemon=True).start()

    @property
    def allocation(self) -> Allocation:
        """What the first pilot will have."""
        return self.kinds[0].template.allocation

    @property
    def lanes(self) -> list[Lane]:
        """All that were started, and not ended because they were idle."""
        return [lane for kind in self.kinds for lane in kind.lanes]

    @property
    def begun(self) -> bool:
        """Whether any job was handed over."""
        return self._run.events is not None

    def make_folder(self) -> None:
        """Make the run's, once."""
        if self._made:
            return
        self._made = True
        if left := self._run.folder.create():
            self._run.progress.say(f"a run of this folder was killed; ended: {', '.join(left)}")

    def submit(self, jobs: list) -> None:
        """Hand jobs to the pilots that fit, which are started where they are not there yet.

        Raises
        ------
        DeepRCError
            Where a pilot that is needed cannot be started, or has ended and none follows.
        """
        first = not self.begun
        if first and (free := free_megabytes(self._run.folder.path)) < FULL:
            raise StorageError(
                "no space is left for the run's folder", where=self._run.folder.path.parent, found=f"{free} MB free",
                expected=f"{FULL} MB or more, and what pilots and jobs print", fix=ROOM,
            )  # fmt: skip
        if first:
            self._begin()
        for job in jobs:
            try:
                kind, asked = self._routes.kind(job), asks(job)
            except Exception as error:  # a value that only now is known: this job alone fails
                give_up(self._run, job, error)
                continue
            if kind.gone:
                raise DeepRCError(NO_MORE)
            kind.add(job, asked)
        for kind in self.kinds if first else ():
            kind.start(kind.shape.least)
        for kind in () if self._waits_for_room() else self.kinds:
            kind.hand_on()

    def look(self) -> None:
        """Take note of what has ended; have waiting jobs handed on, and idle pilots ended."""
        lanes = self.lanes
        for lane in lanes:
            lane.watch.look()
        with self._run.lock:
            full = any(kind.waiting for kind in self.kinds) and self._waits_for_room()
            for kind in self.kinds:
                if kind.waiting and internals.asked_to_end(self._run.workflow):
                    kind.give_up("the run was asked to end before it began")
                elif kind.waiting and kind.gone:
                    kind.give_up("the pilots that it fits have ended")
                elif kind.waiting and not full and kind.has_room:
                    self._bell.set()
            awaited, of = self._awaited()
            for kind in self.kinds:
                if kind.shape.name:
                    kind.shrink(self._run.settings.idle, "" if kind is of else awaited)
        self._metered.look()
        self._show(lanes)

    def cancel(self, hurry: threading.Event) -> None:
        """End all jobs (Ctrl-C): those that run get the time to save, until `hurry` is set."""
        run, running = self._run, False
        run.failed = True
        with run.lock:
            for lane in self.lanes:
                state = lane.state
                for uid in [uid for uid in list(state.pilot.running) if uid in state.jobs]:
                    outcome = Outcome(uid, "CANCELED", None, [], "the workflow was interrupted")
                    run.events.write(state.jobs[uid][1].ended(outcome).event(time.time()))
                    state.jobs[uid][1].show_command()
                state.jobs.clear()  # nobody wants to hear of each of 10,000
                running |= bool(state.pilot.running)
            for kind in self.kinds:
                kind.waiting.clear()
        if running:
            grace = run.settings.grace
            run.progress.say(f"the running jobs get {grace:g} s to end; Ctrl-C again ends them at once")
        _at_once([lambda lane=lane: lane.state.pilot.settle(hurry) for lane in self.lanes])
        if running and hurry.is_set():
            run.progress.say("interrupted again: what still runs is ended at once")

    def close(self, *, keep: bool) -> None:
        """End all pilots; their files go, unless they are to be kept."""
        with self._run.lock:
            ending = [thread for kind in self.kinds for thread in kind.ending]
            lanes = [lane for lane in self.lanes if lane.state.pilot.allocation.state != "CLOSED"]
        self._metered.look(last=True)
        _at_once([lambda lane=lane: lane.pilots.close(keep=keep) for lane in lanes])
        for thread in ending:
            thread.join()

    def _begin(self) -> None:
        """Write down the run."""
        run, there = self._run, self.allocation
        for kind in self.kinds:
            kind.template.planner.check_modules()
        self.make_folder()
        run.folder.private.write(run.folder.private.environment, users(os.environb, elsewhere=there.batch))
        run.events = Events(run.folder.path / "events.jsonl", run.mask)
        run.events.write(
            RunEvent(
                time=time.time(),
                run=run.folder.id,
                site=there.site.name,
                host=run.folder.host,
                cores=there.cores,
                versions=installed(PACKAGES),
                command=sys.argv,
            )
        )
        self._metered.begin(elsewhere=there.batch)

    def _attend(self) -> None:
        """Hand on what waits: in a thread of its own: looks are within an event loop, and preparing jobs wants one."""
        while True:
            self._bell.wait()
            self._bell.clear()
            with self._run.lock:
                for kind in self.kinds:
                    try:
                        kind.hand_on()
                    except Exception as error:
                        kind.refuse(str(error))

    def _awaited(self) -> tuple[str, PilotKind | None]:
        """A pilot that jobs wait for while it queues, and its shape, where idle ones of others may hold its nodes."""
        now, idle = time.monotonic(), self._run.settings.idle
        if now - self._asked < ASK or not any(kind.shape.least and kind.keeps_idle(idle) for kind in self.kinds):
            return "", None
        self._asked = now
        for kind in self.kinds:
            for lane in kind.awaited:
                if lane.state.pilot.allocation.queue_state:  # else it may have its nodes, and be about to begin
                    return lane.state.called, kind
        return "", None

    def _waits_for_room(self) -> bool:
        """Whether the run's folder is full: then no job is handed on, whose files could not be written."""
        now = time.monotonic()
        if now - self._looked > LOOK:
            self._looked, free, was = now, free_megabytes(self._run.folder.path), self._full
            self._full = free < FULL
            if self._full != was:
                what = f"no space is left in {self._run.folder.path.parent} ({free} MB free): jobs wait until there is"
                self._run.progress.say(f"{what}; {ROOM}" if self._full else "there is room again: jobs go on")
        return self._full

    def _show(self, lanes: Sequence[Lane]) -> None:
        progress, waiting = self._run.progress, sum(len(kind.waiting) for kind in self.kinds)
        states = [lane.state for lane in lanes]
        if any(state.announced for state in states):
            progress.status(*watch.status(states, waiting))
        busy = waiting or any(state.jobs for state in states)
        ends = internals.asked_to_end(self._run.workflow)  # a batch system that does not answer would hold it up
        if progress.silent and busy and not ends and not any(lane.pilots.replacing for lane in lanes):
            watch.heartbeat(states, waiting)


def require_nodes(there: Sequence[PilotKind]) -> None:
    """Raise a ConfigError where several pilots are wanted at once, and no batch system gives them nodes."""
    first = there[0].template.allocation
    if (len(there) > 1 or there[0].shape.most > 1) and not first.batch:
        raise ConfigError(
            "several pilots at once want nodes of their own, and this site has no batch system that gives them",
            where=f"site {first.site.name}",
            found=", ".join(kind.text for kind in there),
            expected="one pilot",
            fix="give one shape, without max; or a site with a batch system",
        )


def _at_once(calls: list) -> None:
    """Call all of them, at the same time where there are several."""
    if len(calls) == 1:
        calls[0]()
        return
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
