"""Looks at the pilot: what has ended, whether it lives; and tells the user how the run goes on."""

from __future__ import annotations

import time
from collections.abc import Sequence

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from deeprc.pilot import Outcome, detached
from snakemake_executor_plugin_radical_pilot import direct, internals
from snakemake_executor_plugin_radical_pilot.pilots import TOO_LONG, Pilots
from snakemake_executor_plugin_radical_pilot.records import Submitted
from snakemake_executor_plugin_radical_pilot.state import State

LAST_WORDS = 15.0  # seconds after the end of a worker in which its pilot's end may become known
HUNG = 15.0  # seconds without a job that runs after which a run that was asked to end waits no longer
SOON = 2.0  # the same where the pilot has not begun
SLOW_WORDS = 45.0  # the same where a batch system ends it, which lets its programs end first
ASK = 3.0  # seconds between two questions to a batch system whether it has
CLOCK = 5.0  # seconds that a node's clock may differ before that is told
STARTUP_LIMIT = 300.0  # seconds that a pilot without a queue may take to become active


class Watch:
    """Of a run."""

    def __init__(self, state: State, pilots: Pilots) -> None:
        self._state, self._pilots = state, pilots
        self._asked = 0.0  # when the batch system was asked
        self._ran = time.monotonic()  # when a job was last seen running, or nobody had asked the run to end

    def look(self) -> None:
        """One look; it costs microseconds, however many jobs wait."""
        state = self._state
        if not state.announced and not self._pilots.replacing and not state.pilot.allocation.ended:
            self._announce()
        with state.run.lock:
            if not self._pilots.replacing:
                self._take()

    def _take(self) -> None:
        """Take note of what ended."""
        state, pilots, there, now = self._state, self._pilots, self._state.pilot.allocation, time.monotonic()
        if state.jobs and pilots.nearly_over:
            pilots.ask()
        pilots.drain()
        for event in state.pilot.events():
            state.run.events.write(event)
        for outcome in state.pilot.outcomes():
            if pilots.keep(outcome) or pilots.elsewhere(outcome):
                continue
            if outcome.state == "LOST":
                pilots.lost[outcome.uid] = outcome, now
            else:
                self._end(outcome)
        if there.batch and state.jobs and (pilots.lost or there.ended) and now - self._asked > ASK:
            self._asked = now
            there.look_after()
        if state.pilot.running or not internals.asked_to_end(state.run.workflow):
            self._ran = now
        elif state.jobs and now - self._ran > (HUNG if there.active else SOON):
            since = f"has run for {HUNG:.0f} s" if there.active else "can have begun"
            there.fail(f"the run was asked to end, and none of its jobs {since}")
        only_held = pilots.held and len(pilots.held) == len(state.jobs)
        if only_held and not pilots.may_replace:
            too_short = f"it lives for {there.remaining / 60:.0f} min more, less than the runtime of its jobs"
            there.fail(too_short if pilots.why_held == TOO_LONG else pilots.why_held)
            detached.over(state.run.folder.path.parent.parent)
        if state.jobs and (there.ended or only_held):
            reason = there.why
            if pilots.may_replace:
                pilots.replace(pilots.why_held if only_held else reason)
                return
            pilots.lose(reason)
        for uid, (outcome, since) in list(pilots.lost.items()):
            if now - since > (SLOW_WORDS if there.batch else LAST_WORDS):
                del pilots.lost[uid]
                self._end(outcome)

    def _announce(self) -> None:
        """Tell when the pilot has become active, and give it up when that takes too long."""
        state, there = self._state, self._state.pilot.allocation
        seconds = time.time() - state.began
        if there.active:
            state.announced = True
            state.tell("active")
            state.run.progress.say(f"{state.called} is ready ({seconds:.0f} s)")
        elif seconds > STARTUP_LIMIT and not there.queued:
            there.fail(f"it did not start within {STARTUP_LIMIT:.0f} s")

    def _end(self, outcome: Outcome) -> None:
        state = self._state
        info, submitted = state.jobs.pop(outcome.uid, (None, None))
        if info is None:  # cancelled, and reported already
            return
        try:
            self._conclude(info, submitted, outcome)
        except Exception as error:  # whatever a job leaves behind, the others go on
            state.run.failed = True
            why = f"its end could not be taken in: {type(error).__name__}: {error}"
            state.run.progress.failed(submitted.stage.label, why, [], str(submitted.files.folder))
            state.run.reports.report_job_error(info)

    def _conclude(self, info: SubmittedJobInfo, submitted: Submitted, outcome: Outcome) -> None:
        state = self._state
        submitted.join_output()
        ended, stage, now = submitted.ended(outcome), submitted.stage, time.time()
        event = ended.event(now)
        if abs(skew := ended.skew(now)) > CLOCK and event.nodes:
            node, which = event.nodes[0], "ahead of" if skew > 0 else "behind"
            told = f"the clock of {node} is some {abs(skew):.0f} s {which} this machine's: times of its jobs are moved"
            state.run.tell_once(node, "clock", told)
        state.run.events.write(event)
        if ended.failed or state.run.settings.keep:
            submitted.show_command()
        if ended.failed:
            state.run.failed = True
            state.run.reports.report_job_error(info, ended=ended)
            return
        if direct.has_benchmark(info.job) and direct.is_direct(info.job, state.run.workflow):
            seconds = [stop - start for start, stop in submitted.files.times()]
            direct.write_benchmark(info.job, state.run.workflow, seconds, submitted.files.samples())
        seconds = event.stop - event.start if event.start is not None else 0.0
        state.run.progress.finished(stage.label, seconds, len(state.pilot.running), stage.jobs)
        state.run.reports.report_job_success(info)


def status(states: Sequence[State], waiting: int) -> tuple[int, int, str]:
    """How many jobs run and wait in all pilots (`waiting` ones beside), and what cores they take."""
    live = [state for state in states if state.announced and not state.pilot.allocation.ended]
    running = [state.jobs[uid][1].asked for state in live for uid in [*state.pilot.running] if uid in state.jobs]
    used, there = sum(asked.cores for asked in running), sum(state.pilot.allocation.cores for state in live)
    known = sum(len(state.jobs) for state in states)
    return len(running), known + waiting - len(running), f"{used} of {there} cores"


def heartbeat(states: Sequence[State], waiting: int) -> None:
    """What the pilots do, in a line for those that are not ready and one for the others."""
    for state in states:
        if not state.announced and not state.pilot.allocation.ended:
            if why := state.pilot.allocation.queue_state:
                state.tell("waiting", why)
            state.pilot.allocation.give_up_for_ever()
            line = f"{state.called} is {why or 'still starting'} · {len(state.jobs)} waiting"
            state.run.progress.say(line)
    now, live = time.time(), [state for state in states if state.announced]
    for state in live:  # of an engine whose job has gone back into the queue nothing is heard
        state.pilot.allocation.look_after()
    names = [
        (state.jobs[uid][1].stage.label, now - since)
        for state in live
        for uid, since in state.pilot.running.copy().items()
        if uid in state.jobs
    ]
    if live:
        waits = sum(len(state.jobs) for state in live) + waiting - len(names)
        live[0].run.progress.heartbeat(names, waits)
