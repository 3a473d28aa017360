"""The near side of a pilot: start it, hand it tasks, hear what became of them, close it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import asdict, replace
from pathlib import Path

from deeprc.core.errors import ConfigError
from deeprc.core.ownership import PRIVATE, private
from deeprc.images.catalog import Image, load_catalog
from deeprc.launch import Layout, Plan, compose
from deeprc.launch.choose import choose_image
from deeprc.launch.modules import probe
from deeprc.launch.runtimes import suffix
from deeprc.pilot import curve, ended, inside
from deeprc.pilot.address import LOOPBACK, own_address
from deeprc.pilot.batch import Submission, give_back, queue_state, submission
from deeprc.pilot.environment import broker_environment, check_path, passed_on, refusal
from deeprc.pilot.launching import END, NAME, devices, launch_script, listens, setup, slots
from deeprc.pilot.processes import PATIENCE, note_session, sweep
from deeprc.pilot.pulls import Pulls, Say
from deeprc.pilot.queueing import NOTHING, Queueing
from deeprc.pilot.resource import bootstrap_text, resource_config, write_resource_config
from deeprc.pilot.tasks import Outcome, Shape, Task
from deeprc.pilot.workers import PROGRAM, Workers
from deeprc.sites import Site
from deeprc.sites.allocation import asked
from deeprc.sites.options import whole

GRACE = 30.0  # seconds that a task gets to save
LOOK = 0.2  # seconds between two looks at the tasks of several ranks
GONE = "the process that holds RADICAL-Pilot has ended"


class Pilot:
    """One pilot on a site's partition.

    `state` is NEW, STARTING, RADICAL-Pilot's own state of it (`active` once it runs tasks), FAILED or CLOSED; `running`
    holds the tasks that run and since when (seconds since the epoch).

    Parameters
    ----------
    folder
        Where all of RADICAL-Pilot's files go; made by `start`, readable by its owner only.
    runtime
        How long the pilot may live, minutes.
    queueing
        What the batch system is asked for beside: whom it charges, its quality of service…
    image
        A variant of the catalog for tasks that may run in an image, or `none`; the best one for each, if not given.
    grace
        Seconds from the signal that asks a task to end to the one that makes it.
    say
        Takes a line for the user.
    """

    def __init__(
        self, site: Site, folder: Path, *, partition: str | None = None, nodes: int = 1, cores: int | None = None,
        runtime: int = 60, queueing: Queueing = NOTHING, image: str | None = None, grace: float = GRACE,
        say: Say = lambda _: None,
    ) -> None:  # fmt: skip
        for name, count in (("nodes", nodes), ("cores", cores), ("runtime", runtime)):
            if count is not None and count < 1:
                raise ConfigError(f"a pilot without {name}", found=f"{name} = {count}", expected="1 or more")
        for what, path, fix in (
            ("the private folder", folder.absolute(), "name a plain one by --radical-pilot-folder; the rest may stay"),
            ("the project's environment", Path(sys.prefix), "put the project into a folder of a plain name"),
        ):
            check_path(path, what=what, fix=fix)
        curve.check()
        self.site, self.partition = site, site.partition(partition)
        if self.batch and nodes > self.partition.nodes:
            raise ConfigError(
                f"{nodes} nodes: more than there are",
                where=f"site {site.name}, partition {self.partition.name}",
                expected=f"at most {self.partition.nodes}",
                fix="fewer --radical-pilot-nodes",
            )
        if cores is not None:
            self.partition = self.partition.model_copy(update={"cores": cores, "reserved_cores": []})
        self.nodes, self.runtime, self.folder = nodes, runtime, folder.absolute()
        self.queueing, self._image, self._plans = queueing, image, {}
        self.grace = grace
        self.sees: list[Path] = []  # folders that workers in an image see, beside the pilot's own
        self._contained: list[Path] = []  # their scripts
        self.private: list[Path] = []  # files that are removed, too, where this process is killed
        self.pulls = Pulls(site, self.folder / "tasks", say)
        self._extra: dict[
            tuple[str, ...], None
        ] = {}  # what tasks want of the allocation, in the order that they said so
        self.mark = uuid.uuid4().hex
        self.state = "NEW"
        self.reason: str | None = None
        self.running: dict[str, float] = {}
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._broker: subprocess.Popen | None = None
        self._active_since: float | None = None
        self._workers: Workers | None = None
        self._several: dict[str, Task] = {}  # those of several ranks, which RADICAL-Pilot starts one by one
        self._ending: dict[str, tuple[str, float]] = {}  # why a task of several ranks is to end, and until when
        self._sending = threading.Lock()
        if self.batch:
            self._submission()  # what it cannot be asked for is told before jobs are looked at
        else:
            queueing.check(site.scheduler.name)

    @property
    def cores(self) -> int:
        """Cores of the whole pilot."""
        return self.nodes * self.partition.usable_cores

    @property
    def gpus(self) -> int:
        """Accelerators of the whole pilot."""
        return self.nodes * self.partition.gpus

    @property
    def memory_mb(self) -> int:
        """Memory of a node, MB; endless where the site file does not tell."""
        return self.partition.memory_mb or sys.maxsize

    @property
    def active(self) -> bool:
        """Whether it runs tasks."""
        return self.state == "PMGR_ACTIVE"

    @property
    def remaining(self) -> float:
        """Seconds that the pilot may still live."""
        lived = time.monotonic() - self._active_since if self._active_since is not None else 0.0
        return self.runtime * 60 - lived

    @property
    def queue_state(self) -> str | None:
        """Why the pilot's job waits in its queue, as far as the batch system is asked; that takes a moment."""
        return queue_state(self.site.scheduler.name, self.job) if self.batch else None

    @property
    def why(self) -> str:
        """Why it has ended."""
        if self.reason is None and self.remaining < 15:
            return f"its time of {self.runtime} min is over"
        return self.reason or f"RADICAL-Pilot says: {self.state}"

    @property
    def ended(self) -> bool:
        """Whether no task can run any more."""
        return self.state in {"FAILED", "CANCELED", "DONE", "CLOSED"}

    @property
    def batch(self) -> bool:
        """Whether a batch system gives it its nodes."""
        return self.site.scheduler.name != "fork"

    @property
    def job(self) -> str:
        """What the batch system's job is called."""
        return f"deeprc-{self.mark[:8]}"  # PBS takes 15 characters

    def layout(self, task: Task) -> Layout:
        """How a task's ranks lie on the pilot's nodes: evenly, on as few as possible, or as many as it asks for."""
        each = self.partition.usable_cores // task.cores_per_rank
        if task.gpus_per_rank:
            each = min(each, self.partition.gpus // task.gpus_per_rank)
        if task.memory_mb:
            each = min(each, self.memory_mb // task.memory_mb)
        least = -(-task.ranks // max(1, each))
        ranks_per_node = -(-task.ranks // max(least, min(task.nodes, self.nodes)))
        nodes = -(-task.ranks // ranks_per_node)  # nine ranks on four nodes are three times three
        if nodes > self.nodes or not each:
            node = self.partition.usable_cores, self.partition.gpus, self.memory_mb if task.memory_mb else 0
            asked, there = _amounts(*task.shape.room), _amounts(*node)
            raise ConfigError(
                f"{task.ranks} ranks of {asked} do not fit",
                expected=f"{self.nodes} nodes with {there} each",
                fix="ask for less, or take a larger pilot (--radical-pilot-nodes)",
            )
        memory = task.memory_mb if self.partition.memory_mb else 0
        return Layout(task.ranks, task.cores_per_rank, task.gpus_per_rank, nodes, memory)

    @property
    def contains(self) -> bool:
        """Whether tasks that may run in an image do so."""
        return self._image != "none" and (self._image is not None or self.site.runtime.kind != "none")

    def plan(self, task: Task) -> Plan:
        """How a task is started: what `deeprc plan` prints, with the nodes left to the pilot."""
        key = task.shape.room, task.ranks, task.nodes, task.comm, task.contained
        if key not in self._plans:
            self._plans[key] = self._compose(task)
        return replace(self._plans[key], command=task.argv)

    def _compose(self, task: Task) -> Plan:
        layout = self.layout(task)
        image = self._choose(layout) if task.contained else None
        plan = compose(self.site, self.partition, layout, [], image=image, comm=task.comm, placed=True)
        if image and not plan.refused and suffix(self.site.runtime.kind):
            path = self.pulls.path(image, self.partition.architecture)
            many = self.cores // task.cores_per_rank if task.ranks == 1 else None  # of such tasks, each with its own
            plan = compose(
                self.site, self.partition, layout, [], image=image, image_path=str(path), comm=task.comm, placed=True,
                containers=many,
            )  # fmt: skip
        common = asked(self.site, self.partition, layout.nodes, layout.ranks_per_node)
        there = whole(common)
        for option in whole(plan.scheduler_options[len(common) :]):
            if option in there or option in self._extra:
                continue
            if self.state != "NEW":
                raise ConfigError(
                    f"a task needs an allocation with {' '.join(option)}, and the pilot was taken without",
                    fix="run it in a workflow of its own, whose pilot then has it",
                )
            self._extra[option] = None
        return plan

    def _choose(self, layout: Layout) -> Image | None:
        if not self.contains:
            return None
        catalog = load_catalog()
        if self._image in (None, "auto"):
            return choose_image(catalog, self.site, self.partition, nodes=layout.nodes, gpus=layout.gpus_per_rank > 0)
        return catalog.image(self._image)

    def check_modules(self) -> None:
        """Raise a ConfigError where modules of the site do not load: a job would find that out in the queue."""
        elsewhere = self.site.runtime.modules if self.site.runtime.where == "compute" else []
        wanted = [*self.site.modules, *(name for plan in self._plans.values() for name in plan.modules)]
        problems = probe([name for name in dict.fromkeys(wanted) if name not in elsewhere])
        if problems:
            raise ConfigError(
                f"modules of {self.site.name} do not load",
                found="; ".join(map(str, problems)),
                fix="mend `modules` in the site file (`module spider NAME` shows what there is), or ask the facility",
            )

    def _submission(self) -> Submission:
        extra = [word for option in self._extra for word in option]
        return submission(
            self.site, self.partition, name=self.job, nodes=self.nodes, queueing=self.queueing, extra=extra
        )

    def start(self) -> None:
        """Start the pilot and return at once."""
        for name in ("", "home", "tmp", "log", "sandbox", "tasks"):
            private(self.folder / name, fix="name another folder for the pilot")
        curve.write(self.folder)
        address = own_address() if self.batch else None
        bootstrap = self.folder / "bootstrap.sh"
        given = None
        if self.batch:
            given = self._submission()
            bootstrap.write_text(bootstrap_text(self.site, self.folder, towards=address))
        config = resource_config(self.site, self.partition, sandbox=self.folder / "sandbox", bootstrap=bootstrap)
        resource = write_resource_config(self.folder, self.site, config)
        self.state = "STARTING"
        own = broker_environment(self.folder, self.mark, towards=address or LOOPBACK, given=given)
        self._broker = subprocess.Popen(
            [sys.executable, "-m", "deeprc.pilot.broker"],
            cwd=self.folder,
            env=passed_on(os.environ) | own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.logs / "broker.err").open("wb"),
            umask=PRIVATE,  # of all that RADICAL-Pilot makes; jobs have the user's
            start_new_session=True,  # a Ctrl-C in the terminal is for Snakemake, which then calls close()
            text=True,
        )
        note_session(self.folder, self._broker.pid)
        threading.Thread(target=self._listen, daemon=True).start()
        self._watch = threading.Thread(target=self._await_broker, daemon=True)
        self._watch.start()
        self._workers = Workers(
            [(self.partition.usable_cores, self.partition.gpus, self.memory_mb)] * self.nodes,
            self.folder,
            address=address,
            grace=self.grace,
            launch=self._launch,
            report=self._report,
            began=lambda uid: self.running.update({uid: time.time()}),
            contain=self._contain,
        )
        size = {"nodes": self.nodes, "cores": self.cores, "gpus": self.gpus, "runtime": self.runtime}
        threading.Thread(target=self._attend, daemon=True).start()
        queued = {"queue": given.queue} if given and given.queue else {}
        job = [self.site.scheduler.name, self.job] if given else None
        files = list(map(str, [*self.private, self.pulls.environment, self.folder / curve.NAME]))
        self._send(start={"resource": resource, "job": job, "private": files, **size, **queued})

    def submit(self, tasks: list[Task]) -> None:
        """Hand tasks to the pilot; they wait there for free cores, and for their images where these are not here."""
        self._hand_on(self.pulls.sort(tasks, lambda: self.plan(Task("", []))))

    def _hand_on(self, tasks: list[Task]) -> None:
        several = {task.uid: task for task in tasks if task.ranks > 1}
        self._several |= several
        counted = [replace(task, nodes=self.layout(task).nodes) if task.uid in several else task for task in tasks]
        self._workers.submit(counted)
        if several:
            self._launch([(task, None) for task in several.values()])

    def cancel(self, uids: list[str]) -> None:
        """End tasks that wait or run; those that run get the time to save."""
        waiting = self.pulls.drop(uids)
        for uid in waiting:
            self._report(Outcome(uid, "CANCELED", None, [], None))
        uids = [uid for uid in uids if uid not in waiting]
        for uid in self._workers.cancel(uids):
            self._end(uid, "cancel")

    def outcomes(self) -> list[Outcome]:
        """The tasks that ended since the last call."""
        ended = []
        while not self._outcomes.empty():
            ended.append(self._outcomes.get())
        return ended

    def settle(self) -> None:
        """Ask what runs to end, and wait until it has, for no longer than it gets to save."""
        if self._workers is None:
            return
        deadline = time.monotonic() + self.grace + PATIENCE
        self._workers.dismiss()
        for uid in [*self._several]:
            self._end(uid, "cancel")
        while (self._workers.at_work or self.running.keys() & self._several.keys()) and not self.ended:
            if time.monotonic() > deadline:
                return
            time.sleep(LOOK / 4)

    def close(self, *, keep: bool = False) -> float:
        """End the pilot and everything that it started, at once (see `settle`); return the seconds that took.

        Its files are removed, unless `keep`.
        """
        started = time.monotonic()
        self.state = "CLOSED"
        if self._workers is not None:
            self._workers.close()
        if self._broker is not None:
            self._send(close=True)
            self._watch.join(PATIENCE + 5)
            if self._watch.is_alive():
                self._broker.kill()
            # It leads the session of all that it started. Until it is waited for, no other process can get its number.
            sweep(self.mark, self._broker.pid)
            self._broker.wait()
            with contextlib.suppress(BrokenPipeError):  # what it did not take before it died
                self._broker.stdin.close()
            if self.batch:  # the broker has done so, unless it was killed
                give_back(self.site.scheduler.name, self.job)
        (self.folder / curve.NAME).unlink(missing_ok=True)
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        return time.monotonic() - started

    @property
    def logs(self) -> Path:
        """The folder of RADICAL-Pilot's messages."""
        return self.folder / "log"

    @property
    def refusal(self) -> Path:
        """The file for the words with which a batch system refuses the pilot's job."""
        return self.folder / "refusal"

    def fail(self, reason: str) -> None:
        """Give the pilot up: no task will end well any more."""
        if not self.ended:
            self.state, self.reason = "FAILED", reason

    def _send(self, **command: object) -> None:
        try:
            with self._sending:
                self._broker.stdin.write(json.dumps(command) + "\n")
                self._broker.stdin.flush()
        except BrokenPipeError:
            self.fail(GONE)

    def _listen(self) -> None:
        try:
            for line in self._broker.stdout:
                self._take(json.loads(line))
        except Exception as error:  # a defect of ours: the run ends with it, instead of waiting for ever
            self.fail(f"what RADICAL-Pilot told could not be taken in: {type(error).__name__}: {error}")
            raise

    def _take(self, news: dict) -> None:
        if "pilot" not in news:
            cores = list(map(tuple, news["cores"]))
            self._hear(news["task"], news["state"], news["code"], cores, news["nodes"], news["reason"])
        elif not self.ended:
            self.state = news["pilot"]
            if self.active and self._active_since is None:
                self._active_since = time.monotonic()
            self.reason = news.get("reason", self.reason)
            if self.state == "FAILED" and self.refusal.exists():
                self.reason = refusal(self.site, self.refusal.read_text())

    def _hear(
        self, uid: str, state: str, code: int | None, cores: list, nodes: list[int], reason: str | None
    ) -> None:  # fmt: skip
        """News of a worker, or of a task of several ranks."""
        self._workers.news(uid, state, cores, reason, nodes)
        task = self._several.get(uid)
        if task is None:
            return
        if state == "AGENT_EXECUTING":
            self.running[uid] = time.time()
            return
        del self._several[uid]
        why, _ = self._ending.pop(uid, (None, None))
        if why == "timeout":
            state, code, reason = "FAILED", None, ended.for_time(task.timeout)
        elif why == "cancel":
            state, code = "CANCELED", None
        self._report(Outcome(uid, state, code, cores, reason))

    def _attend(self) -> None:
        """Keep the tasks of several ranks within their time."""
        while not self.ended:
            time.sleep(LOOK)
            for uid, began in [*self.running.items()]:
                task = self._several.get(uid)
                if task and task.timeout and uid not in self._ending and time.time() - began > task.timeout:
                    self._end(uid, "timeout")
            for uid, (why, until) in [*self._ending.items()]:
                if time.monotonic() > until:
                    self._ending[uid] = why, float("inf")
                    self._send(cancel=[uid])

    def _end(self, uid: str, why: str) -> None:
        """Ask the ranks of a task to end, by the file that each looks at (`ranks/watch.sh`), and make them later."""
        task, grace = self._several.get(uid), 0.0
        if task is None:
            return
        if task.folder and uid in self.running and self.grace:
            Path(task.folder, END).write_text(f"{why}\n")
            grace = self.grace
        self._ending.setdefault(uid, (why, time.monotonic() + grace))

    def _launch(self, tasks: list[tuple[Task, int | None]]) -> None:
        """Hand tasks to RADICAL-Pilot, with the numbers of their nodes where these are chosen."""
        self._send(submit=[self._described(task) | {"node": node} for task, node in tasks])

    def _described(self, task: Task) -> dict:
        """What the broker is told of a task. On this machine one rank needs no launcher: its plan has none."""
        plan = self.plan(task)
        task = replace(task, memory_mb=plan.layout.memory_mb)  # nothing where the site file does not tell a node's
        if not plan.launcher:
            return asdict(task) | {"launch": None}
        folder = Path(task.folder) if task.folder else self.folder / "tasks" / task.uid
        folder.mkdir(parents=True, exist_ok=True)
        chosen = devices(self.site, self.partition, plan, folder) if task.ranks == 1 else []
        wrapped = (
            ["/bin/bash", "-c", f'RP_RANK=0; {chosen[0]}; exec "$@"', "worker", *task.argv] if chosen else task.argv
        )
        bare = task.ranks > 1 and task.environment is not None and listens(self.site, self.partition)
        (folder / END).touch()  # from the start: what is not there, a network file system looks for less often
        (folder / NAME).write_text(launch_script(plan, wrapped, folder, bare=bare))
        launch = {"script": str(folder / NAME), "slots": slots(self.site, self.partition, plan)}
        return asdict(task) | {"launch": launch, "nodes": plan.layout.nodes}

    def _contain(self, shape: Shape, command: list[str]) -> list[str]:
        """The command of a worker, in the image: its jobs then cost no container of their own."""
        plan = self.plan(Task("", command, 1, shape.cores, shape.gpus, shape.warm, shape.memory_mb, contained=True))
        binds = inside.folders([self.folder, PROGRAM, *self.sees])
        started = inside.contained(self.site, plan, command, binds, [])
        script = self.folder / "tasks" / f"worker.{len(self._contained)}.sh"  # RADICAL-Pilot would expand its words
        script.write_text("\n".join([*setup(plan), started, ""]))
        self._contained.append(script)
        return ["/bin/bash", str(script)]

    def _report(self, outcome: Outcome) -> None:
        self.running.pop(outcome.uid, None)
        if outcome.uid not in self.pulls:
            self._outcomes.put(outcome)
            return
        problem, tasks = self.pulls.ended(outcome)
        if problem:
            self.fail(problem)
        self._hand_on(tasks)

    def _await_broker(self) -> None:
        # Its output says nothing of its end: processes that RADICAL-Pilot has forked hold that open, too.
        os.waitid(os.P_PID, self._broker.pid, os.WEXITED | os.WNOWAIT)
        self.fail(GONE)


def _amounts(cores: int, gpus: int, memory: int) -> str:
    if not memory:
        return f"{cores} cores and {gpus} accelerators"
    return f"{cores} cores, {gpus} accelerators and {memory} MB of memory"
