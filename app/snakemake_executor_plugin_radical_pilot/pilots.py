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
from snakemake_executor_plugin_radical_pilot.records import Submitted
from snakemake_executor_plugin_radical_pilot.state import State
from snakemake_executor_plugin_radical_pilot.submitting import Submitting

FULL = 5  # MB of free space below which a pilot's folder counts as full
AGAIN = 75  # EX_TEMPFAIL: the exit code of a job that has saved what it did, and goes on with it (deeprc.learning)
TOO_LONG = "what is left to do takes longer than it lives"
# Seconds beside the grace of jobs: a batch system's clock began to run before the pilot was active.
BEFORE, BEFORE_IN_BATCH = 5.0, 60.0


class Pilots:
    """Takes them.

    Attributes
    ----------
    held
        Names of jobs for the next pilot: this one does not live long enough, or they have saved themselves for it.
    lost
        What ran these has ended, and when; the pilot, too?
    replacing
        Whether another one is being taken.
    """

    def __init__(self, state: State, asking: Asking, submitting: Submitting) -> None:
        self._state, self._asking, self._submitting = state, asking, submitting
        self._taken, self._made = 0, False
        self._planned = self._plan()
        self.held: set[str] = set()
        self._asked: set[str] = set()  # to end, since the pilot's time is nearly over
        self._why = TOO_LONG
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
        late = tasks if self._asked else late
        self.held |= {task.uid for task in late}
        pilot.submit([task for task in tasks if task not in late])

    @property
    def why_held(self) -> str:
        """Why all that is left waits for another pilot."""
        return self._why

    @property
    def nearly_over(self) -> bool:
        """Whether jobs have to be asked to end now, to have saved what they did when the pilot's time is over."""
        there = self._state.pilot.allocation
        before = self._state.pilot.grace + (BEFORE_IN_BATCH if there.batch else BEFORE)
        return there.active and not self._asked and there.remaining < min(before, there.runtime * 60 / 4)

    def ask(self) -> None:
        """Ask all jobs to end, but for those whose runtime is over in time; they go on in the next pilot."""
        state, there = self._state, self._state.pilot.allocation
        over = time.time() + there.remaining
        begun = {uid: state.pilot.running.get(uid, over) for uid in state.jobs.keys() - self.held}
        self._asked = {uid for uid, since in begun.items() if since + _seconds(state.jobs[uid][1]) > over}
        if self._asked:
            self._why = f"its time of {there.runtime} min is over"
            state.progress.say(f"the pilot's time is nearly over: {len(self._asked)} jobs are asked to save and end")
            state.pilot.cancel([*self._asked])

    def keep(self, outcome: Outcome) -> bool:
        """Whether a job that has ended goes on in the next pilot: it was asked to end, or has saved what it did."""
        if outcome.uid not in self._state.jobs:
            return False
        submitted = self._state.jobs[outcome.uid][1]
        if outcome.uid in self._asked and outcome.state in ("CANCELED", "LOST"):
            self.held.add(outcome.uid)
        elif outcome.state == "FAILED" and self.may_replace and submitted.ended(outcome).code == AGAIN:
            self.held.add(outcome.uid)
            self._why = "what is left to do was asked to end, and has saved what it did"
            self._state.progress.say(f"{submitted.stage.label} has saved what it did: it goes on in the next pilot")
        return outcome.uid in self.held

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
        for waiting in (self._state.jobs, self.held, self.lost, self._asked):
            waiting.clear()
        self._why = TOO_LONG


def _seconds(submitted: Submitted) -> float:
    """What a job may take at most."""
    return submitted.asked.minutes * 60 if submitted.asked.minutes else float("inf")
