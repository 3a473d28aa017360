"""The pilots of a run, one after the other: taken, handed jobs, replaced where one is lost or too short, given up."""

from __future__ import annotations

import os
import sys
import threading
import time

from deeprc.core.events import PilotEvent, RunEvent
from deeprc.core.files import free_megabytes
from deeprc.core.shipped import installed
from deeprc.pilot import Allocation, Outcome, Pilot, Task
from deeprc.pilot.environment import users
from snakemake_executor_plugin_radical_pilot import internals
from snakemake_executor_plugin_radical_pilot.asking import Asking
from snakemake_executor_plugin_radical_pilot.events import PACKAGES, Events
from snakemake_executor_plugin_radical_pilot.state import State
from snakemake_executor_plugin_radical_pilot.submitting import Submitting

FULL = 5  # MB of free space below which a pilot's folder counts as full


class Pilots:
    """Takes them.

    Attributes
    ----------
    held
        Tasks for the next pilot, since this one does not live long enough.
    lost
        What ran these has ended, and when; the pilot, too?
    replacing
        Whether another one is being taken.
    """

    def __init__(self, state: State, asking: Asking, submitting: Submitting) -> None:
        self._state, self._asking, self._submitting = state, asking, submitting
        self._taken, self._made = 0, False
        self._planned = self._plan()
        self.held: list[Task] = []
        self.lost: dict[str, tuple[Outcome, float]] = {}
        self.replacing = False
        self._broken: set[str] = set()  # nodes that no other pilot is to lie on

    @property
    def allocation(self) -> Allocation:
        """What the first pilot will have."""
        return self._planned.allocation

    @property
    def may_replace(self) -> bool:
        """Whether another one may be taken; a job at hand has the nodes and the time that it has."""
        if self.allocation.held or internals.asked_to_end(self._state.workflow):
            return False
        return self._taken < self._state.settings.pilots

    def _plan(self) -> Pilot:
        return self._asking.pilot(self._state.folder.path / f"pilot-{self._taken + 1}")

    def make_folder(self) -> None:
        """Make the run's, once."""
        if self._made:
            return
        self._made = True
        if left := self._state.folder.create():
            self._state.progress.say(f"a run of this folder was killed; ended: {', '.join(left)}")

    def begin(self) -> None:
        """Write down the run and start the first pilot."""
        pilot, folder = self._planned, self._state.folder
        pilot.planner.check_modules()
        self.make_folder()
        folder.private.write(folder.private.environment, users(os.environb, elsewhere=pilot.allocation.batch))
        self._state.events = Events(folder.path / "events.jsonl", self._state.mask)
        self._state.events.write(
            RunEvent(
                time=time.time(),
                run=folder.id,
                site=pilot.allocation.site.name,
                host=folder.host,
                cores=pilot.allocation.cores,
                versions=installed(PACKAGES),
                command=sys.argv,
            )
        )
        self._start(pilot)

    def submit(self, tasks: list[Task]) -> None:
        """Hand tasks to the pilot, less those that it would not live to see the end of."""
        pilot = self._state.pilot
        late = [task for task in tasks if task.timeout and task.timeout > pilot.allocation.remaining]
        self.held += late
        pilot.submit([task for task in tasks if task not in late])

    def replace(self, reason: str) -> None:
        """Take another pilot, and hand it what the last one did not finish.

        In a thread of its own: Snakemake prepares jobs in an event loop, and this one looks in the midst of another.
        """
        self.replacing = True
        threading.Thread(target=self._replace, args=(reason,), daemon=True).start()

    def lose(self, reason: str) -> None:
        """The pilot ended before its jobs: say so once, and give them up."""
        state, pilot = self._state, self._state.pilot
        state.failed = True
        words, log = pilot.last_words()
        if free_megabytes(pilot.folder) < FULL:
            reason = f"{reason}; no space is left in {pilot.folder}"
        state.progress.failed("the pilot", reason, words, str(log))
        lost = list(state.jobs.values())
        self._forget()
        for info, submitted in lost:
            outcome = Outcome(info.external_jobid, "FAILED", None, [], reason)
            state.events.write(submitted.ended(outcome).event(time.time()))
            state.reports.report_job_error(info)

    def close(self, *, keep: bool) -> None:
        """End the pilot; its files go, unless they are to be kept."""
        self.tell("closing")
        self._state.pilot.close(keep=keep)
        self.tell("closed")

    def tell(self, state: str, why: str | None = None) -> None:
        """Write down a state of the pilot, and the batch system's reason for it."""
        cores = self._state.pilot.allocation.cores
        self._state.events.write(PilotEvent(time=time.time(), state=state, cores=cores, why=why))

    def _start(self, pilot: Pilot) -> None:
        there, state = pilot.allocation, self._state
        state.pilot, state.began, state.announced = pilot, time.time(), False
        self._taken += 1
        where = f", within job {there.held.job}" if there.held else ""
        state.progress.say(f"starting a pilot on {there.site.name}{where}: {there.cores} cores")
        self.tell("starting")
        pilot.start()

    def _replace(self, reason: str) -> None:
        with self._state.lock:
            try:
                self._hand_over(reason)
            except Exception as error:
                self.lose(f"{reason}; no other one could be taken: {error}")
            self.replacing = False

    def _hand_over(self, reason: str) -> None:
        state = self._state
        again = [*state.jobs.values()]
        self._broken.update(state.pilot.allocation.broken)
        without = f", without {', '.join(sorted(self._broken))}" if self._broken else ""
        state.progress.say(f"the pilot has ended ({reason}): taking another one for {len(again)} jobs{without}")
        for info, submitted in again:
            outcome = Outcome(info.external_jobid, "LOST", None, [], reason)
            state.events.write(submitted.ended(outcome).event(time.time()))
        self.close(keep=True)
        self._forget()
        pilot = self._plan()
        pilot.allocation.avoid(self._broken)
        self._start(pilot)
        self.submit(self._submitting.tasks([info.job for info, _ in again], again=True))

    def _forget(self) -> None:
        for waiting in (self._state.jobs, self.held, self.lost):
            waiting.clear()
