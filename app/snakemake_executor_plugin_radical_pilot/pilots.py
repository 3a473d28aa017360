"""Pilots that follow each other: taken, handed jobs, replaced where one is lost or its time is over, given up."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from deeprc.core.files import free_megabytes, storage_error
from deeprc.pilot import Allocation, Outcome, Pilot, Task
from snakemake_executor_plugin_radical_pilot import internals
from snakemake_executor_plugin_radical_pilot.asking import Asking
from snakemake_executor_plugin_radical_pilot.records import Submitted
from snakemake_executor_plugin_radical_pilot.state import State
from snakemake_executor_plugin_radical_pilot.submitting import Submitting

FULL = 5  # MB of free space below which the folder of a run counts as full
AGAIN = 75  # EX_TEMPFAIL: the exit code of a job that has saved what it did, and goes on with it (deeprc.learning)
TOO_LONG = "what is left to do takes longer than it lives"
# Seconds beside the grace of jobs: a batch system's clock began to run before the pilot was active.
BEFORE, BEFORE_IN_BATCH = 5.0, 60.0
DRAIN = 1.0  # seconds between two looks for jobs that begin too late
Plan = Callable[[], Pilot]


class Pilots:
    """Takes them.

    Parameters
    ----------
    planned
        The first one.
    in_turn
        How many there may be.
    again
        Makes another one.

    Attributes
    ----------
    held
        Names of jobs for the next pilot: this one does not live long enough, or they have saved themselves for it.
    lost
        What ran these has ended, and when; the pilot, too?
    replacing
        Whether another one is being taken.
    given_up
        Whether the last one was lost, with its jobs.
    """

    def __init__(
        self, state: State, asking: Asking, submitting: Submitting, planned: Pilot, *, in_turn: int, again: Plan
    ) -> None:
        self._state, self._asking, self._submitting = state, asking, submitting
        self._taken, self._in_turn = 0, in_turn
        self._planned, self._plan = planned, again
        self.held: set[str] = set()
        self._asked: set[str] = set()  # to end, since the pilot's time is nearly over
        self._drained: set[str] = set()  # told to wait for the next one, since its time is over before theirs
        self._looked = 0.0  # when it was looked for such
        self._why = TOO_LONG
        self.lost: dict[str, tuple[Outcome, float]] = {}
        self.replacing = self.given_up = False
        self._forgotten = False  # whether the batch system has lost one before it began
        self._broken: set[str] = set()  # nodes that no other pilot is to lie on

    @property
    def allocation(self) -> Allocation:
        """What the pilot has, or will have."""
        return (self._state.pilot or self._planned).allocation

    @property
    def may_replace(self) -> bool:
        """Whether another one may be taken; a job at hand has the nodes and the time that it has."""
        if self.allocation.held or self.allocation.refused or internals.asked_to_end(self._state.run.workflow):
            return False
        return self._taken < self._in_turn + (self.allocation.forgotten and not self._forgotten)

    @property
    def gone(self) -> bool:
        """Whether the pilot has ended, and none follows."""
        return self.allocation.ended and not self.replacing and not self.may_replace

    @property
    def draining(self) -> bool:
        """Whether jobs were asked to end, as the pilot's time is nearly over: no other ones begin."""
        return bool(self._asked)

    def begin(self) -> None:
        """Start the first pilot."""
        self._start(self._planned)

    def submit(self, tasks: list[Task]) -> None:
        """Hand tasks to the pilot, less those that it would not live to see the end of."""
        pilot = self._state.pilot
        late = [task for task in tasks if task.timeout and task.timeout > pilot.allocation.remaining]
        late = tasks if self._asked else late
        self.held |= {task.uid for task in late}
        pilot.submit([task for task in tasks if task.uid not in self.held])

    @property
    def why_held(self) -> str:
        """Why all that is left waits for another pilot."""
        return self._why

    @property
    def nearly_over(self) -> bool:
        """Whether jobs have to be asked to end now, to have saved what they did when the pilot's time is over."""
        there = self._state.pilot.allocation
        return there.active and not self._asked and there.remaining < self._before

    @property
    def _before(self) -> float:
        """Seconds before its end."""
        there = self._state.pilot.allocation
        before = self._state.pilot.grace + (BEFORE_IN_BATCH if there.batch else BEFORE)
        return min(before, there.runtime * 60 / 4)

    def ask(self) -> None:
        """Ask all jobs to end, but for those whose runtime is over in time; they go on in the next pilot."""
        state, there = self._state, self._state.pilot.allocation
        over = time.time() + there.remaining
        begun = {uid: state.pilot.running.get(uid, over) for uid in state.jobs.keys() - self.held}
        self._asked = {uid for uid, since in begun.items() if since + _seconds(state.jobs[uid][1]) > over}
        state.pilot.expect({})
        if self._asked:
            self._why = f"its time of {there.runtime} min is over"
            whose = f"the time of {state.called}" if state.name else "the pilot's time"
            state.run.progress.say(f"{whose} is nearly over: {len(self._asked)} jobs are asked to save and end")
            state.pilot.cancel([*self._asked])

    def drain(self) -> None:
        """Take back what has not begun and would not end in the pilot's time, for the next pilot.

        What may take the whole time of a pilot stays in one that has just begun: the next one would have no more.
        """
        there, now = self._state.pilot.allocation, time.monotonic()
        if now - self._looked < DRAIN or not there.active or not self.may_replace:
            return
        self._looked = now
        waits = self._state.jobs.keys() - self.held - self._asked - self._drained - self._state.pilot.running.keys()
        most = there.runtime * 60 - self._before
        seconds = {uid: _seconds(self._state.jobs[uid][1]) for uid in waits}
        late = {uid for uid, each in seconds.items() if each < math.inf and there.remaining < min(each, most)}
        if late:
            self._drained |= late
            self._state.pilot.expect({})
            self._state.pilot.cancel([*late])

    def keep(self, outcome: Outcome) -> bool:
        """Whether a job that has ended goes on in the next pilot: it was asked to end, or has saved what it did."""
        if outcome.uid not in self._state.jobs:
            return False
        submitted = self._state.jobs[outcome.uid][1]
        if outcome.uid in self._asked | self._drained and outcome.state in ("CANCELED", "LOST"):
            self.held.add(outcome.uid)
        elif outcome.state == "FAILED" and self.may_replace and submitted.ended(outcome).code == AGAIN:
            self.held.add(outcome.uid)
            self._why = "what is left to do was asked to end, and has saved what it did"
            self._state.run.progress.say(f"{submitted.stage.label} has saved what it did: it goes on in the next pilot")
        return outcome.uid in self.held

    def elsewhere(self, outcome: Outcome) -> bool:
        """Whether a job runs once more, on other nodes, since its node lacked what it needs to begin: it was not at
        fault. Where no node is left, the pilot is lost, and the job is one of those that it had.
        """
        state = self._state
        if outcome.state != "FAILED" or outcome.uid not in state.jobs:
            return False
        if not state.pilot.lacked(state.jobs[outcome.uid][1].files.folder, outcome.cores):
            return False
        if not state.pilot.allocation.ended:
            threading.Thread(target=self._again, args=(outcome,), daemon=True).start()  # as in `replace`
        return True

    def _again(self, outcome: Outcome) -> None:
        with self._state.run.lock:
            if self.replacing or outcome.uid not in self._state.jobs:
                return  # the next pilot has it
            info, submitted = self._state.jobs.pop(outcome.uid)
            lost = Outcome(outcome.uid, "LOST", None, outcome.cores, "its node lacks what it needs")
            self._state.run.events.write(submitted.ended(lost).event(time.time()))
            try:
                self.submit(self._submitting.tasks([info.job], again=True))
            except Exception as error:  # its disk is full
                self.allocation.fail(f"jobs could not be handed to it: {type(error).__name__}: {error}")

    def replace(self, reason: str) -> None:
        """Take another pilot, and hand it what the last one did not finish.

        In a thread of its own: Snakemake prepares jobs in an event loop, and this one looks in the midst of another.
        """
        self.replacing = True
        threading.Thread(target=self._replace, args=(reason,), daemon=True).start()

    def lose(self, reason: str) -> None:
        """The pilot ended before its jobs: say so once, and give them up."""
        state, pilot = self._state, self._state.pilot
        state.run.failed = self.given_up = True
        words, log = pilot.last_words()
        if free_megabytes(pilot.folder) < FULL:
            reason = f"{reason}; no space is left in {pilot.folder}"
        state.run.progress.failed(state.called, reason, words, str(log))
        lost = list(state.jobs.values())
        self._forget()
        for info, submitted in lost:
            outcome = Outcome(info.external_jobid, "FAILED", None, [], reason)
            state.run.events.write(submitted.ended(outcome).event(time.time()))
            submitted.show_command()
            state.run.reports.report_job_error(info)

    def close(self, *, keep: bool) -> None:
        """End the pilot; its files go, unless they are to be kept."""
        self._state.tell("closing")
        self._state.pilot.close(keep=keep)
        self._state.tell("closed")

    def _start(self, pilot: Pilot) -> None:
        there, state = pilot.allocation, self._state
        state.pilot, state.began, state.announced = pilot, time.time(), False
        self._taken += 1
        where = f", within job {there.held.job}" if there.held else ""
        what = f"a pilot on {there.site.name}" if not state.name else f"the pilot {state.name} on {there.site.name}"
        gpus = f", {there.gpus} accelerators" if state.name and there.gpus else ""
        state.run.progress.say(f"starting {what}{where}: {there.cores} cores{gpus}")
        self._state.tell("starting")
        try:
            pilot.start()
        except OSError as error:
            again = "name another folder by --radical-pilot-folder"
            raise storage_error(error, pilot.folder, room="remove folders of older runs", other=again) from None
        pilot.expect(self._submitting.foresee())

    def _replace(self, reason: str) -> None:
        with self._state.run.lock:
            try:
                self._hand_over(reason)
            except Exception as error:
                self.lose(f"{reason}; no other one could be taken: {error}")
            self.replacing = False

    def _hand_over(self, reason: str) -> None:
        state = self._state
        if self.allocation.forgotten:  # nothing of it was used: once, this one does not count
            self._in_turn, self._forgotten = self._in_turn + (not self._forgotten), True
        again = [*state.jobs.values()]
        self._broken.update(state.pilot.allocation.broken)
        without = f", without {', '.join(sorted(self._broken))}" if self._broken else ""
        going_on = f"taking another one for {len(again)} jobs{without}"
        state.run.progress.say(f"{state.called} has ended ({reason}): {going_on}")
        for info, submitted in again:
            outcome = Outcome(info.external_jobid, "LOST", None, [], reason)
            state.run.events.write(submitted.ended(outcome).event(time.time()))
        self.close(keep=True)
        pilot = self._plan()
        pilot.allocation.avoid(self._broken)
        self._start(pilot)
        self._forget()  # not before: `lose` gives these jobs up where no other pilot could be taken
        self.submit(self._submitting.tasks([info.job for info, _ in again], again=True))

    def _forget(self) -> None:
        for waiting in (self._state.jobs, self.held, self.lost, self._asked, self._drained):
            waiting.clear()
        self._why = TOO_LONG


def _seconds(submitted: Submitted) -> float:
    """What a job may take at most."""
    return submitted.asked.minutes * 60 if submitted.asked.minutes else math.inf
