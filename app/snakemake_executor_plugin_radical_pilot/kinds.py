"""The pilots of one shape: as many as its jobs need, between its minimum and its maximum."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence

from deeprc.core.errors import ConfigError, DeepRCError
from deeprc.pilot import Pilot
from deeprc.pilot.at_hand import ANEW, at_hand
from deeprc.sites import load_site
from snakemake_executor_plugin_radical_pilot import internals
from snakemake_executor_plugin_radical_pilot.asking import Asking
from snakemake_executor_plugin_radical_pilot.partitions import chosen
from snakemake_executor_plugin_radical_pilot.pilots import Pilots
from snakemake_executor_plugin_radical_pilot.resources import Request
from snakemake_executor_plugin_radical_pilot.routing import PilotLoad, PilotRoom, pick, share, surplus, wanted
from snakemake_executor_plugin_radical_pilot.shapes import OPTION, PilotShape
from snakemake_executor_plugin_radical_pilot.state import State, WorkflowRun
from snakemake_executor_plugin_radical_pilot.submitting import Submitting, give_up
from snakemake_executor_plugin_radical_pilot.watch import Watch
from snakemake_executor_plugin_radical_pilot.writer import Writer

AT_ONCE = 100  # jobs that are prepared and handed over together: the pilot runs them while the next ones are prepared


class Lane:
    """A pilot of some shape, and those that follow it in its place.

    Attributes
    ----------
    since
        Since when it has nothing to do, by the monotonic clock; None where it has.
    """

    def __init__(self, state: State, pilots: Pilots, submitting: Submitting) -> None:
        self.state, self.pilots, self.submitting = state, pilots, submitting
        self.watch = Watch(state, pilots)
        self.since: float | None = None

    def load(self, room: PilotRoom) -> PilotLoad:
        """What it has to do."""
        there, pilots = self.state.pilot.allocation, self.pilots
        taken = sum(share(submitted.asked, room) for _, submitted in self.state.jobs.values())
        return PilotLoad(taken, there.active, there.remaining, not (there.ended or pilots.replacing or pilots.draining))

    def take(self, jobs: list) -> None:
        """Hand it jobs. Where that cannot be done (its disk is full), it is lost, so that they do not wait for ever."""
        self.since = None
        try:
            for at in range(0, len(jobs), AT_ONCE):
                self.pilots.submit(self.submitting.tasks(jobs[at : at + AT_ONCE]))
        except Exception as error:
            self.submitting.tasks(jobs[at + AT_ONCE :])  # that the others are its jobs, too: they go where these go
            self.state.pilot.allocation.fail(f"jobs could not be handed to it: {type(error).__name__}: {error}")


class PilotKind:
    """All of one shape, and the jobs that wait until one of them has room.

    Attributes
    ----------
    template
        A pilot as each of them is, to look at; the first one that is started.
    lanes
        Those that were started, and have not been ended because they were idle.
    ending
        The threads that end such.
    refused
        Whether one could not be started: no more are.
    """

    def __init__(
        self, run: WorkflowRun, shape: PilotShape, writer: Writer, numbers: Iterator[int], *, whole: bool, dry: bool
    ) -> None:
        self.shape, self._run, self._writer, self._numbers = shape, run, writer, numbers
        self._settings = shape.settings(run.settings)
        self.asking = Asking(State(run, self._settings, shape.name))
        self.template = self._plan(whole=whole, dry=dry)
        there = self.template.allocation
        memory = (there.partition.memory_mb or 0) * there.nodes
        self.room = PilotRoom(there.cores, there.gpus, memory)
        self.lanes: list[Lane] = []
        self.ending: list[threading.Thread] = []
        self.waiting: deque[tuple[object, float, float]] = deque()  # jobs, the part that each takes, its seconds
        self.refused, self._started, self._parts = False, 0, 0.0  # the parts of those that wait, in all

    @property
    def text(self) -> str:
        """It, for people."""
        there = self.template.allocation
        what = f"{there.nodes} node{'s' * (there.nodes > 1)} of {there.partition.name}"
        parts = [f"{self.room.cores} cores", *([f"{self.room.gpus} accelerators"] if self.room.gpus else [])]
        parts += [f"{self.room.memory_mb} MB of memory"] if self.room.memory_mb else []
        return f"{self.shape.name or 'the pilot'} ({what}: {', '.join(parts)}, {there.runtime} min)"

    @property
    def living(self) -> list[Lane]:
        """Those that run jobs, or will."""
        return [lane for lane in self.lanes if not lane.pilots.gone]

    @property
    def stopped(self) -> bool:
        """Whether no more are started."""
        return self.refused or any(lane.pilots.given_up for lane in self.lanes)

    @property
    def gone(self) -> bool:
        """Whether no job can run in one of them any more."""
        return not self.living and (self.stopped or (bool(self.lanes) and not self.shape.name))

    @property
    def has_room(self) -> bool:
        """Whether a job that waits could be handed on, or a pilot is to be started for it."""
        living, (_, part, seconds) = self.living, self.waiting[0]
        if self.shape.most == 1:
            return True
        return self._lacking(living) > 0 or pick(part, seconds, [lane.load(self.room) for lane in living]) is not None

    def add(self, job: object, asked: Request) -> None:
        """Have a job wait, which asks for that; `hand_on` looks for a pilot."""
        part = share(asked, self.room)
        self.waiting.append((job, part, asked.minutes * 60))
        self._parts += part

    def start(self, count: int) -> None:
        """Start pilots, until there are so many.

        Raises
        ------
        DeepRCError
            Where one cannot be.
        """
        while len(self.living) < count and not self.stopped:
            self._start()

    def hand_on(self) -> None:
        """Hand waiting jobs to pilots in the order that they came, and start those that are missing."""
        if not self.waiting:
            return
        living = self.living
        self.start(len(living) + self._lacking(living))
        living = self.living
        if self.shape.most == 1:  # all to the one, which has its own queue
            jobs = [job for job, *_ in self.waiting]
            self.waiting.clear()
            self._parts = 0.0
            (living or self.lanes)[-1].take(jobs)
            return
        loads = [lane.load(self.room) for lane in living]
        given: list[list] = [[] for _ in living]
        passed = []
        while self.waiting:
            job, part, seconds = self.waiting[0]
            number = pick(part, seconds, loads)
            if number is None and any(load.open and seconds <= load.remaining for load in loads):
                break  # no younger one overtakes it
            self.waiting.popleft()
            self._parts -= part
            if number is None:  # for the next pilot: none lives for so long
                passed.append((job, part, seconds))
                self._parts += part
                continue
            given[number].append(job)
            old = loads[number]
            loads[number] = PilotLoad(old.share + part, old.active, old.remaining)
        self.waiting.extendleft(reversed(passed))
        for lane, jobs in zip(living, given, strict=True):
            if jobs:
                lane.take(jobs)

    @property
    def awaited(self) -> list[Lane]:
        """Those that have not begun, and that jobs wait for."""
        found = [lane for lane in self.living if lane.state.jobs or self.waiting]
        return [lane for lane in found if not (lane.state.pilot.allocation.active or lane.pilots.replacing)]

    def keeps_idle(self, limit: float) -> bool:
        """Whether one has had nothing to do for `limit` seconds, and lives since it is of the minimum."""
        now = time.monotonic()
        return any(lane.since is not None and now - lane.since > limit for lane in self.lanes)

    def shrink(self, limit: float, awaited: str = "") -> None:
        """End the pilots that have had nothing to do for `limit` seconds, but for the minimum; forget those that have
        ended by themselves meanwhile. Where jobs wait for a pilot of another shape in its queue (`awaited`), perhaps
        for these very nodes, the minimum is none, until jobs need them again.
        """
        now, living = time.monotonic(), []
        for lane in [*self.lanes]:
            there = lane.state.pilot.allocation
            if there.ended and not lane.state.jobs and not lane.pilots.replacing and not lane.pilots.given_up:
                self.refused |= not lane.state.announced  # a queue has refused it
                self._end(lane, f"{lane.state.called} has ended: {there.why}")
            elif not lane.pilots.given_up:
                living.append(lane)
        idle = []
        for lane in living:
            works = lane.state.jobs or lane.pilots.replacing or (self.waiting and not lane.state.announced)
            lane.since = None if works else lane.since or now
            idle.append(-1.0 if lane.since is None else now - lane.since)
        kept = 0 if self.waiting or awaited else self.shape.least
        waits = f", as jobs wait for {awaited}, which queues; it is started anew for the next jobs" if awaited else ""
        for number in surplus(idle, kept, limit):
            called = living[number].state.called
            self._end(living[number], f"{called} has had nothing to do for {limit:g} s: it ends{waits}")

    def give_up(self, why: str) -> None:
        """All jobs that wait have failed."""
        waiting = [*self.waiting]
        self.waiting.clear()
        self._parts = 0.0
        for job, *_ in waiting:
            give_up(self._run, job, DeepRCError(why))

    def refuse(self, why: str) -> None:
        """Start no more of them, since one could not be."""
        self.refused = self._run.failed = True
        self._run.progress.failed(f"the pilot {self.shape.name}", "it could not be started", why.splitlines(), "none")

    def _lacking(self, living: Sequence[Lane]) -> int:
        """How many are to be started."""
        if self.shape.most == 1:
            return 0 if living or self.stopped or (self.lanes and not self.shape.name) else 1
        loads = [lane.load(self.room) for lane in living]
        taken = sum(load.share for load in loads) + self._parts
        # Jobs that no living one has the time for are passed over, and so come first.
        short = bool(self.waiting) and all(self.waiting[0][2] > load.remaining for load in loads)
        count = max(wanted(taken, self.shape.least, self.shape.most), min(len(living) + short, self.shape.most))
        return 0 if self.stopped else max(0, count - len(living))

    def _start(self) -> None:
        self._started += 1
        name = f"{self.shape.name}/{self._started}" if self.shape.most > 1 else self.shape.name
        state = State(self._run, self._settings, name)
        submitting = Submitting(state, self.asking, self._writer, self._numbers)
        planned = self.template if self._started == 1 else self._another()
        pilots = Pilots(
            state, self.asking, submitting, planned, in_turn=self.shape.replacements + 1, again=self._another
        )
        lane = Lane(state, pilots, submitting)
        try:
            pilots.begin()
        except BaseException:  # half of it may be there
            with contextlib.suppress(Exception):
                pilots.close(keep=True)
            raise
        self.lanes.append(lane)  # not before: whoever looks at it finds its pilot

    def _plan(self, *, whole: bool = False, dry: bool = False) -> Pilot:
        self._run.pilots += 1
        return self.asking.pilot(self._run.folder.path / f"pilot-{self._run.pilots}", whole=whole, dry=dry)

    def _another(self) -> Pilot:
        """One as the template, not started: what jobs want of that one's allocation they want of its."""
        pilot = self._plan()
        pilot.allocation.want(self.template.allocation.options)
        return pilot

    def _end(self, lane: Lane, why: str) -> None:
        self.lanes.remove(lane)
        self._run.progress.say(why)
        keep = self._run.failed or self._settings.keep
        self.ending.append(threading.Thread(target=lambda: lane.pilots.close(keep=keep)))
        self.ending[-1].start()


def kinds(run: WorkflowRun, writer: Writer, numbers: Iterator[int], *, dry: bool = False) -> list[PilotKind]:
    """Those that a run's settings ask for, in their order.

    Parameters
    ----------
    numbers
        Of jobs, in the names of their tasks.
    dry
        Whether nothing is to be started: any machine will do.
    """
    wish, site = run.settings.wish, load_site(run.settings.site)
    shapes = wish.shapes
    if wish.listed and (held := at_hand(site)):
        run.progress.say(f"within job {held.job}: its nodes are the one pilot, of whatever shape")
        shapes = (PilotShape(replacements=0, image=_one_image(shapes)),)
    elif wish.auto:
        shapes = chosen(wish.shapes[0], site, run.settings, internals.jobs_to_run(run.dag))
    return [PilotKind(run, shape, writer, numbers, whole=len(shapes) == 1, dry=dry) for shape in shapes]


def _one_image(shapes: Sequence[PilotShape]) -> str | None:
    """What all of them name: a Snakefile takes these for the images of the jobs (`image.digest`)."""
    images = list(dict.fromkeys(shape.image for shape in shapes))
    if len(images) > 1:
        raise ConfigError(
            "within a job of the batch system the pilots are one, with one image", where=OPTION,
            found=", ".join(f"image={image}" if image else "no image named" for image in images),
            expected="the same for all shapes",
            fix=f"name it in each, or in none; or with {ANEW}=new, for jobs of their own",
        )  # fmt: skip
    return images[0]
